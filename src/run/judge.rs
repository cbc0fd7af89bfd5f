//! All open pairs of a run through its judge.

use std::collections::BTreeMap;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures::StreamExt;
use futures::stream;
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

use super::config::{Baseline, Judge};
use super::{BatchProgress, CallCache, Collector, Judged, Meter, Outcome, Recorded, Store, StoreError, Tally};
use crate::chat::{ChatError, ChatModel};
use crate::network::aggregate::aggregate;
use crate::network::{EvaluateError, Network, Panel, Setting, evaluate};
use crate::pair::{Pair, Taxonomy};
use crate::prompt::{PromptError, Prompts};

/// Pairs of a baseline that are committed together.
const BASELINE_PAGE: usize = 1000;

/// Everything that a run is judged with.
#[derive(Clone)]
pub struct Desk<'a> {
    /// The run.
    pub store: &'a Arc<Store>,
    /// Chat models by the names in the run's configuration.
    pub models: &'a BTreeMap<String, Arc<dyn ChatModel>>,
    /// Prompt texts.
    pub prompts: &'a Prompts,
    /// Which dataset is of which family.
    pub taxonomy: &'a Taxonomy,
    /// What counts calls; models that report their attempts report them here.
    pub meter: &'a Arc<Meter>,
    /// Replies that runs share.
    pub cache: Option<&'a Arc<CallCache>>,
    /// Bounds.
    pub limits: Limits,
}

/// What a listener hears.
#[derive(Debug)]
pub enum Event<'a> {
    /// The run starts or goes on.
    Started {
        /// Pairs in all.
        pairs: usize,
        /// Pairs that were finished before.
        finished: &'a [Outcome],
    },
    /// A pair is finished and stored.
    Finished {
        /// The pair with its verdict.
        judged: &'a Judged,
        /// Calls and tokens of this process so far.
        tally: Tally,
    },
    /// Batches were looked at: how they get on, those that have just ended included.
    Batches(&'a [BatchProgress]),
}

/// Bounds of a run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Pairs under way at the same time. With one at a time, a local model's batches are the same in every run.
    pub concurrency: usize,
}

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A pair could not be evaluated.
    #[error("pair {index}: {source}")]
    Evaluate {
        /// Which.
        index: usize,
        /// Why.
        source: EvaluateError,
    },
    /// The taxonomy names a family that does not exist.
    #[error("the taxonomy's family for the dataset `{dataset}`: {source}")]
    Family {
        /// Which dataset.
        dataset: String,
        /// Why.
        source: PromptError,
    },
    /// A model of the run's configuration was not loaded.
    #[error("the run judges with the model `{name}`, which is not at hand: load it under this name")]
    NoModel {
        /// The name in the configuration.
        name: String,
    },
    /// The run would have cost more than it may.
    #[error("{reason}")]
    OverBudget {
        /// Which limit, and how to go on.
        reason: String,
    },
    /// The pair was not begun, because the run is about to end.
    #[error("not begun")]
    Closed,
    /// Batches cannot be submitted, looked at, or collected.
    #[error("{0}")]
    Batch(#[from] ChatError),
    /// Everything that can be asked is asked, and nobody wants to wait for it.
    #[error("{requests} requests in {batches} batches are not answered yet")]
    Submitted {
        /// Requests that are not answered yet.
        requests: u64,
        /// Batches that they are in.
        batches: usize,
    },
    /// Somebody asked the run to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Judges every pair of the store that has no verdict yet; stops at once when `stop` is cancelled, with everything finished in the store.
pub async fn judge(
    desk: &Desk<'_>,
    stop: &CancellationToken,
    listen: &mut (dyn FnMut(&Event<'_>) + Send),
) -> Result<(), JudgeError> {
    judge_with(desk, None, stop, listen).await
}

/// The same with the requests of those models that the collector has taken put into batches. As many pairs are under way as its window holds,
/// whatever the desk's limits say.
pub async fn judge_in_batches(
    desk: &Desk<'_>,
    collector: &Collector,
    stop: &CancellationToken,
    listen: &mut (dyn FnMut(&Event<'_>) + Send),
) -> Result<(), JudgeError> {
    let _serving = collector.begin(desk.store, desk.meter);
    judge_with(desk, Some(collector), stop, listen).await
}

async fn judge_with(
    desk: &Desk<'_>,
    collector: Option<&Collector>,
    stop: &CancellationToken,
    listen: &mut (dyn FnMut(&Event<'_>) + Send),
) -> Result<(), JudgeError> {
    let store = desk.store;
    desk.meter.attach(store);
    listen(&Event::Started {
        pairs: store.size()?,
        finished: &store.outcomes()?,
    });
    match &store.config().judge {
        Judge::Baseline(baseline) => by_rule(desk, *baseline, listen),
        Judge::Network { network, model, .. } => {
            let recorded: BTreeMap<String, Arc<dyn ChatModel>> = desk
                .models
                .iter()
                .map(|(name, model)| {
                    let recorded = Recorded::new(Arc::clone(model), Arc::clone(store), Arc::clone(desk.meter));
                    let recorded = recorded.with_cache(desk.cache.cloned());
                    (name.clone(), Arc::new(recorded) as Arc<dyn ChatModel>)
                })
                .collect();
            let missing = |name: &str| JudgeError::NoModel { name: name.to_owned() };
            let run = recorded.get(&model.name).ok_or_else(|| missing(&model.name))?.clone();
            // A panel asks the run's model where it does not know a name: another jury than the network describes.
            if let Some(name) = network.models().into_iter().find(|&name| !recorded.contains_key(name)) {
                return Err(missing(name));
            }
            let panel = Panel::new(run, recorded);
            by_network(desk, network, &panel, collector, stop, listen).await
        }
    }
}

fn by_rule(desk: &Desk<'_>, baseline: Baseline, listen: &mut (dyn FnMut(&Event<'_>) + Send)) -> Result<(), JudgeError> {
    let store = desk.store;
    for page in store.open_pairs()?.chunks(BASELINE_PAGE) {
        let judged = page.iter().map(|&index| {
            let pair = store.pair(index)?;
            Ok(Judged {
                verdict: Some(baseline.verdict(&pair)),
                pair,
                decision: None,
                evaluation: None,
            })
        });
        // Together: a commit waits for the disk, which takes longer than the verdicts of a whole page.
        let judged: Vec<Judged> = judged.collect::<Result<_, StoreError>>()?;
        store.finish_all(&judged)?;
        for judged in &judged {
            let tally = Tally::default();
            listen(&Event::Finished { judged, tally });
        }
    }
    Ok(())
}

async fn by_network(
    desk: &Desk<'_>,
    network: &Network,
    panel: &Panel,
    collector: Option<&Collector>,
    stop: &CancellationToken,
    listen: &mut (dyn FnMut(&Event<'_>) + Send),
) -> Result<(), JudgeError> {
    let job = Job {
        store: desk.store,
        network,
        prompts: desk.prompts,
        taxonomy: desk.taxonomy,
        panel,
        collector,
        closed: AtomicBool::new(false),
    };
    let concurrency = collector.map_or(desk.limits.concurrency, Collector::window);
    // Pairs are read when their turn comes: memory does not grow with their number.
    let mut verdicts = stream::iter(desk.store.open_pairs()?)
        .map(|index| job.start(index))
        .buffer_unordered(concurrency.max(1));
    let (report, mut reports) = unbounded_channel();
    let mut work = pin!(async {
        match collector {
            Some(collector) => collector.work(&report).await,
            None => pending().await,
        }
    });
    let mut over_budget = None;
    loop {
        let judged = tokio::select! {
            // First, so that a cancelled run does not go on as long as pairs come in.
            biased;
            () = stop.cancelled() => return Err(JudgeError::Interrupted),
            next = verdicts.next() => match next {
                // What is under way is paid for, so its replies are waited for; nothing else is begun.
                Some(Err(error @ JudgeError::OverBudget { .. })) => {
                    job.closed.store(true, Relaxed);
                    over_budget.get_or_insert(error);
                    continue;
                }
                Some(Err(JudgeError::Closed)) => continue,
                Some(judged) => judged?,
                None => return over_budget.map_or(Ok(()), Err),
            },
            Some(batches) = reports.recv() => {
                listen(&Event::Batches(&batches));
                continue;
            }
            // Last, so that it is polled when no pair can go on.
            ended = &mut work => return Err(ended),
        };
        let tally = desk.meter.tally();
        listen(&Event::Finished { judged: &judged, tally });
    }
}

struct Job<'a> {
    store: &'a Store,
    network: &'a Network,
    prompts: &'a Prompts,
    taxonomy: &'a Taxonomy,
    panel: &'a Panel,
    collector: Option<&'a Collector>,
    /// Whether no more pairs are begun.
    closed: AtomicBool,
}

impl Job<'_> {
    /// The same, with the collector knowing from now on that a pair is under way.
    fn start(&self, index: usize) -> impl Future<Output = Result<Judged, JudgeError>> {
        self.collector.inspect(|collector| collector.enter());
        async move {
            let judged = self.run(index).await;
            self.collector.inspect(|collector| collector.leave());
            judged
        }
    }

    /// Judges a pair and stores what comes of it.
    async fn run(&self, index: usize) -> Result<Judged, JudgeError> {
        if self.closed.load(Relaxed) {
            return Err(JudgeError::Closed);
        }
        let judged = self.evaluate(self.store.pair(index)?).await?;
        self.store.finishing(std::slice::from_ref(&judged))?.await?;
        Ok(judged)
    }

    async fn evaluate(&self, pair: Pair) -> Result<Judged, JudgeError> {
        let family = self.taxonomy.family(&pair.dataset).family;
        let family = self.prompts.family(family);
        let family = family.map_err(|source| JudgeError::Family {
            dataset: pair.dataset.clone(),
            source,
        })?;
        let setting = Setting {
            network: self.network,
            prompts: self.prompts,
            family,
            panel: self.panel,
            seed: self.store.config().seed,
        };
        let evaluation = evaluate(&pair, &setting).await;
        let evaluation = evaluation.map_err(|source| match source {
            EvaluateError::Chat(ChatError::OverBudget { reason }) => JudgeError::OverBudget { reason },
            source => JudgeError::Evaluate {
                index: pair.index,
                source,
            },
        })?;
        let votes: Vec<_> = evaluation.opinions.iter().map(crate::network::Opinion::vote).collect();
        let decision = aggregate(&votes, self.network.aggregate.cell, self.network.aggregate.tie_margin);
        Ok(Judged {
            pair,
            verdict: decision.map(|decision| decision.label),
            decision,
            evaluation: Some(evaluation),
        })
    }
}
