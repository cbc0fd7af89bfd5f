//! Between a network and a model: what was asked before is not asked again, and what is asked is committed before it is used.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{CallCache, Entry, EntryId, Meter, Store, StoreError};
use crate::chat::openai::AttemptResult;
use crate::chat::{CallKey, ChatError, ChatModel, Fit, Identity, Metering, Reply, Request, Steering};
use crate::cost::{Served, Tokens};

/// A reply and which of the requests it answers.
type Found = (usize, Reply);

/// A model whose calls are kept in a run's store.
pub struct Recorded {
    model: Arc<dyn ChatModel>,
    store: Arc<Store>,
    meter: Arc<Meter>,
    cache: Option<Arc<CallCache>>,
}

impl Recorded {
    /// Wraps a model.
    pub fn new(model: Arc<dyn ChatModel>, store: Arc<Store>, meter: Arc<Meter>) -> Self {
        Self {
            model,
            store,
            meter,
            cache: None,
        }
    }

    /// Looks into a cache of replies before the model is asked, and adds to it.
    #[must_use]
    pub fn with_cache(mut self, cache: Option<Arc<CallCache>>) -> Self {
        self.cache = cache;
        self
    }

    async fn answer(&self, requests: Vec<Request>) -> Result<Vec<Result<Reply, ChatError>>, StoreError> {
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
        self.meter.replayed(requests.len() - open.len());
        let (cached, open) = self.ask_cache(&requests, &keys, open)?;
        let fresh = self.ask_model(&requests, &keys, &open).await?;
        // Those that were found, and those that failed; equal calls share an answer.
        let found: Vec<(usize, Result<Reply, ChatError>)> = cached
            .into_iter()
            .map(|(i, reply)| (i, Ok(reply)))
            .chain(open.into_iter().zip(fresh))
            .collect();
        Ok(answers
            .into_iter()
            .zip(&keys)
            .map(|(known, key)| {
                let of_key = || {
                    found
                        .iter()
                        .find(|(i, _)| keys[*i] == *key)
                        .map(|(_, reply)| reply.clone())
                };
                known.or_else(of_key).unwrap_or_else(|| {
                    Err(ChatError::Backend {
                        reason: "the model gave no answer".to_owned(),
                    })
                })
            })
            .collect())
    }

    /// What the cache has of the open calls, which the run's store has from then on; and what it has not.
    fn ask_cache(
        &self,
        requests: &[Request],
        keys: &[CallKey],
        open: Vec<usize>,
    ) -> Result<(Vec<Found>, Vec<usize>), StoreError> {
        let Some(cache) = &self.cache else {
            return Ok((Vec::new(), open));
        };
        let (mut cached, mut lacking) = (Vec::new(), Vec::new());
        for i in open {
            match cache.reply(&keys[i])? {
                Some(reply) => cached.push((i, reply)),
                None => lacking.push(i),
            }
        }
        if !cached.is_empty() {
            let name = &self.identity().name;
            let calls: Vec<_> = cached
                .iter()
                .map(|(i, reply)| (keys[*i].clone(), &requests[*i], reply))
                .collect();
            let entries = calls
                .iter()
                .map(|(_, request, reply)| Entry::answered(name, request, reply, Served::Cache))
                .collect();
            // Nothing is lost if this is not committed, so nobody waits for it: the cache has it.
            drop(self.store.recording(name, &calls, entries)?);
            self.meter.reused(cached.len());
        }
        Ok((cached, lacking))
    }

    /// Holds and enters calls of a model that does not do so itself, where the run has a limit.
    async fn hold(&self, requests: &[Request], open: &[usize]) -> Result<Vec<EntryId>, ChatError> {
        match self.model.metering() {
            Metering::Attempts => Ok(Vec::new()),
            Metering::Replies => {
                let entries = open.iter().map(|&i| self.entry(&requests[i])).collect();
                self.meter.before(entries).await
            }
        }
    }

    /// Settles what was held.
    fn settle(&self, held: Vec<EntryId>, requests: &[Request], open: &[usize], replies: &[Result<Reply, ChatError>]) {
        for ((id, &i), reply) in held.into_iter().zip(open).zip(replies) {
            let entry = match reply {
                Ok(reply) => Entry::answered(&self.identity().name, &requests[i], reply, Served::Model),
                Err(_) => Entry {
                    result: Some(AttemptResult::Rejected),
                    ..self.entry(&requests[i])
                },
            };
            self.meter.after(Some(id), entry);
        }
    }

    /// A call that is about to be made. A local model's tokens cost nothing beside the machine's time.
    fn entry(&self, request: &Request) -> Entry {
        Entry {
            origin: Some(request.origin),
            model: self.identity().name.clone(),
            number: 1,
            served: Served::Model,
            result: None,
            tokens: None,
            most: Tokens::default(),
            seconds: 0.0,
        }
    }

    /// Asks the model; what it answers is committed.
    async fn ask_model(
        &self,
        requests: &[Request],
        keys: &[CallKey],
        open: &[usize],
    ) -> Result<Vec<Result<Reply, ChatError>>, StoreError> {
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let mut replies = match self.hold(requests, open).await {
            Err(error) => vec![Err(error); open.len()],
            Ok(holds) => {
                let asked = open.iter().map(|&i| requests[i].clone()).collect();
                let replies = self.model.reply_all(asked).await;
                self.settle(holds, requests, open, &replies);
                replies
            }
        };
        let done: Vec<(CallKey, &Request, &Reply)> = open
            .iter()
            .zip(&replies)
            .filter_map(|(&i, reply)| reply.as_ref().ok().map(|reply| (keys[i].clone(), &requests[i], reply)))
            .collect();
        let name = &self.identity().name;
        let entries = match self.model.metering() {
            Metering::Attempts => Vec::new(),
            // They were entered before they were made.
            Metering::Replies if self.meter.limit().is_some() => Vec::new(),
            Metering::Replies => done
                .iter()
                .map(|(_, request, reply)| Entry::answered(name, request, reply, Served::Model))
                .collect(),
        };
        if let Some(cache) = &self.cache {
            cache.add(name, &done)?;
        }
        let texts: Vec<&Reply> = done.iter().map(|(_, _, reply)| *reply).collect();
        self.meter.asked(&texts, open.len() - texts.len());
        let kept = self.store.recording(name, &done, entries)?;
        let kept = kept.await?;
        // Another pair may have asked the same in the meantime; its reply is the one that was kept, and so the one to use.
        let answered: Vec<usize> = (0..replies.len()).filter(|&nth| replies[nth].is_ok()).collect();
        for (nth, _) in answered.into_iter().zip(kept).filter(|(_, kept)| !kept) {
            if let Some(first) = self.store.reply(&keys[open[nth]])? {
                replies[nth] = Ok(first);
            }
        }
        Ok(replies)
    }
}

impl ChatModel for Recorded {
    fn identity(&self) -> &Identity {
        self.model.identity()
    }

    fn steering(&self) -> Steering {
        self.model.steering()
    }

    fn metering(&self) -> Metering {
        self.model.metering()
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
