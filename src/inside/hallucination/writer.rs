//! Appending features to their three files.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    example::{Example, Part},
    features::{Description, FORMAT, FeaturesError, Provenance},
    npy::{self, HEADER},
};
use crate::inside::language::files;

/// Appends rows of features. A row is on disk when [`Writer::push`] returns.
#[derive(Debug)]
pub struct Writer {
    array: (PathBuf, File),
    lines: (PathBuf, File),
    provenance: Provenance,
    examples: Vec<Example>,
}

impl Writer {
    /// Begins `path` with the extensions `npy`, `jsonl` and `json`, or goes on where an earlier writer was stopped. What it had not finished
    /// is cut off. Features made with something else are refused.
    pub fn open(path: &Path, provenance: &Provenance) -> Result<Self, FeaturesError> {
        let description = path.with_extension("json");
        if description.exists() {
            if read_provenance(&description)? != *provenance {
                return Err(FeaturesError::OtherProvenance { path: description });
            }
        } else {
            let content = Description {
                format: FORMAT,
                provenance: provenance.clone(),
            };
            files::json(&description, &content).map_err(|error| FeaturesError::Io {
                path: error.path,
                source: error.source,
            })?;
        }
        let (array_path, lines_path) = (path.with_extension("npy"), path.with_extension("jsonl"));
        let mut lines = open(&lines_path)?;
        let mut array = open(&array_path)?;
        let mut examples = read_examples(&lines_path)?;

        let row = provenance.shape.units() * 4;
        let stored = length(&array_path, &array)?.saturating_sub(HEADER as u64) / row.max(1) as u64;
        examples.truncate(usize::try_from(stored).unwrap_or(usize::MAX));
        let kept = end_of_line(&lines_path, examples.len())?;
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| FeaturesError::Io { path, source }
        };
        lines
            .set_len(kept)
            .and_then(|()| lines.seek(SeekFrom::End(0)))
            .map_err(io(&lines_path))?;
        let mut resume = || -> io::Result<()> {
            npy::write_header(
                &mut array,
                examples.len(),
                [provenance.shape.layers, provenance.shape.width],
            )?;
            array.set_len((HEADER + examples.len() * row) as u64)
        };
        resume().map_err(io(&array_path))?;
        Ok(Self {
            array: (array_path, array),
            lines: (lines_path, lines),
            provenance: provenance.clone(),
            examples,
        })
    }

    /// What has been appended, by this writer and earlier ones.
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// Whether a row is there already.
    pub fn has(&self, dataset: &str, id: &str, part: Part) -> bool {
        self.examples
            .iter()
            .any(|example| example.part == part && example.id == id && example.dataset == dataset)
    }

    /// Appends one row: `features` is `[layers × units]` flat by layer.
    pub fn push(&mut self, example: Example, features: &[f32]) -> Result<(), FeaturesError> {
        let shape = self.provenance.shape;
        if features.len() != shape.units() {
            return Err(FeaturesError::Row {
                found: features.len(),
                shape,
            });
        }
        if let Some(position) = features.iter().position(|value| !value.is_finite()) {
            let unit = shape.unit(position);
            return Err(FeaturesError::NotFinite {
                id: example.id,
                layer: unit.layer,
                unit: unit.index,
            });
        }
        let rows = self.examples.len();
        let (path, array) = &mut self.array;
        let bytes: Vec<u8> = features.iter().flat_map(|value| value.to_le_bytes()).collect();
        array
            .seek(SeekFrom::Start((HEADER + rows * bytes.len()) as u64))
            .and_then(|_| array.write_all(&bytes))
            .map_err(|source| FeaturesError::Io {
                path: path.clone(),
                source,
            })?;

        let (lines_path, lines) = &mut self.lines;
        let mut line = serde_json::to_vec(&example).map_err(|source| FeaturesError::Json {
            path: lines_path.clone(),
            line: rows + 1,
            source,
        })?;
        line.push(b'\n');
        lines.write_all(&line).map_err(|source| FeaturesError::Io {
            path: lines_path.clone(),
            source,
        })?;

        // Last, for it must not count what is not there.
        npy::write_header(array, rows + 1, [shape.layers, shape.width]).map_err(|source| FeaturesError::Io {
            path: path.clone(),
            source,
        })?;
        self.examples.push(example);
        Ok(())
    }
}

fn open(path: &Path) -> Result<File, FeaturesError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|source| FeaturesError::Io {
            path: path.to_owned(),
            source,
        })
}

fn length(path: &Path, file: &File) -> Result<u64, FeaturesError> {
    file.metadata()
        .map(|metadata| metadata.len())
        .map_err(|source| FeaturesError::Io {
            path: path.to_owned(),
            source,
        })
}

/// Bytes of the first `lines` lines.
fn end_of_line(path: &Path, lines: usize) -> Result<u64, FeaturesError> {
    let io = |source| FeaturesError::Io {
        path: path.to_owned(),
        source,
    };
    let mut reader = BufReader::new(File::open(path).map_err(io)?);
    let (mut bytes, mut buffer) = (0, Vec::new());
    for _ in 0..lines {
        buffer.clear();
        bytes += reader.read_until(b'\n', &mut buffer).map_err(io)? as u64;
    }
    Ok(bytes)
}

/// The examples of a file of lines. A last line without its end was being written when its writer was killed, and does not count.
pub(super) fn read_examples(path: &Path) -> Result<Vec<Example>, FeaturesError> {
    let io = |source| FeaturesError::Io {
        path: path.to_owned(),
        source,
    };
    let mut reader = BufReader::new(File::open(path).map_err(io)?);
    let (mut examples, mut buffer) = (Vec::new(), Vec::new());
    for line in 1.. {
        buffer.clear();
        reader.read_until(b'\n', &mut buffer).map_err(io)?;
        if !buffer.ends_with(b"\n") {
            break;
        }
        let example = serde_json::from_slice(&buffer).map_err(|source| FeaturesError::Json {
            path: path.to_owned(),
            line,
            source,
        })?;
        examples.push(example);
    }
    Ok(examples)
}

/// Only this much is read first, so that a newer file is refused by its version and not by a field that this program does not know.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

pub(super) fn read_provenance(path: &Path) -> Result<Provenance, FeaturesError> {
    let text = std::fs::read_to_string(path).map_err(|source| FeaturesError::Io {
        path: path.to_owned(),
        source,
    })?;
    let malformed = |source: serde_json::Error| FeaturesError::Json {
        path: path.to_owned(),
        line: source.line(),
        source,
    };
    let Version { format } = serde_json::from_str(&text).map_err(malformed)?;
    if format > FORMAT {
        return Err(FeaturesError::Newer {
            path: path.to_owned(),
            found: format,
        });
    }
    let Description { provenance, .. } = serde_json::from_str(&text).map_err(malformed)?;
    Ok(provenance)
}
