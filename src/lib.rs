//! widedeep
pub mod pair;
pub mod prompt;
