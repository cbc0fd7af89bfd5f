//! `widedeep inside bricks` on real files: the default model, and small models of floats on which everything is exact.
//!
//! `make test` provides the model.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod finding;
mod growing;
mod merging;
mod updating;

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use tempfile::TempDir;
use widedeep::inside::edit::{Comparison, Predictions, compare, predictions};
use widedeep::llama::{Model, Tap, TapConfig, Threads};

const SMALL_TEXT: &str = "HELLO,WORLD!12345678:THE-END";
const TEXT: &str = "The river rises in the hills above the old town, passes under three stone bridges and reaches the sea after \
    two hundred miles; nobody has counted how many mills it once drove.";

fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn load(path: &Path) -> Arc<Model> {
    Model::load(path, 0).unwrap()
}

fn tap(model: &Model) -> Tap<'_> {
    let config = TapConfig {
        context: 256,
        chunk: Some(64),
        // Tests run beside each other, and llama.cpp's threads wait for each other.
        threads: Threads::Fixed(NonZeroUsize::MIN),
    };
    Tap::new(model, &config).unwrap()
}

fn predict(path: &Path, text: &str) -> Predictions {
    let model = load(path);
    predictions(&mut tap(&model), text, 64).unwrap()
}

/// A file's predictions against another's.
fn between(one: &Path, other: &Path, text: &str) -> Comparison {
    compare(&predict(one, text), &predict(other, text)).unwrap()
}

/// `widedeep inside bricks …`, whose standard output is the result.
fn bricks(folder: &Path, arguments: &[&str]) -> String {
    let output = try_bricks(folder, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn try_bricks(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_widedeep"))
        .args(["inside", "bricks"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// The message of a command that must fail for bad input.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = try_bricks(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    stderr
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
