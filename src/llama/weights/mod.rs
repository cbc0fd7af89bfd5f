//! The numbers in a GGUF file, without loading the model.
//!
//! [`Weights`] reads a file's header and fetches rows of any tensor on demand, converted to `f32` by ggml's own routines, so that every
//! quantisation that llama.cpp reads is read. A model in several files (`name-00001-of-00003.gguf`) is opened through its first.
//!
//! A tensor is a matrix of *rows*: GGUF writes the input's width first (`ne0`), so that row `r` of `blk.0.ffn_up.weight` holds what unit `r`
//! reads, and column `c` of `blk.0.ffn_down.weight` what unit `c` writes.
//!
//! ```no_run
//! use widedeep::llama::Weights;
//!
//! let weights = Weights::open("model.gguf".as_ref())?;
//! let ffn = weights.ffn()?;
//! println!("{} layers of {} units", ffn.layers, ffn.units);
//! let row = weights.rows("blk.0.ffn_up.weight", 7..8)?; // f32 × width
//! # Ok::<(), widedeep::llama::WeightsError>(())
//! ```

mod dequantise;
mod error;
mod ffn;
mod gguf;
mod norms;
mod shards;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub use error::WeightsError;
pub use ffn::{Ffn, Gate};
pub use gguf::{Tensor, Value};
pub use norms::DownNorms;

pub(super) use dequantise::{Raw, to_f32};

/// Streaming reads hold about so many numbers at a time.
const STREAMED: usize = 1 << 20;

/// An open GGUF file, or several that make up one model.
#[derive(Debug)]
pub struct Weights {
    files: Vec<(PathBuf, Mutex<File>)>,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, Tensor>,
}

impl Weights {
    /// Reads the header of a GGUF file and of those that continue it.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let mut weights = Self {
            files: Vec::new(),
            metadata: BTreeMap::new(),
            tensors: BTreeMap::new(),
        };
        weights.add(path)?;
        let files = weights.number("split.count").unwrap_or(1);
        for shard in shards::others(path, files, weights.number("split.no").unwrap_or(0))? {
            weights.add(&shard)?;
        }
        match weights.number("split.tensors.count") {
            Some(expected) if files > 1 && expected != weights.tensors.len() as u64 => Err(WeightsError::Shards {
                path: path.to_owned(),
                problem: format!(
                    "it announces {expected} tensors, but its {files} files hold {}",
                    weights.tensors.len()
                ),
            }),
            _ => Ok(weights),
        }
    }

    fn add(&mut self, path: &Path) -> Result<(), WeightsError> {
        let file = File::open(path).map_err(|source| WeightsError::Open {
            path: path.to_owned(),
            source,
        })?;
        let header = gguf::read(path, self.files.len())?;
        self.files.push((path.to_owned(), Mutex::new(file)));
        // What the first file says holds; the others repeat some of it.
        for (key, value) in header.metadata {
            self.metadata.entry(key).or_insert(value);
        }
        for tensor in header.tensors {
            self.tensors.insert(tensor.name.clone(), tensor);
        }
        Ok(())
    }

    /// The (first) file.
    pub fn path(&self) -> &Path {
        self.files.first().map_or(Path::new(""), |(path, _)| path)
    }

    /// All files of the model, the first one first.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    /// A field of the header.
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// A field that is a whole number.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.field(key).and_then(Value::as_number)
    }

    /// `general.architecture`.
    pub fn architecture(&self) -> Result<&str, WeightsError> {
        let key = "general.architecture";
        self.field(key)
            .and_then(Value::as_text)
            .ok_or_else(|| self.no_field(key))
    }

    /// A whole number that belongs to the architecture, such as `block_count`.
    pub fn hyperparameter(&self, name: &str) -> Result<u64, WeightsError> {
        let key = format!("{}.{name}", self.architecture()?);
        self.number(&key).ok_or_else(|| self.no_field(&key))
    }

    /// Every tensor, by name.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.tensors.values()
    }

    /// Whether the file has a tensor.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// What the file says about a tensor.
    pub fn tensor(&self, name: &str) -> Result<&Tensor, WeightsError> {
        self.tensors.get(name).ok_or_else(|| WeightsError::NoTensor {
            path: self.path().to_owned(),
            name: name.to_owned(),
            similar: error::similar(name, self.tensors.keys()),
        })
    }

    /// Rows of a tensor, one after the other: `rows.len() × columns` numbers.
    pub fn rows(&self, name: &str, rows: Range<usize>) -> Result<Vec<f32>, WeightsError> {
        let mut values = Vec::new();
        self.read(self.tensor(name)?, rows, &mut Raw::default(), &mut values)?;
        Ok(values)
    }

    /// All of a tensor: `rows × columns` numbers.
    pub fn all(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        self.rows(name, 0..self.tensor(name)?.rows())
    }

    /// Hands a tensor over in pieces of whole rows, so that memory stays small: the first row's number and `rows × columns` numbers.
    pub fn stream(&self, name: &str, mut piece: impl FnMut(usize, &[f32])) -> Result<(), WeightsError> {
        let tensor = self.tensor(name)?;
        let step = (STREAMED / tensor.columns().max(1)).max(1);
        let (mut raw, mut values) = (Raw::default(), Vec::new());
        for first in (0..tensor.rows()).step_by(step) {
            let rows = first..(first + step).min(tensor.rows());
            self.read(tensor, rows, &mut raw, &mut values)?;
            piece(first, &values);
        }
        Ok(())
    }

    fn read(
        &self,
        tensor: &Tensor,
        rows: Range<usize>,
        raw: &mut Raw,
        values: &mut Vec<f32>,
    ) -> Result<(), WeightsError> {
        if rows.start > rows.end || rows.end > tensor.rows() {
            return Err(WeightsError::Rows {
                name: tensor.name.clone(),
                from: rows.start,
                to: rows.end,
                rows: tensor.rows(),
            });
        }
        let (path, file) = &self.files[tensor.file];
        let row = tensor.row_bytes();
        let bytes = raw.bytes(rows.len() * row);
        fetch(file, tensor.offset + (rows.start * row) as u64, bytes).map_err(|source| WeightsError::Read {
            path: path.clone(),
            name: tensor.name.clone(),
            source,
        })?;
        values.clear();
        values.resize(rows.len() * tensor.columns(), 0.0);
        if to_f32(tensor.format, raw, values) {
            Ok(())
        } else {
            Err(WeightsError::Format {
                path: path.clone(),
                name: tensor.name.clone(),
                format: tensor.format_name(),
            })
        }
    }

    fn no_field(&self, key: &str) -> WeightsError {
        WeightsError::NoField {
            path: self.path().to_owned(),
            key: key.to_owned(),
        }
    }
}

fn fetch(file: &Mutex<File>, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}
