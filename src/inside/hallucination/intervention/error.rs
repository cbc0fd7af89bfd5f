//! What can go wrong in a sweep.

use std::path::PathBuf;

use super::super::asking::AskingError;
use super::super::frozen::FrozenError;
use super::super::journal::JournalError;
use crate::inside::edit::EditError;
use crate::inside::language::random;
use crate::llama::{AdapterError, EngineError, TapError, TemplateError};

/// Failures of a sweep.
#[derive(Debug, thiserror::Error)]
pub enum InterventionError {
    /// The detector has nothing to scale.
    #[error(
        "the detector has no H-units (units with a positive weight); fit one with `widedeep detect fit --h-units 0.35`"
    )]
    NoUnits,
    /// Nothing is asked.
    #[error("no question is left: give files with questions and answers, or with false premises (FalseQA)")]
    NoItems,
    /// The folder cannot be used.
    #[error("failed to use `{path}`: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder was begun otherwise.
    #[error(transparent)]
    Frozen(#[from] FrozenError),
    /// No random units can be drawn.
    #[error("no random units can be drawn beside the H-units: {0}")]
    Random(#[from] random::RandomError),
    /// The adapter cannot be written.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The adapter cannot be used.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// The engine fails.
    #[error("failed to ask `{id}`: {source}")]
    Ask {
        /// The question.
        id: String,
        /// What the engine says.
        source: EngineError,
    },
    /// The engine does not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Replies cannot be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A prompt cannot be made.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The text cannot be read.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// Replies cannot be judged.
    #[error(transparent)]
    Asking(#[from] AskingError),
}
