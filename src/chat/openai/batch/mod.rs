//! OpenAI's Batch API: requests handed over as a file, answered within a day, at a lower price.
//!
//! A model made with [`OpenAiModel::by_courier`] sends nothing itself. Each of its requests becomes a [`Parcel`], and a [`Courier`] brings back
//! the line that the endpoint wrote about it; what that line means is decided by the code that reads interactive answers. [`BatchApi`] is
//! what a courier needs of the endpoint: it uploads files, creates batches, looks after them, and downloads what they brought.

mod api;
mod line;
mod transfer;
mod wire;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::future::BoxFuture;

use super::failure::{Again, Failure, Record};
use super::retry::Answered;
use super::{Inner, OpenAiModel};
use crate::chat::{CallKey, ChatError, Origin, Request, Usage};

pub use self::api::BatchApi;
pub use self::line::Written;
pub use self::wire::{Batch, BatchState, Counts};

/// Times that a request is handed over before it counts as unanswered. Each of them may last a day.
const DELIVERIES: u32 = 3;

/// A request on its way into a batch.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// Names the request within files: the call's key, or a hash over the keys where several samples are asked for at once. 64 characters.
    pub id: String,
    /// Name of the model.
    pub endpoint: String,
    /// The request's body, JSON without line breaks.
    pub body: Arc<[u8]>,
    /// Who asks; the first of them where several samples are asked for.
    pub origin: Origin,
    /// The most that may be billed.
    pub most: Usage,
}

impl Parcel {
    /// The line of a request file.
    pub fn line(&self) -> Vec<u8> {
        wire::request_line(&self.id, &self.body)
    }
}

/// What came back for a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// The line of an output or error file, or why there is none.
    pub line: Result<Vec<u8>, String>,
    /// Who collected it.
    pub collected: Collected,
}

/// Who collected a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collected {
    /// This process.
    Now,
    /// One before it: a refusal that would have ended the run (a wrong key, say) has been seen to since.
    Before,
}

/// Somebody who takes requests to an endpoint in batches.
pub trait Courier: Send + Sync {
    /// Hands a parcel over for the `number`th time, from 1, and brings what came of it; what came of it before is brought at once. An error ends
    /// the call.
    fn carry<'a>(&'a self, parcel: &'a Parcel, number: u32) -> BoxFuture<'a, Result<Returned, ChatError>>;
}

impl OpenAiModel {
    /// The same model, its requests carried by somebody else.
    #[must_use]
    pub fn by_courier(&self, courier: Arc<dyn Courier>) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            courier: Some(courier),
        }
    }

    /// The Batch API of its endpoint.
    pub fn batches(&self) -> BatchApi {
        BatchApi::of(Arc::clone(&self.inner))
    }
}

impl Inner {
    /// The parcel of requests that differ in nothing but their seed.
    pub(super) fn parcel(&self, requests: &[&Request], body: &[u8], most: Usage) -> Parcel {
        let keys: Vec<CallKey> = requests
            .iter()
            .map(|request| CallKey::of(&self.identity, request))
            .collect();
        let id = match keys.as_slice() {
            [key] => key.to_string(),
            keys => {
                let mut hasher = blake3::Hasher::new();
                for key in keys {
                    hasher.update(key.as_str().as_bytes());
                }
                hasher.finalize().to_hex().to_string()
            }
        };
        Parcel {
            id,
            endpoint: self.identity.name.clone(),
            body: body.into(),
            origin: requests.first().map(|request| request.origin).unwrap_or_default(),
            most,
        }
    }

    /// Has a parcel carried until a reply comes back or trying makes no sense any more.
    pub(super) async fn post(&self, courier: &dyn Courier, parcel: &Parcel) -> Result<Answered, ChatError> {
        let mut usage = Usage::default();
        let mut failed = 0;
        let mut number = 0;
        loop {
            number += 1;
            let returned = courier.carry(parcel, number).await?;
            let (result, used) = match returned.line {
                Ok(line) => self.caller.open(&line),
                Err(reason) => (Err(Failure::Undone { reason }), None),
            };
            usage += used.unwrap_or_default();
            let failure = match result {
                Ok(answer) => {
                    if used.is_none() {
                        self.caller.unmetered.fetch_add(1, Ordering::Relaxed);
                    }
                    return Ok(Answered { answer, usage });
                }
                Err(failure) => failure,
            };
            tracing::debug!(id = parcel.id, number, %failure, "a batch brought no reply");
            if failure.again() != Again::Never {
                failed += 1;
                if failed < DELIVERIES {
                    continue;
                }
            }
            // The batch itself was accepted, so that key and address are right.
            let error = self.caller.facts.error(failure, number, Record::HasAnswered);
            if !(error.is_fatal() && returned.collected == Collected::Before) {
                return Err(error);
            }
        }
    }
}
