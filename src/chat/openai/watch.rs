//! Every attempt, told to whoever wants to know: ledgers, progress, budgets.

use std::time::Duration;

use super::Change;
use crate::chat::{ChatError, Origin, Usage};

/// A listener to what happens between this program and an endpoint.
pub trait Watch: Send + Sync {
    /// Before an attempt is sent. An error keeps it from being sent and becomes the call's own: this is how a budget ends a run.
    fn before(&self, attempt: &Attempt) -> Result<(), ChatError> {
        let _ = attempt;
        Ok(())
    }

    /// After an attempt that was sent, whatever came of it.
    fn after(&self, attempt: &Attempt, outcome: &Outcome) {
        let _ = (attempt, outcome);
    }

    /// When the number of requests that may be under way at once changes.
    fn concurrency(&self, change: &Change) {
        let _ = change;
    }
}

/// Nobody listens.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// One request to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Counts calls of this endpoint, from 0.
    pub call: u64,
    /// Counts attempts of this call, from 1.
    pub number: u32,
    /// Who asks; the first of them where several samples are asked for at once. `None` for the probe.
    pub origin: Option<Origin>,
    /// Replies asked for.
    pub samples: usize,
    /// Tokens that may be billed, roughly: those of the prompt by its length, and all that the replies may have.
    pub expected_tokens: u64,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// In a word.
    pub result: AttemptResult,
    /// HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// What the server counted; `None` if it did not say, or there was no answer. A request that timed out may be billed all the same.
    pub usage: Option<Usage>,
    /// Time from sending to the end of the answer.
    pub took: Duration,
}

/// What came of an attempt, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttemptResult {
    /// A reply.
    Answered,
    /// 429.
    TooManyRequests,
    /// 408, 409 or 5xx.
    ServerError,
    /// No connection, a broken one, or a timeout.
    NoAnswer,
    /// Another status.
    Rejected,
    /// An answer that is no reply.
    Unusable,
}
