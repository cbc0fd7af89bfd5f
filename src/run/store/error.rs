//! What can go wrong with a run on disk.

use std::path::{Path, PathBuf};

use super::schema::FORMAT;

/// Failures of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or the file cannot be used.
    #[error("failed to {doing} `{path}`: {reason}")]
    Path {
        /// What was tried.
        doing: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another process is at work on the run.
    #[error(
        "another process is at work on the run in `{path}`; wait for it, or give this one another folder with `--out`"
    )]
    Locked {
        /// The run's folder.
        path: PathBuf,
    },
    /// There is no run.
    #[error("there is no run in `{path}`; start one with `widedeep eval DATA --out {path}`")]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds a run of something else.
    #[error(
        "`{path}` holds a run of another configuration: {differs}; give this run another folder with `--out`, or delete that one"
    )]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// Which parts differ, old and new.
        differs: String,
    },
    /// A newer program wrote it.
    #[error(
        "the run in `{path}` has format {found}, this program reads up to {FORMAT}; use the newer widedeep that wrote it"
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// A program from before the first release wrote it.
    #[error(
        "the run in `{path}` has format {found}, which has no ledger and is no longer read; this program writes format {FORMAT}: judge again in another folder"
    )]
    Older {
        /// The folder.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// SQLite failed.
    #[error("failed to {doing} the store `{path}`: {source}{}", remedy(.source))]
    Sqlite {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The store was opened for reading.
    #[error("the run's store `{path}` was opened for reading")]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// A stored value cannot be read.
    #[error("the run's store `{path}` is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which value.
        reason: String,
    },
}

/// What to do about it, where that is known.
fn remedy(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => {
            "; make room and give the same command again: everything that was finished is kept"
        }
        Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
            "; a run writes to its folder all the time: make it writable, or take another one with `--out`"
        }
        Some(rusqlite::ErrorCode::SystemIoFailure) => {
            "; when the disk works again, give the same command again: everything that was finished is kept"
        }
        _ => "",
    }
}

pub(super) fn path_error(doing: &'static str, path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Path {
        doing,
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

pub(in crate::run) fn sqlite(doing: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Sqlite {
        doing,
        path: path.clone(),
        source,
    }
}
