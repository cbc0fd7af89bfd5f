//! Which model file numbers come from.

use std::collections::HashMap;
use std::path::Path;

use super::rule::ModelId;
use crate::fetch::verify::hash_file;
use crate::llama::{Weights, WeightsError};

/// Failures to identify a model.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read.
    #[error("failed to read the model file `{path}`: {source}")]
    Read {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its header cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl ModelId {
    /// Hashes a model file, and reads from its header what it is. Its name is the one it was asked for by, or the file's where that was a path; its
    /// quantisation is the format that most of its weights have.
    pub fn of(path: &Path, asked: &str) -> Result<Self, IdentityError> {
        let sha256 = hash_file(path, |_| {}).map_err(|source| IdentityError::Read {
            path: path.to_owned(),
            source,
        })?;
        let weights = Weights::open(path)?;
        let mut formats: HashMap<String, usize> = HashMap::new();
        for tensor in weights.tensors() {
            *formats.entry(tensor.format_name()).or_default() += tensor.rows() * tensor.columns();
        }
        let most = formats
            .into_iter()
            .max_by_key(|(name, numbers)| (*numbers, name.clone()));
        let name = if Path::new(asked) == path {
            path.file_stem()
                .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
        } else {
            asked.to_owned()
        };
        Ok(Self {
            name,
            sha256,
            architecture: weights.architecture()?.to_owned(),
            quantisation: most.map_or_else(String::new, |(name, _)| name.to_uppercase()),
        })
    }
}
