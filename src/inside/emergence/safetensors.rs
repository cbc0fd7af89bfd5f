//! Weights of Hugging Face checkpoints: one safetensors file, or a folder of them, in f32, f16 or bf16.
//!
//! Headers are read when a checkpoint is opened, rows when they are asked for, so that a model larger than memory can be sampled. The format's
//! library parses the header; it would want the whole file in memory (or mapped, which needs `unsafe`) to read tensors.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use half::{bf16, f16};
use safetensors::{Dtype, tensor::Metadata};

use super::{
    names::{self, Heads, Listed, Stored},
    open::OpenError,
    shape::{Projection, Shape},
    weights::{ReadError, Weights},
};

/// A checkpoint of a llama-, gemma-, qwen- or GPT-NeoX-style model.
#[derive(Debug)]
pub struct Safetensors {
    shape: Shape,
    places: Vec<BTreeMap<Projection, Stored>>,
    tensors: BTreeMap<String, Tensor>,
    files: Vec<(PathBuf, Mutex<File>)>,
}

/// Where a tensor's numbers lie.
#[derive(Clone, Copy, Debug)]
struct Tensor {
    file: usize,
    /// From the beginning of the file.
    start: u64,
    columns: usize,
    number: Number,
}

#[derive(Clone, Copy, Debug)]
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
        into.clear();
        match self {
            Self::F32 => into.extend(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes))),
            Self::F16 => into.extend(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|bytes| f16::from_le_bytes(*bytes).to_f32()),
            ),
            Self::Bf16 => into.extend(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|bytes| bf16::from_le_bytes(*bytes).to_f32()),
            ),
        }
    }
}

/// A header longer than this is none: the format's own limit.
const LONGEST_HEADER: u64 = 100_000_000;

impl Safetensors {
    /// Opens a `.safetensors` file, or all of a folder's. A `config.json` beside them tells the architecture's name and its heads.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |cause| OpenError::Io { path, cause }
        };
        let (folder, paths) = if path.is_dir() {
            let mut paths: Vec<PathBuf> = Vec::new();
            for entry in std::fs::read_dir(path).map_err(io(path))? {
                let file = entry.map_err(io(path))?.path();
                if file.extension().is_some_and(|extension| extension == "safetensors") {
                    paths.push(file);
                }
            }
            paths.sort();
            (path, paths)
        } else {
            (path.parent().unwrap_or(path), vec![path.to_owned()])
        };
        if paths.is_empty() {
            return Err(OpenError::Empty { path: path.to_owned() });
        }
        let (mut tensors, mut listed, mut files) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for file in paths {
            let mut open = File::open(&file).map_err(io(&file))?;
            let (header, metadata) = header(&file, &mut open)?;
            for (name, info) in metadata.tensors() {
                // Biases and norms are vectors; maps are all that is looked at.
                let &[rows, columns] = info.shape.as_slice() else {
                    continue;
                };
                let (from, to) = info.data_offsets;
                let precision = format!("{:?}", info.dtype);
                let start = header + from as u64;
                // Kinds that are not read are an error where a map of a block has them, not where an embedding does.
                if let Some(number) = Number::of(info.dtype) {
                    if to - from != rows * columns * number.bytes() {
                        let reason = format!("`{name}` has another size than its shape says");
                        return Err(OpenError::Malformed { path: file, reason });
                    }
                    tensors.insert(
                        name.clone(),
                        Tensor {
                            file: files.len(),
                            start,
                            columns,
                            number,
                        },
                    );
                }
                listed.insert(
                    name,
                    Listed {
                        rows,
                        columns,
                        precision,
                    },
                );
            }
            files.push((file, Mutex::new(open)));
        }
        let (architecture, heads) = configuration(&folder.join("config.json"))?;
        let named = |cause| OpenError::Names {
            path: path.to_owned(),
            cause,
        };
        let blocks = names::hugging_face::blocks(&listed, heads).map_err(named)?;
        let stored = blocks.iter().flat_map(|block| block.places.values());
        if let Some(place) = stored.into_iter().find(|place| !tensors.contains_key(&place.tensor)) {
            let kind = listed
                .get(&place.tensor)
                .map_or_else(String::new, |listed| listed.precision.clone());
            return Err(OpenError::Kind {
                path: path.to_owned(),
                tensor: place.tensor.clone(),
                kind,
            });
        }
        let (shapes, places) = blocks.into_iter().map(|block| (block.shape, block.places)).unzip();
        let fits = |cause| OpenError::Shape {
            path: path.to_owned(),
            cause,
        };
        Ok(Self {
            shape: Shape::new(architecture, shapes).map_err(fits)?,
            places,
            tensors,
            files,
        })
    }

    /// The files that the checkpoint is in.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    fn read(&self, place: &Stored, rows: &[usize], visit: &mut dyn FnMut(usize, &[f32])) -> io::Result<()> {
        let tensor = self.tensors.get(&place.tensor).ok_or(io::ErrorKind::NotFound)?;
        let width = tensor.columns * tensor.number.bytes();
        let (mut bytes, mut values) = (Vec::new(), Vec::with_capacity(tensor.columns));
        let mut left = rows;
        while let Some(&first) = left.first() {
            // Neighbours are read together, up to a few megabytes.
            let most = (BATCH / width.max(1)).max(1);
            let from = place.rows.stored(first);
            let run = left
                .iter()
                .enumerate()
                .take(most)
                .take_while(|(k, row)| place.rows.stored(**row) == from + k);
            let (run, rest) = left.split_at(run.count());
            bytes.resize(run.len() * width, 0);
            {
                let mut file = self.files[tensor.file].1.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(tensor.start + (from * width) as u64))?;
                file.read_exact(&mut bytes)?;
            }
            for (row, bytes) in run.iter().zip(bytes.chunks_exact(width.max(1))) {
                tensor.number.decode(bytes, &mut values);
                visit(*row, &values);
            }
            left = rest;
        }
        Ok(())
    }
}

/// Bytes read at once.
const BATCH: usize = 4 << 20;

/// Where a file's numbers begin, and what they are.
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

/// The architecture's name and its heads, as far as `config.json` tells.
fn configuration(path: &Path) -> Result<(String, Heads), OpenError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(("safetensors".to_owned(), Heads::default()));
        }
        Err(cause) => {
            return Err(OpenError::Io {
                path: path.to_owned(),
                cause,
            });
        }
    };
    let all: serde_json::Value = serde_json::from_slice(&text).map_err(|cause| OpenError::Configuration {
        path: path.to_owned(),
        cause,
    })?;
    let name = all["model_type"].as_str().unwrap_or("safetensors").to_owned();
    // Models for text and images keep what concerns text one level deeper.
    let of_text = if all["text_config"].is_object() {
        &all["text_config"]
    } else {
        &all
    };
    let number = |key: &str| of_text[key].as_u64().and_then(|number| usize::try_from(number).ok());
    let count = number("num_attention_heads").filter(|count| *count > 0);
    let size = number("head_dim").or_else(|| Some(number("hidden_size")? / count?));
    Ok((name, Heads { count, size }))
}

impl Weights for Safetensors {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn visit_rows(
        &self,
        block: usize,
        projection: Projection,
        rows: &[usize],
        visit: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), ReadError> {
        let place = self.places.get(block).and_then(|places| places.get(&projection));
        let file = place
            .and_then(|place| self.tensors.get(&place.tensor))
            .map_or(0, |tensor| tensor.file);
        let failed = |cause: io::Error| ReadError {
            block,
            projection,
            origin: self.files[file].0.display().to_string(),
            cause: Box::new(cause),
        };
        let place = place.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        self.read(place, rows, visit).map_err(failed)
    }
}
