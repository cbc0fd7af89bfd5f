//! Between a network and a model: what was asked before is not asked again, and what is asked is committed before it is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use futures::future::BoxFuture;

use super::Store;
use crate::chat::{CallKey, ChatError, ChatModel, Fit, Identity, Reply, Request, Steering};

/// A model whose calls are kept in a run's store.
pub struct Recorded {
    model: Arc<dyn ChatModel>,
    store: Arc<Store>,
    tally: Arc<Tally>,
}

/// Calls and tokens since the process started.
#[derive(Debug, Default)]
pub struct Tally {
    /// Calls that went to a model.
    pub asked: AtomicU64,
    /// Calls that were answered from the store.
    pub replayed: AtomicU64,
    /// Prompt and reply tokens of the calls that went to a model.
    pub tokens: AtomicU64,
}

impl Recorded {
    /// Wraps a model.
    pub fn new(model: Arc<dyn ChatModel>, store: Arc<Store>, tally: Arc<Tally>) -> Self {
        Self { model, store, tally }
    }

    async fn answer(&self, requests: Vec<Request>) -> Result<Vec<Result<Reply, ChatError>>, super::StoreError> {
        let keys: Vec<CallKey> = requests
            .iter()
            .map(|request| CallKey::of(self.identity(), request))
            .collect();
        let mut answers: Vec<Option<Result<Reply, ChatError>>> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for (i, key) in keys.iter().enumerate() {
            let known = self.store.reply(key)?;
            // Two equal calls of one group are one call.
            if known.is_none() && !open.iter().any(|&j| keys[j] == *key) {
                open.push(i);
            }
            answers.push(known.map(Ok));
        }
        let asked: Vec<Request> = open.iter().map(|&i| requests[i].clone()).collect();
        let replies = if asked.is_empty() {
            Vec::new()
        } else {
            self.model.reply_all(asked).await
        };
        let done: Vec<(CallKey, &Request, &Reply)> = open
            .iter()
            .zip(&replies)
            .filter_map(|(&i, reply)| reply.as_ref().ok().map(|reply| (keys[i].clone(), &requests[i], reply)))
            .collect();
        self.store.record(&self.identity().name, &done)?;
        self.tally.asked.fetch_add(open.len() as u64, Relaxed);
        self.tally
            .replayed
            .fetch_add((requests.len() - open.len()) as u64, Relaxed);
        let tokens: u64 = done
            .iter()
            .map(|(_, _, reply)| reply.usage.prompt + reply.usage.completion)
            .sum();
        self.tally.tokens.fetch_add(tokens, Relaxed);
        let mut fresh: Vec<(&CallKey, Result<Reply, ChatError>)> = Vec::new();
        for (key, reply) in open.iter().map(|&i| &keys[i]).zip(replies) {
            // Another pair may have asked the same in the meantime; its reply is the one that was kept, and so the one to use.
            let kept = match reply {
                Ok(reply) => Ok(self.store.reply(key)?.unwrap_or(reply)),
                Err(error) => Err(error),
            };
            fresh.push((key, kept));
        }
        Ok(answers
            .into_iter()
            .zip(&keys)
            .map(|(known, key)| {
                let of_key = fresh
                    .iter()
                    .find(|(other, _)| *other == key)
                    .map(|(_, reply)| reply.clone());
                known.or(of_key).unwrap_or_else(|| {
                    Err(ChatError::Backend {
                        reason: "the model gave no answer".to_owned(),
                    })
                })
            })
            .collect())
    }
}

impl ChatModel for Recorded {
    fn identity(&self) -> &Identity {
        self.model.identity()
    }

    fn steering(&self) -> Steering {
        self.model.steering()
    }

    fn fit(&self, request: &Request) -> Option<Fit> {
        self.model.fit(request)
    }

    fn reply_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Result<Reply, ChatError>>> {
        Box::pin(async move {
            let n = requests.len();
            match self.answer(requests).await {
                Ok(replies) => replies,
                // A reply that cannot be kept must not be used: the run stops and resumes when the disk works again.
                Err(error) => vec![
                    Err(ChatError::Backend {
                        reason: error.to_string()
                    });
                    n
                ],
            }
        })
    }
}
