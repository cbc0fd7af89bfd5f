//! widedeep
pub mod fetch;
pub mod pair;
