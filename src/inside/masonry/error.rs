//! What can go wrong with bricks on files.

use std::io;
use std::path::PathBuf;

use crate::inside::bricks::ShapeError;
use crate::inside::bricks::export::WriteError;
use crate::inside::bricks::grow::GrowError;
use crate::inside::bricks::lora::LoraError;
use crate::inside::bricks::merge::MergeError;
use crate::inside::bricks::partition::{CommunityError, KMeansError};
use crate::inside::bricks::prune::TableError;
use crate::inside::bricks::requantise::RowError;
use crate::inside::bricks::route::RouteError;
use crate::inside::bricks::specialise::LabelError;
use crate::inside::bricks::update::UpdateError;
use crate::llama::{AdapterError, FormatError, GgufError, ModelError, TapError, TemplateError, WeightsError};

/// Failures of the operations on files.
#[derive(Debug, thiserror::Error)]
pub enum MasonryError {
    /// A file cannot be read.
    #[error("failed to read `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("failed to write `{path}`: {source}; check that the folder exists, may be written and has room")]
    Store {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line of a file is wrong.
    #[error("`{path}:{line}`: {problem}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Texts from which nothing can be learnt.
    #[error("{0}")]
    Texts(String),
    /// Files that do not go together.
    #[error("`{left}` and `{right}` cannot be combined: {problem}")]
    Fit {
        /// One file.
        left: PathBuf,
        /// The other.
        right: PathBuf,
        /// What differs.
        problem: String,
    },
    /// The operation has no sense for this model.
    #[error("`{path}` cannot be changed so: {problem}")]
    Model {
        /// The model's file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// The model's chat template fails.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The model fails to load.
    #[error(transparent)]
    Load(#[from] ModelError),
    /// The model cannot be read while it runs.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// The model's numbers cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A GGUF file cannot be read or written.
    #[error(transparent)]
    File(#[from] GgufError),
    /// Numbers do not fit a format.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Rows cannot be changed in place.
    #[error(transparent)]
    Row(#[from] RowError),
    /// Labels give no scores.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// Shapes differ.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// There are no communities.
    #[error(transparent)]
    Community(#[from] CommunityError),
    /// There are no clusters.
    #[error(transparent)]
    KMeans(#[from] KMeansError),
    /// Figures make no table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Tensors do not merge.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// Adapters do not combine.
    #[error(transparent)]
    Lora(#[from] LoraError),
    /// Units do not grow.
    #[error(transparent)]
    Grow(#[from] GrowError),
    /// An adapter cannot be used.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// A change cannot be made.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// Queries do not route.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// A table cannot be written.
    #[error(transparent)]
    Export(#[from] WriteError),
}
