//! What a run asks of its models: counted, and entered into the ledger.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Entry, Store};
use crate::chat::openai::{Attempt, AttemptResult, Change, Outcome, Permit, Watch};
use crate::chat::{Reply, Request, Usage};
use crate::cost::{Served, Tokens};

/// Counts calls and enters requests. It exists before the run's store does, since an endpoint is probed before the run is known; what it hears
/// until then is entered when the store is there.
#[derive(Debug, Default)]
pub struct Meter {
    ledger: Mutex<Ledger>,
    asked: AtomicU64,
    replayed: AtomicU64,
    reused: AtomicU64,
    tokens: AtomicU64,
}

#[derive(Debug)]
enum Ledger {
    /// Entries and changes of concurrency that wait for the store.
    Waiting(Vec<Entry>, Vec<(String, Change)>),
    Open(Arc<Store>),
}

impl Default for Ledger {
    fn default() -> Self {
        Self::Waiting(Vec::new(), Vec::new())
    }
}

/// Calls and tokens since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Calls that went to a model.
    pub asked: u64,
    /// Calls that were answered from the run's own store.
    pub replayed: u64,
    /// Calls that were answered from the shared cache.
    pub reused: u64,
    /// Prompt and reply tokens of the calls that went to a model.
    pub tokens: u64,
}

impl Meter {
    /// From now on everything is entered here, and first what was heard before.
    pub fn attach(&self, store: &Arc<Store>) {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ledger::Waiting(entries, changes) = std::mem::replace(&mut *ledger, Ledger::Open(Arc::clone(store))) {
            if !entries.is_empty() {
                store.enter(entries);
            }
            for (endpoint, change) in changes {
                store.keep_change(&endpoint, &change);
            }
        }
    }

    /// A listener for the endpoint of this name.
    pub fn watch(self: &Arc<Self>, endpoint: &str) -> Arc<dyn Watch> {
        Arc::new(Listener {
            meter: Arc::clone(self),
            endpoint: endpoint.to_owned(),
        })
    }

    /// Calls and tokens so far.
    pub fn tally(&self) -> Tally {
        Tally {
            asked: self.asked.load(Relaxed),
            replayed: self.replayed.load(Relaxed),
            reused: self.reused.load(Relaxed),
            tokens: self.tokens.load(Relaxed),
        }
    }

    pub(super) fn asked(&self, replies: &[&Reply], failed: usize) {
        let tokens: u64 = replies
            .iter()
            .map(|reply| reply.usage.prompt + reply.usage.completion)
            .sum();
        self.asked.fetch_add((replies.len() + failed) as u64, Relaxed);
        self.tokens.fetch_add(tokens, Relaxed);
    }

    pub(super) fn replayed(&self, calls: usize) {
        self.replayed.fetch_add(calls as u64, Relaxed);
    }

    pub(super) fn reused(&self, calls: usize) {
        self.reused.fetch_add(calls as u64, Relaxed);
    }

    fn enter(&self, entry: Entry) {
        match &mut *self.ledger.lock().unwrap_or_else(PoisonError::into_inner) {
            Ledger::Waiting(entries, _) => entries.push(entry),
            Ledger::Open(store) => store.enter(vec![entry]),
        }
    }
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        Self {
            prompt: usage.prompt,
            cached_prompt: usage.cached_prompt,
            completion: usage.completion,
        }
    }
}

impl Entry {
    /// Of a call that was answered at once, by the model or from a cache.
    pub(super) fn answered(model: &str, request: &Request, reply: &Reply, served: Served) -> Self {
        let tokens = Tokens::from(reply.usage);
        Self {
            origin: Some(request.origin),
            model: model.to_owned(),
            number: 1,
            served,
            result: Some(AttemptResult::Answered),
            tokens: Some(tokens),
            most: tokens,
            seconds: 0.0,
        }
    }
}

/// What one endpoint's attempts are told to.
struct Listener {
    meter: Arc<Meter>,
    endpoint: String,
}

impl Watch for Listener {
    fn after(&self, attempt: &Attempt, _: Permit, outcome: &Outcome) {
        self.meter.enter(Entry {
            origin: attempt.origin,
            model: self.endpoint.clone(),
            number: attempt.number,
            served: Served::Model,
            result: Some(outcome.result),
            tokens: outcome.usage.map(Tokens::from),
            most: attempt.most.into(),
            seconds: outcome.took.as_secs_f64(),
        });
    }

    fn concurrency(&self, change: &Change) {
        match &mut *self.meter.ledger.lock().unwrap_or_else(PoisonError::into_inner) {
            Ledger::Waiting(_, changes) => changes.push((self.endpoint.clone(), *change)),
            Ledger::Open(store) => store.keep_change(&self.endpoint, change),
        }
    }
}
