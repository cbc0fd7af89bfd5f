//! The `widedeep` command as its users meet it: what it prints, where, with which exit code, and what it leaves on disk.
//!
//! Every test runs the program in a folder of its own, so that messages name short paths. Tests that judge use the default model, one
//! thread (the machine may be busy, and results depend on the number of threads), few pairs and little evidence.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::needless_raw_string_hashes,
    reason = "snapbox writes expectations so, with SNAPSHOTS=overwrite"
)]

#[path = "../support/mod.rs"]
mod support;

mod api;
mod bad_data;
mod bad_folder;
mod bad_model;
mod bad_network;
mod baselines;
mod compare;
#[cfg(unix)]
mod disk;
mod folder;
mod formats;
mod help;
#[cfg(unix)]
mod interruption;
mod judging;
#[cfg(unix)]
mod killing;
mod lists;
mod loopback;
#[cfg(target_os = "linux")]
mod memory;
mod money;
mod repeatability;
mod streams;
