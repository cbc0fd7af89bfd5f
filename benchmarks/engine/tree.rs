//! What has to be evaluated at the least: the tree that a network's prompts make.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use widedeep::chat::{ChatError, ChatModel, Fit, Identity, LocalModel, Reply, Request, Steering};

/// A model that writes down what it is asked.
pub struct Recorder {
    pub inner: LocalModel,
    asked: Mutex<Vec<Request>>,
}

impl Recorder {
    pub fn new(inner: LocalModel) -> Arc<Self> {
        Arc::new(Self {
            inner,
            asked: Mutex::default(),
        })
    }

    /// What it was asked since the last time.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The prompts of these requests in tokens.
    pub fn prompts(&self, requests: &[Request]) -> anyhow::Result<Vec<Vec<i32>>> {
        let model = self.inner.engine().model();
        requests
            .iter()
            .map(|request| Ok(model.prompt(&request.turns)?.iter().map(|token| token.0).collect()))
            .collect()
    }
}

impl ChatModel for Recorder {
    fn identity(&self) -> &Identity {
        self.inner.identity()
    }

    fn steering(&self) -> Steering {
        self.inner.steering()
    }

    fn fit(&self, request: &Request) -> Option<Fit> {
        self.inner.fit(request)
    }

    fn reply_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Result<Reply, ChatError>>> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(requests.iter().cloned());
        self.inner.reply_all(requests)
    }
}

/// Tokens of the tree of these prompts: distinct prefixes.
pub fn tokens(prompts: &[Vec<i32>]) -> usize {
    let mut prefixes = HashSet::new();
    for prompt in prompts {
        prefixes.extend((1..=prompt.len()).map(|length| &prompt[..length]));
    }
    prefixes.len()
}
