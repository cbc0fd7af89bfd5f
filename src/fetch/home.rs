//! Where fetched files live: one folder per user, moved by `WIDEDEEP_HOME`.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

/// The environment variable that moves the folder of fetched files.
pub const HOME_VARIABLE: &str = "WIDEDEEP_HOME";

/// Which kind of thing is fetched; each kind has a folder of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shelf {
    /// GGUF files.
    Models,
    /// Benchmarks.
    Data,
}

impl Shelf {
    /// The folder's name, and the name of the command that fills it: `models` or `data`.
    pub fn name(self) -> &'static str {
        match self {
            Shelf::Models => "models",
            Shelf::Data => "data",
        }
    }
}

/// The folder of everything fetched: `HOME/models/NAME/FILE` and `HOME/data/NAME/FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// No folder for fetched files could be determined.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The operating system tells no home directory.
    #[error(
        "the user's home directory is unknown; set `{HOME_VARIABLE}` to the folder in which models and data are kept"
    )]
    Unknown(#[source] etcetera::HomeDirError),
    /// `WIDEDEEP_HOME` is relative and the current directory is gone.
    #[error("`{HOME_VARIABLE}` is `{path}`, which cannot be made absolute; set it to an absolute path")]
    Relative {
        /// The value of the variable.
        path: PathBuf,
        /// Why it stays relative.
        source: std::io::Error,
    },
}

impl Home {
    /// `$WIDEDEEP_HOME`, or `widedeep` in the user's cache directory (`$XDG_CACHE_HOME`, `~/.cache`, `%LOCALAPPDATA%`).
    pub fn from_env() -> Result<Self, HomeError> {
        match std::env::var_os(HOME_VARIABLE) {
            Some(path) if !path.is_empty() => {
                let root = std::path::absolute(&path).map_err(|source| HomeError::Relative {
                    path: PathBuf::from(path),
                    source,
                })?;
                Ok(Self { root })
            }
            _ => {
                let base = etcetera::choose_base_strategy().map_err(HomeError::Unknown)?;
                Ok(Self {
                    root: base.cache_dir().join("widedeep"),
                })
            }
        }
    }

    /// A home at a given folder, which need not exist yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of one entry. Names come from a catalogue, which allows none that would leave the shelf.
    pub fn folder(&self, shelf: Shelf, name: &str) -> PathBuf {
        self.root.join(shelf.name()).join(name)
    }

    /// The user's own entries, merged into the built-in ones by name.
    pub fn models_file(&self) -> PathBuf {
        self.root.join("models.toml")
    }
}
