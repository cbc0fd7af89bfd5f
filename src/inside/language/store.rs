//! Counts on disk: `NAME.npy`, an array `[language][layer][unit]` of unsigned 32-bit integers that NumPy opens with `numpy.load`, and beside it
//! `NAME.json`, which says what the array's first axis is and how it was counted.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use ndarray::{Array3, ArrayView3};
use ndarray_npy::{ReadNpyError, ReadNpyExt, WriteNpyError, WriteNpyExt};
use serde::{Deserialize, Serialize};

use super::{
    counts::{Counts, CountsError, LanguageCounts},
    files::{self, WriteError},
    origin::Origin,
    unit::Shape,
};

/// The version of the sidecar that this program writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// The sidecar's content.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sidecar {
    format: u32,
    axes: [String; 3],
    shape: Shape,
    languages: Vec<Language>,
    origin: Origin,
}

/// Only this much is read first, so that a newer file is refused by its version and not by a field that this program does not know.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Language {
    name: String,
    tokens: u64,
}

/// Why stored counts cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file cannot be opened or read.
    #[error("failed to read `{path}`: {source}; counts are two files, `NAME.npy` and `NAME.json`, in one folder")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The sidecar is not what this program writes.
    #[error("failed to read `{path}:{line}` as the description of counts: {source}; count again, or restore the file")]
    Sidecar {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The sidecar is of a newer version.
    #[error("`{path}` has format {found}, and this program reads up to {FORMAT}: use a newer version of the program")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The array is not one.
    #[error("failed to read `{path}` as an array of unsigned 32-bit integers with three axes: {source}")]
    Array {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ReadNpyError,
    },
    /// The array and its description disagree.
    #[error(
        "`{path}` holds an array of shape {found:?}, but its description says {expected:?}: the two files are not of one run"
    )]
    Shape {
        /// The array's file.
        path: PathBuf,
        /// The array's shape.
        found: Vec<usize>,
        /// What the sidecar says.
        expected: Vec<usize>,
    },
    /// The counts contradict themselves.
    #[error("`{path}`: {source}")]
    Counts {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: CountsError,
    },
}

impl Counts {
    /// Writes `path` with the extensions `npy` and `json`. Each file appears whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        let shape = self.shape();
        let flat: Vec<u32> = self
            .languages()
            .iter()
            .flat_map(|language| language.active().iter().copied())
            .collect();
        let dimensions = (self.languages().len(), shape.layers, shape.width);
        files::whole(&path.with_extension("npy"), |file| -> std::io::Result<()> {
            let array = ArrayView3::from_shape(dimensions, &flat).map_err(std::io::Error::other)?;
            array.write_npy(file).map_err(|error| match error {
                WriteNpyError::Io(source) => source,
                other => std::io::Error::other(other),
            })
        })?;
        let languages = self.languages().iter().map(|language| Language {
            name: language.name().to_owned(),
            tokens: language.tokens(),
        });
        let sidecar = Sidecar {
            format: FORMAT,
            axes: ["language", "layer", "unit"].map(str::to_owned),
            shape,
            languages: languages.collect(),
            origin: self.origin().clone(),
        };
        files::json(&path.with_extension("json"), &sidecar)
    }

    /// Reads what [`Counts::write`] wrote; the extension of `path` does not matter.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let sidecar = sidecar(&path.with_extension("json"))?;
        let path = path.with_extension("npy");
        let file = File::open(&path).map_err(|source| ReadError::Io {
            path: path.clone(),
            source,
        })?;
        let array = Array3::<u32>::read_npy(BufReader::new(file)).map_err(|source| ReadError::Array {
            path: path.clone(),
            source,
        })?;
        let expected = vec![sidecar.languages.len(), sidecar.shape.layers, sidecar.shape.width];
        if array.shape() != expected {
            let found = array.shape().to_vec();
            return Err(ReadError::Shape { path, found, expected });
        }
        let languages = sidecar.languages.into_iter().zip(array.outer_iter());
        languages
            .map(|(language, active)| {
                LanguageCounts::new(language.name, language.tokens, active.iter().copied().collect())
            })
            .collect::<Result<Vec<_>, _>>()
            .and_then(|languages| Counts::new(sidecar.shape, languages, sidecar.origin))
            .map_err(|source| ReadError::Counts { path, source })
    }
}

fn sidecar(path: &Path) -> Result<Sidecar, ReadError> {
    let text = std::fs::read_to_string(path).map_err(|source| ReadError::Io {
        path: path.to_owned(),
        source,
    })?;
    let malformed = |source: serde_json::Error| ReadError::Sidecar {
        path: path.to_owned(),
        line: source.line(),
        source,
    };
    let Version { format } = serde_json::from_str(&text).map_err(malformed)?;
    if format > FORMAT {
        let path = path.to_owned();
        return Err(ReadError::Newer { path, found: format });
    }
    serde_json::from_str(&text).map_err(malformed)
}
