//! Where the data are, and files of a test's own.

use std::path::PathBuf;

/// A file of the shared data folder beside the project.
pub fn shared(path: &str) -> PathBuf {
    let full = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).join(path);
    assert!(
        full.exists(),
        "this test reads `../shared/data/{path}` beside the project, which is absent"
    );
    full
}

/// A file with this text, in a folder that goes when the test ends.
pub fn written(name: &str, text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}
