//! A run's content as files that other programs read: `verdicts.csv`, `opinions.jsonl`, `metrics.json`, beside the store.
//!
//! Each file appears whole or not at all: it is written under a temporary name in the same folder and renamed when it is complete.

mod opinions;
mod verdicts;

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{Metrics, recompute::each_decided};
use crate::run::{Store, StoreError};

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// One row per finished pair.
    pub verdicts: PathBuf,
    /// One line per opinion and per list of roles, with prompt and reply; baselines have none.
    pub opinions: Option<PathBuf>,
    /// All figures.
    pub metrics: PathBuf,
}

/// Why there are no files.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A file cannot be written.
    #[error("failed to write `{path}`: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Writes the finished pairs of a run, everything behind them, and their figures into `folder`, replacing files of an earlier export. Verdicts
/// are by the cell and tie margin of `metrics`, so that the files agree with each other where a run was decided again.
pub fn export(store: &Store, folder: &Path, metrics: &Metrics) -> Result<Written, ExportError> {
    let verdicts = whole(folder, "verdicts.csv", |file| {
        let mut table = verdicts::Table::new(file);
        each_decided(store, metrics, |judged| Ok::<(), Fault>(table.add(&judged)?))?;
        Ok(table.finish()?)
    })?;
    let opinions = match metrics.run.aggregate {
        Some(_) => Some(whole(folder, "opinions.jsonl", |file| {
            each_decided(store, metrics, |judged| opinions::write(store, &judged, file))
        })?),
        None => None,
    };
    let metrics = whole(folder, "metrics.json", |file| {
        serde_json::to_writer_pretty(&mut *file, metrics).map_err(std::io::Error::from)?;
        Ok(file.write_all(b"\n")?)
    })?;
    Ok(Written {
        verdicts,
        opinions,
        metrics,
    })
}

/// Failures while the content of a file is made: of the file itself, or of the store that it comes from.
pub(super) enum Fault {
    Write(std::io::Error),
    Store(StoreError),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Write(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Writes a file that appears under its name only when it is complete.
pub(super) fn whole(
    folder: &Path,
    name: &str,
    content: impl FnOnce(&mut BufWriter<&mut File>) -> Result<(), Fault>,
) -> Result<PathBuf, ExportError> {
    let path = folder.join(name);
    let write = || -> Result<(), Fault> {
        let mut temporary = builder().tempfile_in(folder)?;
        let mut buffer = BufWriter::new(temporary.as_file_mut());
        content(&mut buffer)?;
        buffer.flush()?;
        drop(buffer);
        temporary.as_file().sync_all()?;
        temporary.persist(&path).map_err(|error| error.error)?;
        Ok(())
    };
    match write() {
        Ok(()) => Ok(path),
        Err(Fault::Store(error)) => Err(error.into()),
        Err(Fault::Write(source)) => Err(ExportError::Write { path, source }),
    }
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    // Temporary files are private by default; an export is an ordinary file, readable as the user's umask says.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}
