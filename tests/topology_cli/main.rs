//! `widedeep inside topology` as its users meet it: small networks from files against the reference values of `../shared/data/topology`, the default model
//! as GGUF, checkpoints, comparisons, and what is said when something is wrong.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod activations;
mod checkpoints;
mod comparing;
mod folder;
mod models;
mod networks;
mod refusals;
