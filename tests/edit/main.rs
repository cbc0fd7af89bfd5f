//! GGUF files written anew, and units scaled in three forms: on small models of floats, where everything can be computed again exactly, on the default model, and in llama.cpp's own server.
//!
//! `make test` provides the model and the server (scripts/llama-server.sh).
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod command;
mod files;
mod forms;
mod oracle;
mod server;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;
use widedeep::inside::bricks::{Unit, UnitSet};
use widedeep::llama::{Model, Tap, TapConfig, Threads};

const TEXT: &str = "The river rises in the hills above the old town, passes under three stone bridges and reaches the sea after \
    two hundred miles; nobody has counted how many mills it once drove.";

fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn config() -> TapConfig {
    TapConfig {
        context: 256,
        chunk: Some(64),
        // Tests run beside each other, and llama.cpp's threads wait for each other.
        threads: Threads::Fixed(NonZeroUsize::MIN),
    }
}

fn load(path: &Path) -> Arc<Model> {
    Model::load(path, 0).unwrap()
}

fn tap(model: &Model) -> Tap<'_> {
    Tap::new(model, &config()).unwrap()
}

fn set(units: &[(usize, usize)]) -> UnitSet {
    units.iter().map(|&(layer, index)| Unit { layer, index }).collect()
}

/// The default model in floats, written once for all tests of this program.
fn default_in_floats() -> PathBuf {
    static WRITTEN: OnceLock<PathBuf> = OnceLock::new();
    WRITTEN
        .get_or_init(|| {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("edit-default-in-floats.gguf");
            support::floats::write(&support::default_model(), &path);
            path
        })
        .clone()
}
