//! `widedeep inside language` as its users meet it: on the published counts, and on small texts with the default model.
//!
//! Every test runs the program in a folder of its own. Those that read with the model use one thread, because the machine may be busy.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod comparing;
mod counting;
mod folder;
mod golden;
mod help;
mod mistakes;
mod silencing;
mod steering;
mod texts;
