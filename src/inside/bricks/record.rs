//! Brick records: what is known of a brick, as JSON (spec §1.1).
//!
//! A registry is a folder of records beside adapter files. Every operation writes a new record whose parents say what it was made of.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    UnitSet,
    export::{WriteError, write_json},
};

/// The format that this version writes; newer ones are refused.
pub const VERSION: u32 = 1;

/// What is known of a brick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brick {
    /// The format's version.
    pub version: u32,
    /// Its name, unique in a registry.
    pub id: String,
    /// The hash over the model's metadata and tensor list.
    pub model_fingerprint: String,
    /// The model's `general.architecture`.
    pub architecture: String,
    /// What it is made of.
    pub members: Members,
    /// Where it comes from.
    pub provenance: Provenance,
    /// What was measured.
    #[serde(default)]
    pub scores: Scores,
    /// The program and version that wrote the record.
    pub created_by: String,
    /// The bricks that it was made of.
    #[serde(default)]
    pub parents: Vec<String>,
}

/// What a brick is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Members {
    /// Units of the model.
    UnitSet {
        /// Which.
        units: UnitSet,
    },
    /// Tensors of the model: a layer, a head, an expert of a mixture.
    Tensors {
        /// Their names.
        names: Vec<String>,
    },
    /// A low-rank adapter in a file.
    Lora {
        /// The file, relative to the record.
        file: PathBuf,
    },
    /// A control vector in a file.
    ControlVector {
        /// The file, relative to the record.
        file: PathBuf,
    },
    /// A whole model.
    Model {
        /// The file, relative to the record.
        file: PathBuf,
    },
    /// Signatures that choose among bricks.
    Router {
        /// The file, relative to the record.
        file: PathBuf,
    },
}

/// Where a brick comes from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provenance {
    /// The sets of texts.
    pub datasets: Vec<String>,
    /// The function.
    pub function: Option<String>,
    /// How units were scored, or what the operation was.
    pub score: Option<String>,
    /// Units per layer.
    pub units_per_layer: Option<usize>,
    /// What random choices were drawn from.
    pub seed: Option<u64>,
}

/// What was measured of a brick.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scores {
    /// The mean score of its units for the function.
    pub function_score_mean: Option<f64>,
    /// The share of the function's instances on which it is active.
    pub coverage: Option<f64>,
    /// How few of the bricks a text needs.
    pub sparsity: Option<f64>,
    /// How far other bricks make up for it.
    pub coupling: Option<f64>,
}

/// A record or a registry that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read.
    #[error("failed to read brick record `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no record.
    #[error("`{path}:{line}` is no brick record: {source}; write it anew with the command that made it")]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// A newer format.
    #[error(
        "`{path}` has version {found}, and this program reads up to {VERSION}; use the version that wrote it, or a newer one"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Two records of one name.
    #[error("`{first}` and `{second}` both describe brick `{id}`; give one of them another id")]
    Repeated {
        /// The id.
        id: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

/// Only the version: fields of a newer one are not known.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

impl Brick {
    /// Reads a record.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let text = fs::read_to_string(path).map_err(|source| RecordError::Read {
            path: path.into(),
            source,
        })?;
        let parse = |source: serde_json::Error| RecordError::Parse {
            path: path.into(),
            line: source.line(),
            source,
        };
        let head: Head = serde_json::from_str(&text).map_err(parse)?;
        if head.version > VERSION {
            return Err(RecordError::Version {
                path: path.into(),
                found: head.version,
            });
        }
        serde_json::from_str(&text).map_err(parse)
    }

    /// Writes `<id>.json` into a registry's folder, whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, WriteError> {
        let path = folder.join(format!("{}.json", self.id));
        write_json(&path, self)?;
        Ok(path)
    }
}

/// All records (`*.json`) of a folder with their files, by id.
pub fn read_registry(folder: &Path) -> Result<Vec<(PathBuf, Brick)>, RecordError> {
    let failed = |source| RecordError::Read {
        path: folder.into(),
        source,
    };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut bricks: Vec<(PathBuf, Brick)> = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let brick = Brick::read(&path)?;
            bricks.push((path, brick));
        }
    }
    bricks.sort_by(|left, right| left.1.id.cmp(&right.1.id).then_with(|| left.0.cmp(&right.0)));
    match bricks.windows(2).find(|pair| pair[0].1.id == pair[1].1.id) {
        Some([(first, brick), (second, _)]) => Err(RecordError::Repeated {
            id: brick.id.clone(),
            first: first.clone(),
            second: second.clone(),
        }),
        _ => Ok(bricks),
    }
}
