//! `widedeep inside emergence` as its users meet it: what it prints, where, with which exit code, and which files it leaves.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod checkpoints;
mod folder;
mod spectrum;
mod trace;
