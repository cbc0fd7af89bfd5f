//! widedeep
pub mod agreement;
pub mod chat;
pub mod cost;
pub mod llama;
pub mod network;
pub mod pair;
pub mod prompt;
pub mod report;
pub mod run;
