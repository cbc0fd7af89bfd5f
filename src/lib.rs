//! widedeep
pub mod network;
pub mod pair;
