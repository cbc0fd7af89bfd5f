//! Models behind an API, against llama.cpp's own server on the default model: what the library finds out and reads, and what the command does.
//!
//! `make test` provides the server (scripts/llama-server.sh). One is started for all tests that run at the same time, with one thread: several
//! wait for each other in turns, which takes minutes where other tests keep the cores busy.

#![expect(clippy::unwrap_used, reason = "tests")]

mod command;
#[path = "../cli/folder.rs"]
#[expect(dead_code, reason = "a part of it is used here")]
mod folder;
mod library;
mod proxy;
mod server;
#[path = "../support/mod.rs"]
mod support;
