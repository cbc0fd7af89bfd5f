//! widedeep
pub mod pair;
