//! widedeep
pub mod llama;
pub mod pair;
