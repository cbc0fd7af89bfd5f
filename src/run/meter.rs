//! What a run asks of its models: counted, and entered into the ledger.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures::future::BoxFuture;

use super::budget::{Budget, Hold};
use super::{Entry, EntryId, Limit, OverBudget, Store, StoreError};
use crate::chat::openai::{Attempt, AttemptResult, Change, Outcome, Permit, Watch};
use crate::chat::{ChatError, Reply, Request, Usage};
use crate::cost::{Served, Tokens};

/// Counts calls, enters requests, and keeps the run within its [`Limit`]. What it hears before it is attached to a store is entered when it is.
#[derive(Debug, Default)]
pub struct Meter {
    ledger: Mutex<Ledger>,
    budget: OnceLock<Budget>,
    /// Requests under way, with their holds.
    holds: Mutex<HashMap<EntryId, Hold>>,
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

    /// Keeps the run in this store within a limit from now on; to be called once, before anything is asked.
    pub fn keep_within(&self, limit: Limit, store: &Arc<Store>) -> Result<(), StoreError> {
        self.attach(store);
        let budget = Budget::resume(limit, store)?;
        // A second limit would have to be held against the first one's spending.
        let _ = self.budget.set(budget);
        Ok(())
    }

    /// What the run may cost, with what it has cost so far.
    pub(super) fn budget(&self) -> Option<&Budget> {
        self.budget.get()
    }

    /// US dollars that are left when everything under way costs the most that it can; `None` without such a limit.
    pub fn left(&self) -> Option<f64> {
        self.budget.get()?.left()
    }

    /// The run's limit.
    pub fn limit(&self) -> Option<&Limit> {
        self.budget.get().map(Budget::limit)
    }

    /// Holds and enters requests to one model that are about to be sent together, all of them or none; nothing where there is no limit.
    pub(super) async fn before(&self, entries: Vec<Entry>) -> Result<Vec<EntryId>, ChatError> {
        let (Some(budget), Some(first)) = (self.budget.get(), entries.first()) else {
            return Ok(Vec::new());
        };
        let store = match &*self.ledger.lock().unwrap_or_else(PoisonError::into_inner) {
            Ledger::Open(store) => Arc::clone(store),
            Ledger::Waiting(..) => return Ok(Vec::new()),
        };
        let model = first.model.clone();
        let most = entries.iter().map(|entry| entry.most).sum();
        let hold = budget.hold(&model, entries.len() as u64, most).await;
        let hold = hold.map_err(|over: OverBudget| ChatError::OverBudget {
            reason: over.to_string(),
        })?;
        match store.reserve(entries).await {
            Ok(ids) => {
                // Settled with the first of them; of several, which are those of local models, none costs anything.
                let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
                holds.extend(ids.first().map(|&id| (id, hold)));
                Ok(ids)
            }
            Err(error) => {
                budget.settle(hold, &model, Some(Tokens::default()));
                Err(ChatError::Backend {
                    reason: error.to_string(),
                })
            }
        }
    }

    /// Enters what came of a request.
    pub(super) fn after(&self, id: Option<EntryId>, entry: Entry) {
        let Some(id) = id else {
            return self.enter(entry);
        };
        let hold = self.holds.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let (Some(budget), Some(hold)) = (self.budget.get(), hold) {
            budget.settle(hold, &entry.model, entry.paid());
        }
        if let Ledger::Open(store) = &*self.ledger.lock().unwrap_or_else(PoisonError::into_inner) {
            store.settle(id, entry);
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
    /// What the request was billed for; `None` if nobody knows. Refusals are not billed.
    fn paid(&self) -> Option<Tokens> {
        match self.result {
            Some(
                AttemptResult::TooManyRequests
                | AttemptResult::ServerError
                | AttemptResult::NoConnection
                | AttemptResult::Rejected,
            ) => Some(self.tokens.unwrap_or_default()),
            _ => self.tokens,
        }
    }

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

impl Listener {
    fn entry(&self, attempt: &Attempt) -> Entry {
        Entry {
            origin: attempt.origin,
            model: self.endpoint.clone(),
            number: attempt.number,
            served: Served::Model,
            result: None,
            tokens: None,
            most: attempt.most.into(),
            seconds: 0.0,
        }
    }
}

/// What an attempt is sent with where there is no limit.
const UNHELD: Permit = Permit(0);

impl Watch for Listener {
    fn before<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Result<Permit, ChatError>> {
        Box::pin(async move {
            let ids = self.meter.before(vec![self.entry(attempt)]).await?;
            Ok(ids.first().map_or(UNHELD, |id| Permit(id.0)))
        })
    }

    fn after(&self, attempt: &Attempt, permit: Permit, outcome: &Outcome) {
        let entry = Entry {
            result: Some(outcome.result),
            tokens: outcome.usage.map(Tokens::from),
            seconds: outcome.took.as_secs_f64(),
            ..self.entry(attempt)
        };
        let id = (permit != UNHELD).then_some(EntryId(permit.0));
        self.meter.after(id, entry);
    }

    fn concurrency(&self, change: &Change) {
        match &mut *self.meter.ledger.lock().unwrap_or_else(PoisonError::into_inner) {
            Ledger::Waiting(_, changes) => changes.push((self.endpoint.clone(), *change)),
            Ledger::Open(store) => store.keep_change(&self.endpoint, change),
        }
    }
}
