//! What several test files need: where the model and the shared data are, a model that answers as a test says, and runs.
#![allow(dead_code, reason = "every test file uses a part of it")]

pub mod engine;
pub mod floats;
pub mod gguf;
pub mod llama_server;
pub mod runs;
pub mod scripted;
pub mod tiny;

use std::path::PathBuf;

/// The default model, which `make test` pulls before it runs the tests.
pub fn default_model() -> PathBuf {
    let path = std::env::var_os("WIDEDEEP_TEST_MODEL")
        .map(PathBuf::from)
        .unwrap_or_default();
    assert!(
        path.is_file(),
        "the tests need the default model at $WIDEDEEP_TEST_MODEL (`{}`): run `make test`, or set it to what `widedeep models path smollm2-135m` prints",
        path.display()
    );
    path
}

/// A file of the shared data folder beside the project.
pub fn shared(path: &str) -> PathBuf {
    let full = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).join(path);
    assert!(
        full.exists(),
        "this test reads `../shared/data/{path}` beside the project, which is absent"
    );
    full
}
