//! A model's weights from whatever file it is in.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{gguf::Gguf, names::NameError, safetensors::Safetensors, shape::ShapeError, weights::Weights};
use crate::llama::WeightsError;

/// A model whose files are open.
pub struct Opened {
    /// Its weights.
    pub weights: Box<dyn Weights>,
    /// Its files.
    pub files: Vec<PathBuf>,
}

/// Opens a GGUF file (the first of several), a safetensors file, or a folder of safetensors files. Only headers are read.
pub fn open(path: &Path) -> Result<Opened, OpenError> {
    let is_safetensors = || path.extension().is_some_and(|extension| extension == "safetensors");
    if path.is_dir() || (is_safetensors() && first_bytes(path)? != b"GGUF") {
        let weights = Safetensors::open(path)?;
        return Ok(Opened {
            files: weights.files().map(Path::to_owned).collect(),
            weights: Box::new(weights),
        });
    }
    if first_bytes(path)? != b"GGUF" {
        return Err(OpenError::Neither { path: path.to_owned() });
    }
    let weights = Gguf::open(path)?;
    Ok(Opened {
        files: weights.files().map(Path::to_owned).collect(),
        weights: Box::new(weights),
    })
}

fn first_bytes(path: &Path) -> Result<Vec<u8>, OpenError> {
    let io = |cause| OpenError::Io {
        path: path.to_owned(),
        cause,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(io)?
        .take(4)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    Ok(bytes)
}

/// Why a checkpoint cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A GGUF file that cannot be read.
    #[error(transparent)]
    Gguf(#[from] WeightsError),
    /// A file of another kind.
    #[error("`{path}` is neither a GGUF file nor a safetensors file: its first bytes are no header of either")]
    Neither {
        /// The file.
        path: PathBuf,
    },
    /// A file that cannot be read.
    #[error("could not read `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        cause: io::Error,
    },
    /// A folder without checkpoint.
    #[error("there is no `.safetensors` file in `{path}`")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is no safetensors file, or a part of one.
    #[error("`{path}` is not a whole safetensors file: {reason}; fetch it again")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A `config.json` that is not JSON.
    #[error("could not read `{path}` as JSON")]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        cause: serde_json::Error,
    },
    /// Numbers of another kind.
    #[error(
        "`{tensor}` in `{path}` holds {kind} numbers; only F32, F16 and BF16 are read, so convert the checkpoint to one of them"
    )]
    Kind {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its kind of number.
        kind: String,
    },
    /// Names of another family.
    #[error("could not find the blocks of `{path}`: {cause}")]
    Names {
        /// What was opened.
        path: PathBuf,
        /// Why not.
        cause: NameError,
    },
    /// Maps that do not make a transformer.
    #[error("the maps of `{path}` do not fit together: {cause}")]
    Shape {
        /// What was opened.
        path: PathBuf,
        /// Why not.
        cause: ShapeError,
    },
}
