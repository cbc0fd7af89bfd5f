//! What is asked of an endpoint about files and batches. Failures that may pass are tried again as those of calls are.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Url;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use super::super::Inner;
use super::super::failure::{Again, Failure, Record};
use super::super::retry::Pauses;
use super::super::transport::Transport;
use super::line::Written;
use super::transfer::Mishap;
use super::wire::{self, Batch, BatchState, Object, Page};
use crate::chat::{ChatError, ReplyFault};

/// Batches asked for at a time, and how often when one is looked for.
const PAGE: usize = 100;
const PAGES: usize = 100;
/// How far the endpoint's clock may be from ours.
const CLOCKS: Duration = Duration::from_secs(24 * 3600);

/// The Batch API of a model's endpoint. Cloning it clones the handle.
#[derive(Clone)]
pub struct BatchApi {
    inner: Arc<Inner>,
}

impl fmt::Debug for BatchApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BatchApi").field(&self.inner.identity.name).finish()
    }
}

impl BatchApi {
    pub(super) fn of(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    /// Name of the model.
    pub fn endpoint(&self) -> &str {
        &self.inner.identity.name
    }

    /// Fails if the endpoint has no Batch API.
    pub async fn check(&self) -> Result<(), ChatError> {
        self.page(1, None).await.map(drop)
    }

    /// Uploads a request file; gives the endpoint's name for it.
    pub async fn upload(&self, path: &Path) -> Result<String, ChatError> {
        let url = self.url(&["files"]);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let body = self.patiently(&url, || self.transport().upload(url.clone(), path, &name));
        let file: wire::File = self.read(&url, &body.await?)?;
        self.plain(&url, file.id)
    }

    /// Creates a batch of an uploaded file. `tag` tells it from all others, so that it is found again if the endpoint's answer is lost on the
    /// way, or this process ends before it comes.
    pub async fn create(&self, input_file: &str, tag: &str) -> Result<Batch, ChatError> {
        let url = self.url(&["batches"]);
        let body = wire::creation(input_file, tag);
        let since = SystemTime::now();
        let mut attempts = Attempts::new(self, &url);
        loop {
            let mishap = match self.transport().post(url.clone(), body.clone()).await {
                Ok(answer) => return self.batch(&url, self.read(&url, &answer)?),
                Err(mishap) => mishap,
            };
            // What failed on the way back was created all the same, and must not be created twice.
            let is_unclear = !matches!(
                &mishap,
                Mishap::Failure(Failure::Busy { .. } | Failure::Rejected { .. })
            );
            attempts.pause_after(mishap).await?;
            if is_unclear && let Some(batch) = self.find(tag, Some(input_file), since).await? {
                return Ok(batch);
            }
        }
    }

    /// The batch that was created with this tag, or of this file, since then.
    pub async fn find(
        &self,
        tag: &str,
        input_file: Option<&str>,
        since: SystemTime,
    ) -> Result<Option<Batch>, ChatError> {
        let url = self.url(&["batches"]);
        let since = since.checked_sub(CLOCKS);
        let since = since.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let since = since.map_or(0, |time| time.as_secs());
        let mut after = None;
        for _ in 0..PAGES {
            let page = self.page(PAGE, after.as_deref()).await?;
            let last = page.data.last();
            after = last.map(|object| object.id.clone());
            // The newest come first.
            let is_old = last.and_then(|object| object.created_at).is_some_and(|at| at < since);
            let is_it = |object: &Object| {
                object.tag() == Some(tag) || (input_file.is_some() && object.input_file_id.as_deref() == input_file)
            };
            if let Some(found) = page.data.into_iter().find(is_it) {
                return self.batch(&url, found).map(Some);
            }
            if !page.has_more || is_old || after.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// How far a batch is. [`ChatError::Unanswered`] says that it could not be found out for now.
    pub async fn look(&self, id: &str) -> Result<Batch, ChatError> {
        let url = self.url(&["batches", id]);
        let body = self.patiently(&url, || self.transport().get(url.clone())).await?;
        let batch = self.batch(&url, self.read(&url, &body)?)?;
        if batch.state == BatchState::Ended && batch.files.is_empty() && batch.counts.completed > 0 {
            let what = format!(
                "a batch that is `{}` with {} replies, and names no file that has them",
                batch.status, batch.counts.completed
            );
            return Err(unusable(&url, &what));
        }
        Ok(batch)
    }

    /// Fetches a file of a batch.
    pub async fn download(&self, file: &str, into: &Path) -> Result<(), ChatError> {
        let url = self.url(&["files", file, "content"]);
        self.patiently(&url, || self.transport().download(url.clone(), into))
            .await
    }

    /// What a line of such a file says; `None` if it is about no request.
    pub fn written(&self, line: &[u8]) -> Option<Written> {
        self.inner.caller.written(line)
    }

    async fn page(&self, size: usize, after: Option<&str>) -> Result<Page, ChatError> {
        let mut url = self.url(&["batches"]);
        url.query_pairs_mut().append_pair("limit", &size.to_string());
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", after);
        }
        let body = self.patiently(&url, || self.transport().get(url.clone())).await?;
        self.read(&url, &body)
    }

    fn transport(&self) -> &Transport {
        &self.inner.caller.transport
    }

    fn url(&self, path: &[&str]) -> Url {
        self.inner.endpoint.base_url.below(path)
    }

    /// Tries until it succeeds, or makes no sense any more.
    async fn patiently<T, F>(&self, url: &Url, mut attempt: impl FnMut() -> F) -> Result<T, ChatError>
    where
        F: Future<Output = Result<T, Mishap>>,
    {
        let mut attempts = Attempts::new(self, url);
        loop {
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(mishap) => attempts.pause_after(mishap).await?,
            }
        }
    }

    fn read<T: DeserializeOwned>(&self, url: &Url, body: &[u8]) -> Result<T, ChatError> {
        serde_json::from_slice(body).map_err(|error| {
            let detail = self.transport().shown(&error.to_string());
            unusable(url, &ReplyFault::Malformed { detail }.to_string())
        })
    }

    fn batch(&self, url: &Url, object: Object) -> Result<Batch, ChatError> {
        let mut batch = Batch::from(object);
        batch.id = self.plain(url, batch.id)?;
        for file in std::mem::take(&mut batch.files) {
            batch.files.push(self.plain(url, file)?);
        }
        batch.status = self.transport().shown(&batch.status);
        batch.problem = batch.problem.map(|problem| self.transport().shown(&problem));
        Ok(batch)
    }

    /// An id that can be written down: what a server says may hold anything, the key that it was sent included.
    fn plain(&self, url: &Url, id: String) -> Result<String, ChatError> {
        if id.is_empty() || self.transport().shown(&id) != id {
            return Err(unusable(url, "an id that is none"));
        }
        Ok(id)
    }

    /// The error of a request that is not tried again.
    fn gave_up(&self, url: &Url, failure: &Failure, attempts: u32) -> ChatError {
        let shown = without_query(url);
        let remedy = match failure {
            Failure::Rejected { status: 404, .. } if is_item(url) => {
                Some("it is not known there, so check that key and project are those that it was made with".to_owned())
            }
            Failure::Rejected { status: 404 | 405, .. } | Failure::Server { status: 501, .. } => {
                Some("this server has no Batch API, so leave out `--batch`".to_owned())
            }
            Failure::Rejected { status, .. } => self.inner.caller.facts.remedy(*status, Record::Untried),
            other => {
                return ChatError::Unanswered {
                    attempts,
                    reason: format!("`{shown}`: {other}"),
                };
            }
        };
        let remedy = remedy.map_or(String::new(), |remedy| format!(": {remedy}"));
        ChatError::Backend {
            reason: format!("`{shown}` answered {failure}{remedy}"),
        }
    }
}

/// The error of an answer that nothing can be made of.
fn unusable(url: &Url, what: &str) -> ChatError {
    let url = without_query(url);
    ChatError::Backend {
        reason: format!("`{url}` answered with what cannot be used: {what}"),
    }
}

/// Whether a URL leads to one file or batch.
fn is_item(url: &Url) -> bool {
    let last = url.path_segments().and_then(|mut path| path.next_back());
    !matches!(last, Some("files" | "batches"))
}

fn without_query(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_query(None);
    url
}

/// Attempts of one request.
struct Attempts<'a> {
    api: &'a BatchApi,
    url: &'a Url,
    begun: Instant,
    pauses: Pauses,
    failed: u32,
    made: u32,
}

impl<'a> Attempts<'a> {
    fn new(api: &'a BatchApi, url: &'a Url) -> Self {
        Self {
            api,
            url,
            begun: Instant::now(),
            pauses: api.inner.caller.patience.pauses(),
            failed: 0,
            made: 0,
        }
    }

    /// Waits until the next attempt may be made, if one may.
    async fn pause_after(&mut self, mishap: Mishap) -> Result<(), ChatError> {
        let failure = match mishap {
            Mishap::Failure(failure) => failure,
            Mishap::Disk(error) => {
                return Err(ChatError::Backend {
                    reason: format!("a file of a batch cannot be used: {error}"),
                });
            }
        };
        let caller = &self.api.inner.caller;
        tracing::debug!(url = %without_query(self.url), %failure, "attempt failed");
        self.made += 1;
        let is_last = match failure.again() {
            Again::Never => true,
            Again::Patiently => false,
            Again::Counted => {
                self.failed += 1;
                self.failed >= caller.patience.attempts.get() || failure.status() == Some(501)
            }
        };
        let pause = caller.lengthened(self.pauses.next().unwrap_or_default(), &failure);
        let longest = caller.patience.longest_wait;
        let is_enough = failure.again() == Again::Patiently && self.begun.elapsed() + pause > longest;
        if is_last || is_enough || pause > longest {
            return Err(self.api.gave_up(self.url, &failure, self.made));
        }
        sleep(pause).await;
        Ok(())
    }
}
