//! Which files a result was made from.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::open::OpenError;

/// A model, or a checkpoint, and its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Its name in tables.
    pub label: String,
    /// Its files.
    pub files: Vec<Hashed>,
}

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hashed {
    /// Where it was.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The BLAKE3 hash of its content.
    pub blake3: String,
}

impl Origin {
    /// Hashes these files.
    pub fn of<'a>(label: &str, files: impl IntoIterator<Item = &'a Path>) -> Result<Self, OpenError> {
        Ok(Self {
            label: label.to_owned(),
            files: files.into_iter().map(hashed).collect::<Result<_, _>>()?,
        })
    }
}

fn hashed(path: &Path) -> Result<Hashed, OpenError> {
    let io = |cause| OpenError::Io {
        path: path.to_owned(),
        cause,
    };
    let file = File::open(path).map_err(io)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).map_err(io)?;
    Ok(Hashed {
        path: path.to_owned(),
        bytes: hasher.count(),
        blake3: hasher.finalize().to_hex().to_string(),
    })
}
