//! widedeep
pub mod agreement;
pub mod cost;
pub mod network;
pub mod pair;
