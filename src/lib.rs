//! widedeep
pub mod agreement;
pub mod network;
pub mod pair;
