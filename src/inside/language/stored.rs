//! Identified units on disk, as JSON.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{
    files::{self, WriteError},
    identified::Identified,
};

/// The version of stored results that this program writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

/// Why a stored result cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The file cannot be read.
    #[error("failed to read `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("failed to read `{path}:{line}` as identified language units: {source}; identify them again")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The file is of a newer version.
    #[error("`{path}` has format {found}, and this program reads up to {FORMAT}: use a newer version of the program")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The file contradicts itself.
    #[error("`{path}` {what}: identify the units again")]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// What it does.
        what: &'static str,
    },
}

/// Only this much is read first, so that a newer file is refused by its version and not by a field that this program does not know.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Identified {
    /// Writes everything as JSON.
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        files::json(path, self)
    }

    /// Reads what [`Identified::write`] wrote.
    pub fn read(path: &Path) -> Result<Self, StoredError> {
        let path = path.to_owned();
        let text = std::fs::read_to_string(&path).map_err(|source| StoredError::Io {
            path: path.clone(),
            source,
        })?;
        let malformed = |source: serde_json::Error| StoredError::Malformed {
            path: path.clone(),
            line: source.line(),
            source,
        };
        let Version { format } = serde_json::from_str(&text).map_err(malformed)?;
        if format > FORMAT {
            return Err(StoredError::Newer { path, found: format });
        }
        let read: Self = serde_json::from_str(&text).map_err(malformed)?;
        let Some(what) = contradiction(&read) else {
            return Ok(read);
        };
        Err(StoredError::Contradiction { path, what })
    }
}

/// What a file that someone edited may say and no identification yields; sets are looked up by order.
fn contradiction(read: &Identified) -> Option<&'static str> {
    let selected: Vec<_> = read.selected.iter().map(|assigned| assigned.unit).collect();
    let languages = read.languages.len();
    if !selected.iter().chain(&read.agnostic).all(|&unit| read.shape.has(unit)) {
        Some("names a unit that its own header does not have")
    } else if !(rising(&selected) && rising(&read.agnostic)) {
        Some("names units out of order or twice")
    } else if !read
        .selected
        .iter()
        .flat_map(|assigned| &assigned.languages)
        .all(|&k| k < languages)
    {
        Some("names a language that its own header does not have")
    } else if !read.selected.iter().all(|assigned| rising(&assigned.languages)) {
        Some("names languages of a unit out of order or twice")
    } else {
        None
    }
}

fn rising<T: PartialOrd>(values: &[T]) -> bool {
    values.is_sorted_by(|one, next| one < next)
}
