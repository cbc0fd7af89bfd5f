//! A run whose requests are handed over in files, to be answered within a day at a lower price (OpenAI's Batch API).
//!
//! The network knows nothing of it. Every pair of a window is under way at once; what a pair asks is parked in the [`Collector`], and when
//! *every* pair is parked, nothing more can be asked before something is answered: that is a wave. Its requests are written to files, uploaded
//! and submitted; when a batch has ended, its pairs go on, and what they ask next is the next wave. Role generation, each layer, and
//! whatever could not be read and is asked again are waves of their own. Pairs do not wait for batches that they have no request in.
//!
//! What is known of batches lies in the run's store, and their files in `batches/` in the run's folder: `NNN.jsonl` is what was asked,
//! `NNN.output-1.jsonl` and so on what came back. So the process may end at any time, and the same command goes on another day:
//!
//! - A batch is planned in the store under a random tag, then uploaded, then created with the tag in its metadata. If the process
//!   ends between creation and its note, the endpoint's list of batches is searched for the tag (or the uploaded file).
//! - An answer is read from the files, so what came back is never asked for again, however often the run is begun.
//! - Requests that a batch did not work on (it expired, or was cancelled) or that failed in a way that may pass are handed over again, three
//!   times at most.
//! - Requests are entered into the ledger, and held against the run's limit, at the most that they can cost before they leave this machine, and
//!   settled when their batch is collected. A wave that the limit has no room for is handed over in parts.

mod collect;
mod parked;
mod wave;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;

use self::parked::Parked;
use super::budget::Hold;
use super::store::BatchState;
use super::{BatchId, Meter, Store, StoreError};
use crate::chat::openai::batch::{BatchApi, Collected, Counts, Courier, Parcel, Returned};
use crate::chat::{ChatError, OpenAiModel};

/// How requests are put into batches, and how these are waited for.
#[derive(Debug, Clone, Copy)]
pub struct BatchSettings {
    /// Pairs under way at once. Each holds its prompts in memory, and a wave holds what they all ask.
    pub window: NonZeroUsize,
    /// Requests in a file at most.
    pub requests: NonZeroUsize,
    /// Bytes of a file at most, unless a single request has more.
    pub bytes: usize,
    /// Pause before a batch is looked at for the first time; doubled each time.
    pub first_pause: Duration,
    /// Longest such pause.
    pub longest_pause: Duration,
    /// What to do when nothing is left but to wait.
    pub waiting: Waiting,
}

/// What to do when all requests are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Look after the batches until they end.
    Stay,
    /// Stop, to be started again later.
    Leave,
}

impl Default for BatchSettings {
    /// OpenAI's bounds: 50,000 requests and 200 MB per file.
    fn default() -> Self {
        Self {
            window: NonZeroUsize::MIN.saturating_add(4_999),
            requests: NonZeroUsize::MIN.saturating_add(49_999),
            bytes: 200_000_000,
            first_pause: Duration::from_secs(5),
            longest_pause: Duration::from_secs(60),
            waiting: Waiting::Stay,
        }
    }
}

/// How a batch gets on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchProgress {
    /// Name of the model.
    pub endpoint: String,
    /// The endpoint's name for the batch.
    pub remote: String,
    /// The endpoint's word for how far it is.
    pub status: String,
    /// Its requests by what became of them.
    pub counts: Counts,
}

/// Takes the requests of a run to the Batch API of their endpoints. It serves one run at a time.
#[derive(Debug)]
pub struct Collector {
    settings: BatchSettings,
    apis: Mutex<BTreeMap<String, BatchApi>>,
    parked: Mutex<Parked>,
    /// The run that is served.
    run: Mutex<Option<Arc<Served>>>,
}

/// A run that is served.
#[derive(Debug)]
struct Served {
    store: Arc<Store>,
    meter: Arc<Meter>,
    /// Where its files are.
    folder: PathBuf,
    /// Batches that this process has collected.
    collected: Mutex<BTreeSet<BatchId>>,
    /// What open batches hold of the run's limit.
    holds: Mutex<HashMap<BatchId, Hold>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is changed under these locks is changed in one go.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collector {
    /// One that has nothing to do yet.
    pub fn new(settings: BatchSettings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            apis: Mutex::default(),
            parked: Mutex::default(),
            run: Mutex::default(),
        })
    }

    /// The model, its requests taken over. It answers only within [`judge_in_batches`](super::judge_in_batches).
    pub fn take(self: &Arc<Self>, model: &OpenAiModel) -> OpenAiModel {
        let api = model.batches();
        locked(&self.apis).insert(api.endpoint().to_owned(), api);
        model.by_courier(Arc::clone(self) as Arc<dyn Courier>)
    }

    /// Pairs under way at once.
    pub(super) fn window(&self) -> usize {
        self.settings.window.get()
    }

    /// Serves a run from now on.
    pub(super) fn begin(&self, store: &Arc<Store>, meter: &Arc<Meter>) -> Serving<'_> {
        *locked(&self.run) = Some(Arc::new(Served {
            store: Arc::clone(store),
            meter: Arc::clone(meter),
            folder: store.folder().join("batches"),
            collected: Mutex::default(),
            holds: Mutex::default(),
        }));
        *locked(&self.parked) = Parked::default();
        Serving(self)
    }

    /// A pair is under way from now on.
    pub(super) fn enter(&self) {
        locked(&self.parked).enter();
    }

    /// A pair has ended.
    pub(super) fn leave(&self) {
        locked(&self.parked).leave();
    }

    fn run(&self) -> Result<Arc<Served>, ChatError> {
        locked(&self.run).clone().ok_or_else(|| ChatError::Backend {
            reason: "a request was to go into a batch, and no run is being judged in batches".to_owned(),
        })
    }
}

impl Served {
    /// What is known of a parcel's `number`th delivery.
    fn known(&self, parcel: &Parcel, number: u32) -> Result<Known, StoreError> {
        let deliveries = self.store.deliveries(&parcel.id)?;
        let is_open = |state| matches!(state, BatchState::Planned | BatchState::Submitted);
        let is_under_way = deliveries.iter().any(|delivery| is_open(delivery.state));
        // A batch that was refused as a whole was no delivery.
        let mut over = deliveries
            .into_iter()
            .filter(|delivery| delivery.state == BatchState::Collected);
        let Some(delivery) = over.nth(number.saturating_sub(1) as usize) else {
            return Ok(if is_under_way { Known::UnderWay } else { Known::Nothing });
        };
        let collected = if locked(&self.collected).contains(&delivery.batch) {
            Collected::Now
        } else {
            Collected::Before
        };
        let line = match &delivery.place {
            // Somebody may have cleared the folder: what is not there is asked for again.
            Some(place) => {
                collect::read(&self.folder, place).map_err(|error| format!("`batches/{}`: {error}", place.file))
            }
            None => Err(delivery
                .why
                .unwrap_or_else(|| "what the batch brought does not mention it".to_owned())),
        };
        Ok(Known::Returned(Returned { line, collected }))
    }
}

/// What is known of a delivery.
enum Known {
    Returned(Returned),
    UnderWay,
    Nothing,
}

/// While it lives, the collector serves a run; then it lets go of the run's store.
pub(super) struct Serving<'a>(&'a Collector);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        *locked(&self.0.run) = None;
        *locked(&self.0.parked) = Parked::default();
    }
}

impl Courier for Collector {
    fn carry<'a>(&'a self, parcel: &'a Parcel, number: u32) -> BoxFuture<'a, Result<Returned, ChatError>> {
        Box::pin(async move {
            let run = self.run()?;
            loop {
                let known = run.known(parcel, number).map_err(|error| ChatError::Backend {
                    reason: error.to_string(),
                })?;
                let woken = match known {
                    Known::Returned(returned) => return Ok(returned),
                    Known::UnderWay => locked(&self.parked).wait(parcel),
                    Known::Nothing => locked(&self.parked).queue(parcel, number),
                };
                // Whatever happened to it: it is looked up again.
                woken.await.map_err(|_| ChatError::Backend {
                    reason: "the run has ended".to_owned(),
                })?;
            }
        })
    }
}
