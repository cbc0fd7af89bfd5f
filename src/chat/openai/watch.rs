//! Every attempt, told to whoever wants to know: ledgers, progress, budgets.

use std::future::ready;
use std::time::Duration;

use futures::future::BoxFuture;

use super::Change;
use crate::chat::{ChatError, Origin, Usage};

/// A listener to what happens between this program and an endpoint.
pub trait Watch: Send + Sync {
    /// Before an attempt is sent; it is sent when the future has ended. An error keeps it from being sent and becomes the call's own: this is
    /// how a budget ends a run. Whoever waits here holds a place among the requests under way.
    fn before<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Result<Permit, ChatError>> {
        let _ = attempt;
        Box::pin(ready(Ok(Permit(0))))
    }

    /// After an attempt that was sent, whatever came of it, with what [`Watch::before`] gave. An attempt that is dropped half-way is not told.
    fn after(&self, attempt: &Attempt, permit: Permit, outcome: &Outcome) {
        let _ = (attempt, permit, outcome);
    }

    /// When the number of requests that may be under way at once changes.
    fn concurrency(&self, change: &Change) {
        let _ = change;
    }
}

/// What an attempt was sent with: a number that means something to the listener only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit(pub i64);

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
    /// The most that may be billed: a token has at least one byte, and no reply is longer than it may be.
    pub most: Usage,
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

impl AttemptResult {
    const ALL: [Self; 7] = [
        Self::Answered,
        Self::TooManyRequests,
        Self::ServerError,
        Self::NoConnection,
        Self::NoAnswer,
        Self::Rejected,
        Self::Unusable,
    ];

    /// As it is written down.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::TooManyRequests => "too-many-requests",
            Self::ServerError => "server-error",
            Self::NoConnection => "no-connection",
            Self::NoAnswer => "no-answer",
            Self::Rejected => "rejected",
            Self::Unusable => "unusable",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.name() == name)
    }
}

/// What came of an attempt, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttemptResult {
    /// A reply.
    Answered,
    /// 429.
    TooManyRequests,
    /// 409 or 5xx.
    ServerError,
    /// No connection was made, so nothing was sent.
    NoConnection,
    /// A broken connection, or a timeout, be it on the server's side (408, 504): the request may have been answered, and billed.
    NoAnswer,
    /// Another status.
    Rejected,
    /// An answer that is no reply.
    Unusable,
}
