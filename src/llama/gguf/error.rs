//! What can go wrong with a file.

use std::io;
use std::path::PathBuf;

use super::FormatError;

/// Whatever went wrong in making a tensor.
pub type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Failures to read or write a GGUF file.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The file cannot be read.
    #[error("failed to read `{path}`: {source}; if it is shorter than it should be, download it again")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("`{path}` is no GGUF file that can be read: at byte {at}, {problem}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where.
        at: u64,
        /// What is wrong there.
        problem: String,
    },
    /// One of several files of a model.
    #[error(
        "`{path}` is one of {count} files of a model; put them together first (`llama-gguf-split --merge FIRST OUT`)"
    )]
    Split {
        /// The file.
        path: PathBuf,
        /// How many.
        count: u64,
    },
    /// The file lacks a tensor.
    #[error("`{path}` has no tensor `{name}`{}", hint(similar))]
    NoTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Tensors with a similar name.
        similar: Vec<String>,
    },
    /// The file lacks a field, or it is of another kind.
    #[error("`{path}` has no field `{key}` that is {kind}; convert the model anew with a current converter")]
    NoField {
        /// The file.
        path: PathBuf,
        /// The field.
        key: String,
        /// What it should be.
        kind: &'static str,
    },
    /// A tensor that is there already.
    #[error("tensor `{0}` is there already; give each tensor once")]
    Repeated(String),
    /// A tensor whose name or shape no file can have.
    #[error("tensor `{name}` cannot be written: {problem}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A tensor's numbers cannot be made.
    #[error("failed to make tensor `{name}`: {source}")]
    Made {
        /// The tensor.
        name: String,
        /// What went wrong.
        source: Problem,
    },
    /// A tensor's numbers cannot be stored.
    #[error("failed to store tensor `{name}`: {source}")]
    Stored {
        /// The tensor.
        name: String,
        /// Why not.
        source: FormatError,
    },
    /// The result cannot be written.
    #[error("failed to write `{path}`: {source}; check that the folder exists, may be written and has room")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The result would replace what it is made from.
    #[error("`{0}` is the file that is read; write the result to another one")]
    Same(PathBuf),
    /// The file is no adapter.
    #[error("`{path}` is no LoRA adapter: {problem}")]
    NoAdapter {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

fn hint(similar: &[String]) -> String {
    if similar.is_empty() {
        return "; it has none with a similar name".to_owned();
    }
    let quoted: Vec<String> = similar.iter().map(|name| format!("`{name}`")).collect();
    format!("; similar ones are {}", quoted.join(", "))
}
