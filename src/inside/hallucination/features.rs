//! Features on disk, in three files: `NAME.npy`, an array `[example][layer][unit]` of `f32` that NumPy opens with
//! `numpy.load("NAME.npy", mmap_mode="r")`; `NAME.jsonl`, one [`Example`] per row of it; `NAME.json`, which says what model and rule they were made with.
//!
//! A [`Writer`] appends rows and can be killed at any time: what it had appended is there, and [`Writer::open`] goes on after it. A [`Features`]
//! reads rows as a stream, so that what is in memory is what was asked for.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    columns::{Columns, dot},
    example::Example,
    npy,
    rule::{ModelId, RegionRule},
    writer,
};
use crate::inside::language::Shape;

pub use super::writer::Writer;

/// The version of the description that this program writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

/// Rows that are read at once.
const BLOCK: usize = 64;

/// What features were made with: the content of `NAME.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The model.
    pub model: ModelId,
    /// Its layers and units per layer: the second and third axis of the array.
    pub shape: Shape,
    /// Which tokens, and how.
    pub rule: RegionRule,
    /// The name and version of the prompt that the questions were asked with.
    pub prompt: String,
    /// What else is worth knowing, by name: sampling settings, seeds, hashes of question files, dropped items by reason.
    #[serde(default)]
    pub notes: std::collections::BTreeMap<String, String>,
}

/// The content of `NAME.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    pub(super) format: u32,
    pub(super) provenance: Provenance,
}

/// Why features cannot be read or added to.
#[derive(Debug, thiserror::Error)]
pub enum FeaturesError {
    /// A file cannot be opened, read or written.
    #[error(
        "failed to use `{path}`: {source}; features are three files, `NAME.npy`, `NAME.jsonl` and `NAME.json`, in one folder"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line or the description is not what this program writes.
    #[error("failed to read `{path}:{line}`: {source}; collect the features again, or restore the file")]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The description is of a newer version.
    #[error("`{path}` has format {found}, and this program reads up to {FORMAT}: use a newer version of the program")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Array and description disagree.
    #[error("`{path}` holds an array of shape {found:?}, but {expected}: the files are not of one collection")]
    Shape {
        /// The array's file.
        path: PathBuf,
        /// Its shape.
        found: Vec<u64>,
        /// What the other files say.
        expected: String,
    },
    /// The features there were made with something else.
    #[error(
        "`{path}` describes features made with another model, rule or prompt: choose another name, or delete its three files to begin anew"
    )]
    OtherProvenance {
        /// The description.
        path: PathBuf,
    },
    /// A row of the wrong length.
    #[error("a row of {found} numbers does not fit a model of {shape}")]
    Row {
        /// Its numbers.
        found: usize,
        /// The model's shape.
        shape: Shape,
    },
    /// A number that is none.
    #[error(
        "features of `{id}` hold a value that is not finite (layer {layer}, unit {unit}): the model or its file is damaged"
    )]
    NotFinite {
        /// The question.
        id: String,
        /// The layer.
        layer: usize,
        /// The unit.
        unit: usize,
    },
}

/// Features that were collected.
#[derive(Debug)]
pub struct Features {
    array: PathBuf,
    data: u64,
    provenance: Provenance,
    examples: Vec<Example>,
}

impl Features {
    /// Opens `path` with the extensions `npy`, `jsonl` and `json`. The array's numbers are read later.
    pub fn open(path: &Path) -> Result<Self, FeaturesError> {
        let provenance = writer::read_provenance(&path.with_extension("json"))?;
        let mut examples = writer::read_examples(&path.with_extension("jsonl"))?;
        let array = path.with_extension("npy");
        let io = |source| FeaturesError::Io {
            path: array.clone(),
            source,
        };
        let mut file = File::open(&array).map_err(io)?;
        let npy::Found { shape, data } = npy::read_header(&mut file).map_err(io)?;
        let Shape { layers, width } = provenance.shape;
        let mismatch = |expected: String| FeaturesError::Shape {
            path: array.clone(),
            found: shape.clone(),
            expected,
        };
        let &[rows, found_layers, found_width] = shape.as_slice() else {
            return Err(mismatch("it must have three axes".to_owned()));
        };
        if (found_layers, found_width) != (layers as u64, width as u64) {
            return Err(mismatch(format!("the model is said to have {}", provenance.shape)));
        }
        // One more line than rows is what a writer leaves that was killed between the two.
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        if examples.len() < rows || examples.len() > rows + 1 {
            return Err(mismatch(format!("there are {} examples", examples.len())));
        }
        examples.truncate(rows);
        let bytes = data + (rows * provenance.shape.units() * 4) as u64;
        if file.metadata().map_err(io)?.len() < bytes {
            return Err(mismatch("the file is shorter than that".to_owned()));
        }
        Ok(Self {
            array,
            data,
            provenance,
            examples,
        })
    }

    /// What they were made with.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The model's shape.
    pub fn shape(&self) -> Shape {
        self.provenance.shape
    }

    /// What the rows are about.
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// Calls `each` with every chosen row, `[layers × units]` flat by layer, and its place in `rows`. Reads one block of rows at a time; `rows` in ascending order
    /// are read without seeking back.
    pub fn each_row(&self, rows: &[usize], mut each: impl FnMut(usize, &[f32])) -> Result<(), FeaturesError> {
        let io = |source| FeaturesError::Io {
            path: self.array.clone(),
            source,
        };
        let units = self.shape().units();
        let mut file = File::open(&self.array).map_err(io)?;
        let mut bytes = vec![0; units * 4];
        let mut row_values = vec![0.0_f32; units];
        let mut at = None;
        for (place, &row) in rows.iter().enumerate() {
            let start = self.data + (row * units * 4) as u64;
            if at != Some(start) {
                file.seek(SeekFrom::Start(start)).map_err(io)?;
            }
            file.read_exact(&mut bytes).map_err(io)?;
            at = Some(start + bytes.len() as u64);
            for (value, word) in row_values.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *value = f32::from_le_bytes(*word);
            }
            if let Some(position) = row_values.iter().position(|value| !value.is_finite()) {
                let unit = self.shape().unit(position);
                let id = self.examples[row].id.clone();
                return Err(FeaturesError::NotFinite {
                    id,
                    layer: unit.layer,
                    unit: unit.index,
                });
            }
            each(place, &row_values);
        }
        Ok(())
    }

    /// The chosen rows of all units: 4 bytes per row and unit, 737 MB for 4,000 rows of SmolLM2-135M.
    pub fn columns(&self, rows: &[usize]) -> Result<Columns<f32>, FeaturesError> {
        let units = self.shape().units();
        let mut columns = Columns::zeros(rows.len(), units);
        let mut block = Vec::with_capacity(BLOCK * units);
        let mut first = 0;
        self.each_row(rows, |place, row| {
            block.extend_from_slice(row);
            if place + 1 - first == BLOCK || place + 1 == rows.len() {
                columns.set_rows(first, &block);
                block.clear();
                first = place + 1;
            }
        })?;
        Ok(columns)
    }

    /// The chosen rows of some units only, given as positions `layer × width + index`; columns in the order given.
    pub fn columns_of(&self, rows: &[usize], positions: &[usize]) -> Result<Columns<f32>, FeaturesError> {
        let mut columns = Columns::zeros(rows.len(), positions.len());
        let mut chosen = vec![0.0; positions.len()];
        self.each_row(rows, |place, row| {
            for (value, &position) in chosen.iter_mut().zip(positions) {
                *value = row[position];
            }
            columns.set_rows(place, &chosen);
        })?;
        Ok(columns)
    }

    /// `w · x + bias` of the chosen rows for weights of all units, without keeping the rows.
    pub fn times(&self, rows: &[usize], weights: &[f64], bias: f64) -> Result<Vec<f64>, FeaturesError> {
        let mut products = vec![bias; rows.len()];
        self.each_row(rows, |place, row| products[place] += dot(row, weights))?;
        Ok(products)
    }
}
