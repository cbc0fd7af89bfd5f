//! Hugging Face checkpoints: safetensors in f32, f16 or bf16, seen under GGUF names.
//!
//! Headers are read when a checkpoint is opened and rows when they are asked for. The format's library parses the header; to read tensors it would
//! want the whole file in memory.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use half::{bf16, f16};
use safetensors::{Dtype, tensor::Metadata};

use super::OpenError;
use super::config::Configuration;
use super::names::{Names, Part};
use crate::inside::topology::weights::{Shape, Weights};

/// A checkpoint of a llama-, gemma-, qwen-, phi- or GPT-NeoX-style model.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    config: Configuration,
    files: Vec<(PathBuf, Mutex<File>)>,
    /// Under GGUF names.
    tensors: BTreeMap<String, Tensor>,
}

/// A tensor, one row of pieces after another.
#[derive(Debug)]
struct Tensor {
    shape: Shape,
    pieces: Vec<Piece>,
    /// Added to every number: 1 to the gains of Gemma's norms.
    plus: f32,
}

/// Rows that lie one after another in a file.
#[derive(Debug, Clone, Copy)]
struct Piece {
    rows: usize,
    file: usize,
    /// From the beginning of the file.
    start: u64,
    number: Number,
}

/// A tensor as it lies in a file.
#[derive(Debug, Clone, Copy)]
struct Stored {
    shape: Shape,
    piece: Piece,
}

#[derive(Debug, Clone, Copy)]
enum Number {
    F32,
    F16,
    Bf16,
}

impl Number {
    fn of(kind: Dtype) -> Option<Self> {
        match kind {
            Dtype::F32 => Some(Self::F32),
            Dtype::F16 => Some(Self::F16),
            Dtype::BF16 => Some(Self::Bf16),
            _ => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    fn decode(self, bytes: &[u8], into: &mut Vec<f32>) {
        match self {
            Self::F32 => into.extend(bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes))),
            Self::F16 => into.extend(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|&bytes| f16::from_le_bytes(bytes).to_f32()),
            ),
            Self::Bf16 => into.extend(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|&bytes| bf16::from_le_bytes(bytes).to_f32()),
            ),
        }
    }
}

/// A header longer than this is none: the format's own limit.
const LONGEST_HEADER: u64 = 100_000_000;

impl Checkpoint {
    /// Opens a `.safetensors` file, or all of a folder's, with the `config.json` beside them.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let (folder, paths) = if path.is_dir() {
            (path, parts(path)?)
        } else {
            (path.parent().unwrap_or(path), vec![path.to_owned()])
        };
        let config = Configuration::read(&folder.join("config.json"))?;
        let (mut stored, mut files, mut unread) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        for file in paths {
            let mut open = File::open(&file).map_err(|cause| OpenError::Io {
                path: file.clone(),
                cause,
            })?;
            let (start, metadata) = header(&file, &mut open)?;
            for (name, info) in metadata.tensors() {
                // A vector is one row; a scalar is of no interest.
                let (rows, columns) = match info.shape[..] {
                    [columns] => (1, columns),
                    [rows, columns] => (rows, columns),
                    _ => continue,
                };
                let Some(number) = Number::of(info.dtype) else {
                    unread.insert(name, (file.clone(), format!("{:?}", info.dtype)));
                    continue;
                };
                let piece = Piece {
                    rows,
                    file: files.len(),
                    start: start + info.data_offsets.0 as u64,
                    number,
                };
                let shape = Shape { rows, columns };
                stored.insert(name, Stored { shape, piece });
            }
            files.push((file, Mutex::new(open)));
        }
        let checkpoint = Self {
            path: path.to_owned(),
            config,
            files,
            tensors: BTreeMap::new(),
        };
        let all = stored.keys().chain(unread.keys()).map(String::as_str);
        let names = Names::new(&all).ok_or_else(|| OpenError::Family { path: path.to_owned() })?;
        let unfit = unread.iter().find(|(name, _)| names.translate(name).is_some());
        if let Some((tensor, (path, kind))) = unfit {
            return Err(OpenError::Kind {
                path: path.clone(),
                tensor: tensor.clone(),
                kind: kind.clone(),
            });
        }
        checkpoint.with(&names, &stored)
    }

    /// Puts what is stored under GGUF names.
    fn with(mut self, names: &Names<'_>, stored: &BTreeMap<String, Stored>) -> Result<Self, OpenError> {
        let mut experts: BTreeMap<String, BTreeMap<usize, Stored>> = BTreeMap::new();
        for (name, stored) in stored {
            let Some((gguf, part)) = names.translate(name) else {
                continue;
            };
            let pieces = match part {
                Part::Whole => vec![stored.piece],
                Part::ByHead => self.by_head(name, *stored)?,
                Part::Expert(expert) => {
                    experts.entry(gguf).or_default().insert(expert, *stored);
                    continue;
                }
            };
            let gain = gguf.ends_with("norm.weight") && self.config.gains_from_one();
            // A fused bias is a vector whose "rows" are its numbers; it is one row again when its pieces are put together.
            let tensor = Tensor {
                shape: stored.shape,
                pieces,
                plus: if gain { 1.0 } else { 0.0 },
            };
            self.tensors.insert(gguf, tensor);
        }
        for (gguf, experts) in experts {
            let columns = experts.values().next().map_or(0, |stored| stored.shape.columns);
            let alike = |stored: &Stored| stored.shape.columns == columns;
            if !experts.keys().copied().eq(0..experts.len()) || !experts.values().all(alike) {
                return Err(OpenError::Experts {
                    path: self.path,
                    tensor: gguf,
                });
            }
            let pieces: Vec<Piece> = experts.values().map(|stored| stored.piece).collect();
            let rows = pieces.iter().map(|piece| piece.rows).sum();
            let shape = Shape { rows, columns };
            let tensor = Tensor {
                shape,
                pieces,
                plus: 0.0,
            };
            self.tensors.insert(gguf, tensor);
        }
        Ok(self)
    }

    /// All heads' queries, then their keys, then their values, from rows that go head by head.
    fn by_head(&self, name: &str, stored: Stored) -> Result<Vec<Piece>, OpenError> {
        // A bias's numbers are moved like a matrix's rows.
        let vector = stored.shape.rows == 1;
        let (rows, width) = if vector {
            (stored.shape.columns, 1)
        } else {
            (stored.shape.rows, stored.shape.columns)
        };
        let heads = self.config.heads.query;
        let head = rows / (3 * heads);
        if head * 3 * heads != rows {
            return Err(OpenError::Indivisible {
                path: self.path.clone(),
                tensor: name.to_owned(),
                rows,
                heads,
            });
        }
        let bytes = width * stored.piece.number.bytes();
        let piece = |part: usize, number: usize| Piece {
            rows: head,
            start: stored.piece.start + ((number * 3 + part) * head * bytes) as u64,
            ..stored.piece
        };
        let parts = 0..3;
        Ok(parts
            .flat_map(|part| (0..heads).map(move |number| (part, number)))
            .map(|(part, number)| piece(part, number))
            .collect())
    }

    /// The path that was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `config.json` says.
    #[must_use]
    pub fn config(&self) -> &Configuration {
        &self.config
    }

    /// The files that make the checkpoint.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    fn fetch(&self, piece: &Piece, skip: usize, rows: usize, width: usize, into: &mut Vec<f32>) -> io::Result<()> {
        let row = width * piece.number.bytes();
        let mut bytes = vec![0; rows * row];
        {
            let mut file = self.files[piece.file].1.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(piece.start + (skip * row) as u64))?;
            file.read_exact(&mut bytes)?;
        }
        piece.number.decode(&bytes, into);
        Ok(())
    }
}

impl Weights for Checkpoint {
    type Value = f32;

    fn shape(&self, tensor: &str) -> Option<Shape> {
        self.tensors.get(tensor).map(|tensor| tensor.shape)
    }

    fn read(&self, tensor: &str, rows: Range<usize>, into: &mut Vec<f32>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let found = self
            .tensors
            .get(tensor)
            .ok_or_else(|| format!("there is no tensor `{tensor}`"))?;
        into.clear();
        // The pieces of a vector are runs of its numbers.
        let vector = found.shape.rows == 1 && found.pieces.len() > 1;
        let (rows, width) = if vector {
            (rows.start * found.shape.columns..rows.end * found.shape.columns, 1)
        } else {
            (rows, found.shape.columns)
        };
        let mut first = 0;
        for piece in &found.pieces {
            let end = first + piece.rows;
            let (from, to) = (rows.start.clamp(first, end), rows.end.clamp(first, end));
            if from < to {
                let path = &self.files[piece.file].0;
                self.fetch(piece, from - first, to - from, width, into)
                    .map_err(|error| format!("could not read `{}`: {error}", path.display()))?;
            }
            first = end;
        }
        for value in into.iter_mut() {
            *value += found.plus;
        }
        Ok(())
    }
}

/// The `.safetensors` files of a folder, by name.
fn parts(folder: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let io = |cause| OpenError::Io {
        path: folder.to_owned(),
        cause,
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let file = entry.map_err(io)?.path();
        if file.extension().is_some_and(|extension| extension == "safetensors") {
            paths.push(file);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(OpenError::Empty {
            path: folder.to_owned(),
        });
    }
    Ok(paths)
}

/// Where a file's numbers begin, and what they are. The library checks that offsets and shapes agree.
fn header(path: &Path, file: &mut File) -> Result<(u64, Metadata), OpenError> {
    let io = |cause| OpenError::Io {
        path: path.to_owned(),
        cause,
    };
    let malformed = |reason: String| OpenError::Malformed {
        path: path.to_owned(),
        reason,
    };
    let length = file.metadata().map_err(io)?.len();
    let mut size = [0; 8];
    file.read_exact(&mut size)
        .map_err(|_| malformed("it is shorter than its header".to_owned()))?;
    let size = u64::from_le_bytes(size);
    if size > LONGEST_HEADER || size + 8 > length {
        return Err(malformed(format!(
            "it has {length} bytes, and its header would have {size}"
        )));
    }
    let mut text = Vec::new();
    file.take(size).read_to_end(&mut text).map_err(io)?;
    let metadata: Metadata = serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
    let expected = 8 + size + metadata.data_len() as u64;
    if expected != length {
        return Err(malformed(format!("it has {length} bytes of {expected}")));
    }
    Ok((8 + size, metadata))
}
