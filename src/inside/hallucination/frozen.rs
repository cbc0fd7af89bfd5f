//! Settings that are written when a folder is begun, and that whoever goes on with it must have too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a folder cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum FrozenError {
    /// The folder cannot be used.
    #[error("failed to use `{path}`: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its settings cannot be read.
    #[error("{}:{line}: {source}; restore the file, or give another folder", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It was begun with others.
    #[error(
        "`{path}` holds other settings ({difference}); give another folder, or the settings that it was begun with"
    )]
    Other {
        /// The file with the settings.
        path: PathBuf,
        /// Which differ, and how.
        difference: String,
    },
}

/// Writes the settings if the file is not there; otherwise they must be those in the file, as far as `comparable` keeps them.
pub(super) fn freeze<T: Serialize + DeserializeOwned>(
    path: &Path,
    settings: &T,
    comparable: impl Fn(&T) -> T,
) -> Result<(), FrozenError> {
    let io = |source| FrozenError::Io {
        path: path.to_owned(),
        source,
    };
    if !path.exists() {
        let text = serde_json::to_string_pretty(settings).map_err(|error| io(error.into()))?;
        return std::fs::write(path, text + "\n").map_err(io);
    }
    let text = std::fs::read_to_string(path).map_err(io)?;
    let old: T = serde_json::from_str(&text).map_err(|source| FrozenError::Damaged {
        path: path.to_owned(),
        line: source.line(),
        source,
    })?;
    match difference(&comparable(&old), &comparable(settings)) {
        Some(difference) => Err(FrozenError::Other {
            path: path.to_owned(),
            difference,
        }),
        None => Ok(()),
    }
}

/// Which fields differ, in words.
fn difference<T: Serialize>(old: &T, new: &T) -> Option<String> {
    // By way of text, in which a temperature of 0.7 is 0.7 and not the double nearest to its single-precision number.
    let fields = |settings: &T| -> serde_json::Map<String, serde_json::Value> {
        let text = serde_json::to_string(settings).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    };
    let (old, new) = (fields(old), fields(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let value = |fields: &serde_json::Map<String, serde_json::Value>, name: &String| {
        fields.get(name).map_or_else(|| "unset".to_owned(), ToString::to_string)
    };
    let differs: Vec<String> = names
        .into_iter()
        .filter(|&name| old.get(name) != new.get(name))
        .map(|name| format!("`{name}` was {} and is {}", value(&old, name), value(&new, name)))
        .collect();
    (!differs.is_empty()).then(|| differs.join(", "))
}
