//! What a file says of itself, and its bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::Problem;
use super::{Field, Format, FormatError, GgufError, parse};

/// Rows are read so many bytes at a time, or one by one where they are longer.
const PIECE: usize = 1 << 20;

/// A tensor in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, such as `blk.0.ffn_down.weight`.
    pub name: String,
    /// Numbers per dimension, the contiguous one first.
    pub dimensions: Vec<usize>,
    /// How its numbers are stored.
    pub format: Format,
    /// Where it begins in its file.
    pub(super) offset: u64,
    row_bytes: usize,
}

impl Entry {
    /// Fails where a row is no whole number of blocks.
    pub(super) fn new(name: String, dimensions: Vec<usize>, format: Format, offset: u64) -> Result<Self, FormatError> {
        let row_bytes = format.row_bytes(dimensions.first().copied().unwrap_or(1))?;
        Ok(Self {
            name,
            dimensions,
            format,
            offset,
            row_bytes,
        })
    }

    /// Numbers in a row.
    pub fn columns(&self) -> usize {
        self.dimensions.first().copied().unwrap_or(1)
    }

    /// Rows, over all further dimensions.
    pub fn rows(&self) -> usize {
        self.dimensions.iter().skip(1).product()
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// Bytes of all rows.
    pub fn bytes(&self) -> u64 {
        (self.rows() as u64).saturating_mul(self.row_bytes as u64)
    }
}

/// An open file: its fields, its tensors, and access to their bytes.
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    file: Mutex<File>,
    pub(super) header: parse::Header,
}

impl std::fmt::Debug for parse::Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Header")
            .field("version", &self.version)
            .field("fields", &self.fields.len())
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

impl Gguf {
    /// Reads a file's header. One of several files of a model is refused.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let file = File::open(path).map_err(|source| GgufError::Read {
            path: path.to_owned(),
            source,
        })?;
        let header = parse::read(path, &file)?;
        let file = Self {
            path: path.to_owned(),
            file: Mutex::new(file),
            header,
        };
        match file.field("split.count").and_then(Field::as_number) {
            Some(count) if count > 1 => Err(GgufError::Split {
                path: path.to_owned(),
                count,
            }),
            _ => Ok(file),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A field.
    pub fn field(&self, key: &str) -> Option<&Field> {
        let found = self.header.fields.iter().find(|(name, _)| name == key);
        found.map(|(_, field)| field)
    }

    /// Keys and values of all fields, in the order of the file.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.header.fields.iter().map(|(key, field)| (key.as_str(), field))
    }

    /// A field that must be a text.
    pub fn text(&self, key: &str) -> Result<&str, GgufError> {
        let text = self.field(key).and_then(Field::as_text);
        text.ok_or_else(|| self.no_field(key, "a text"))
    }

    /// A field that must be a whole number.
    pub fn number(&self, key: &str) -> Result<u64, GgufError> {
        let number = self.field(key).and_then(Field::as_number);
        number.ok_or_else(|| self.no_field(key, "a whole number"))
    }

    /// `general.architecture`.
    pub fn architecture(&self) -> Result<&str, GgufError> {
        self.text("general.architecture")
    }

    /// Every tensor, in the order of the file.
    pub fn tensors(&self) -> &[Entry] {
        &self.header.tensors
    }

    /// Whether it has a tensor.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// A tensor.
    pub fn tensor(&self, name: &str) -> Result<&Entry, GgufError> {
        self.find(name).ok_or_else(|| GgufError::NoTensor {
            path: self.path.clone(),
            name: name.to_owned(),
            similar: self.similar(name),
        })
    }

    /// Hands a tensor's rows over one by one, as bytes that may be changed: a row's number and its bytes.
    pub fn each_row(
        &self,
        tensor: &Entry,
        mut row: impl FnMut(usize, &mut [u8]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let width = tensor.row_bytes.max(1);
        let step = (PIECE / width).max(1);
        let mut bytes = Vec::new();
        for first in (0..tensor.rows()).step_by(step) {
            let rows = step.min(tensor.rows() - first);
            bytes.resize(rows * width, 0);
            self.fetch(tensor.offset + (first * width) as u64, &mut bytes)?;
            for (nth, bytes) in bytes.chunks_exact_mut(width).enumerate() {
                row(first + nth, bytes)?;
            }
        }
        Ok(())
    }

    /// BLAKE3 over the fields and the list of tensors, in hex: what the model is, without its numbers.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (key, field) in &self.header.fields {
            hasher.update(key.as_bytes());
            hasher.update(&field.kind.to_le_bytes());
            hasher.update(&field.bytes);
        }
        for tensor in &self.header.tensors {
            hasher.update(tensor.name.as_bytes());
            hasher.update(&tensor.format.number().to_le_bytes());
            for &size in &tensor.dimensions {
                hasher.update(&(size as u64).to_le_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    pub(super) fn fetch(&self, offset: u64, bytes: &mut [u8]) -> Result<(), GgufError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = || -> io::Result<()> {
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(bytes)
        };
        read().map_err(|source| GgufError::Read {
            path: self.path.clone(),
            source,
        })
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        self.header.tensors.iter().find(|tensor| tensor.name == name)
    }

    fn no_field(&self, key: &str, kind: &'static str) -> GgufError {
        GgufError::NoField {
            path: self.path.clone(),
            key: key.to_owned(),
            kind,
        }
    }

    fn similar(&self, name: &str) -> Vec<String> {
        let names = self.header.tensors.iter().map(|tensor| &tensor.name);
        let mut scored: Vec<(f64, &String)> = names
            .map(|other| (strsim::normalized_levenshtein(name, other), other))
            .filter(|(score, _)| *score > 0.6)
            .collect();
        scored.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.cmp(right.1)));
        scored.into_iter().take(4).map(|(_, name)| name.clone()).collect()
    }
}
