//! A run's ledger, summed: requests that have model, stage, neuron, kind and payer in common.

use super::{Stage, Tokens};

/// Whether a request was a call's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attempt {
    /// The first request of a call.
    First,
    /// Another request because the one before failed or could not be read. It costs as much.
    Retry,
}

/// Where a reply came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Served {
    /// The model: billed.
    Model,
    /// The model, by way of its provider's Batch API: billed at a lower price.
    Batch,
    /// Our own cache of replies: free, but it would have been billed.
    Cache,
}

impl Served {
    /// As it is written down.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Batch => "batch",
            Self::Cache => "cache",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Model, Self::Batch, Self::Cache]
            .into_iter()
            .find(|served| served.name() == name)
    }
}

/// Requests of a run that have all of this in common, and their sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Name of the model.
    pub model: String,
    /// The stage; `None` for requests that find out what an endpoint can do.
    pub stage: Option<Stage>,
    /// The neuron within its layer, 0-based.
    pub neuron: Option<usize>,
    /// First requests, or repetitions.
    pub attempt: Attempt,
    /// By whom they were answered.
    pub served: Served,
    /// How many.
    pub requests: u64,
    /// Tokens, as far as they are known.
    pub tokens: Tokens,
    /// Requests that may be billed although nobody said how many tokens they took: cut off, timed out, or answered without usage.
    pub unknown: u64,
    /// The most that those can have taken.
    pub unknown_at_most: Tokens,
}
