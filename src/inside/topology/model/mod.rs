//! Models as files: GGUF, which llama.cpp runs, and Hugging Face checkpoints in safetensors, as training leaves them. Both are read by rows, so that a
//! model need not fit in memory.

mod checkpoint;
mod config;
mod error;
mod gguf;
mod names;

use std::error::Error;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use checkpoint::Checkpoint;
pub use error::OpenError;

use super::decoder::{Decoder, Heads, Wiring};
use super::record::Subject;
use super::text::Norm;
use super::weights::{Shape, Weights};
use crate::llama;

/// An opened model.
#[derive(Debug)]
pub enum Source {
    /// A GGUF file, or the first of several.
    Gguf(llama::Weights),
    /// A safetensors file with its `config.json`, or a folder of them.
    Checkpoint(Checkpoint),
}

impl Source {
    /// Opens a GGUF file, a `.safetensors` file or a folder with a checkpoint. Headers are read, weights are not.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() || extension == Some("safetensors") {
            Checkpoint::open(path).map(Self::Checkpoint)
        } else {
            Ok(Self::Gguf(llama::Weights::open(path)?))
        }
    }

    /// The path that was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Gguf(weights) => weights.path(),
            Self::Checkpoint(checkpoint) => checkpoint.path(),
        }
    }

    /// `general.architecture`, or `model_type` of a checkpoint.
    pub fn architecture(&self) -> Result<String, OpenError> {
        match self {
            Self::Gguf(weights) => Ok(weights.architecture()?.to_owned()),
            Self::Checkpoint(checkpoint) => Ok(checkpoint.config().model_type.clone()),
        }
    }

    /// Where the blocks' matrices are.
    pub fn decoder(&self) -> Result<Decoder, OpenError> {
        let (heads, wiring) = self.layout()?;
        let decoder = match self {
            Self::Gguf(weights) => Decoder::find(weights, heads, wiring),
            Self::Checkpoint(checkpoint) => Decoder::find(checkpoint, heads, wiring),
        };
        decoder.map_err(|cause| OpenError::Decoder {
            path: self.path().to_owned(),
            cause,
        })
    }

    fn layout(&self) -> Result<(Heads, Wiring), OpenError> {
        match self {
            Self::Gguf(weights) => Ok((gguf::heads(weights)?, gguf::wiring(weights)?)),
            Self::Checkpoint(checkpoint) => Ok((checkpoint.config().heads, checkpoint.config().wiring)),
        }
    }

    /// How the model normalises what its FFNs read; only GGUF files say, and only they are run.
    pub(super) fn norm(&self) -> Result<Norm, OpenError> {
        match self {
            Self::Gguf(weights) => gguf::norm(weights),
            Self::Checkpoint(checkpoint) => Err(OpenError::NotRun {
                path: checkpoint.path().to_owned(),
            }),
        }
    }

    /// The files that make the model.
    fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Gguf(weights) => weights.paths().map(Path::to_owned).collect(),
            Self::Checkpoint(checkpoint) => checkpoint.files().map(Path::to_owned).collect(),
        }
    }

    /// Names the model for records, with the SHA-256 of its file; of several files, of their bytes one after another.
    pub fn subject(&self) -> Result<Subject, OpenError> {
        let mut hasher = Sha256::new();
        for file in self.files() {
            let mut open = || io::copy(&mut File::open(&file)?, &mut Hashing(&mut hasher));
            open().map_err(|cause| OpenError::Io {
                path: file.clone(),
                cause,
            })?;
        }
        Ok(Subject {
            file: file_name(self.path()),
            file_sha256: Some(hex(&hasher.finalize())),
            architecture: Some(self.architecture()?),
        })
    }
}

/// A hasher as something to write to.
struct Hashing<'h>(&'h mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// SHA-256 of bytes, in hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A path's last part: records name files, not folders.
pub(super) fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

impl Weights for Source {
    type Value = f32;

    fn shape(&self, tensor: &str) -> Option<Shape> {
        match self {
            Self::Gguf(weights) => Weights::shape(weights, tensor),
            Self::Checkpoint(checkpoint) => checkpoint.shape(tensor),
        }
    }

    fn read(&self, tensor: &str, rows: Range<usize>, into: &mut Vec<f32>) -> Result<(), Box<dyn Error + Send + Sync>> {
        match self {
            Self::Gguf(weights) => Weights::read(weights, tensor, rows, into),
            Self::Checkpoint(checkpoint) => checkpoint.read(tensor, rows, into),
        }
    }
}
