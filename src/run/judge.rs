//! All open pairs of a run through its judge.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use futures::StreamExt;
use futures::stream;
use tokio_util::sync::CancellationToken;

use super::config::Judge;
use super::record::{Recorded, Tally};
use super::{Judged, Store, StoreError};
use crate::chat::ChatModel;
use crate::network::aggregate::aggregate;
use crate::network::{EvaluateError, Network, Panel, Setting, evaluate};
use crate::pair::{Pair, Taxonomy};
use crate::prompt::{PromptError, Prompts};

/// What a listener hears.
#[derive(Debug)]
pub enum Event<'a> {
    /// The run starts or goes on.
    Started {
        /// Pairs in all.
        pairs: usize,
        /// Pairs that were finished before.
        finished: &'a [Judged],
    },
    /// A pair is finished and stored.
    Finished {
        /// The pair with its verdict.
        judged: &'a Judged,
        /// Calls made by this process so far.
        calls: u64,
        /// Calls answered from the store so far.
        replayed: u64,
        /// Tokens of the calls made so far.
        tokens: u64,
    },
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
    /// Somebody asked the run to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Judges every pair of the store that has no verdict yet. `models` gives the chat models by the names in the run's configuration; stops at once when
/// `stop` is cancelled, with everything finished in the store.
pub async fn judge(
    store: &Arc<Store>,
    models: &BTreeMap<String, Arc<dyn ChatModel>>,
    prompts: &Prompts,
    taxonomy: &Taxonomy,
    limits: Limits,
    stop: &CancellationToken,
    listen: &mut (dyn FnMut(&Event<'_>) + Send),
) -> Result<(), JudgeError> {
    let pairs = store.pairs()?;
    let finished = store.judged()?;
    listen(&Event::Started {
        pairs: pairs.len(),
        finished: &finished,
    });
    let done: HashSet<usize> = finished.iter().map(|judged| judged.pair.index).collect();
    let open: Vec<Pair> = pairs.into_iter().filter(|pair| !done.contains(&pair.index)).collect();
    drop(finished);
    match &store.config().judge {
        Judge::Baseline(baseline) => {
            let of = |pair: Pair| Judged {
                verdict: Some(baseline.verdict(&pair)),
                pair,
                decision: None,
                evaluation: None,
            };
            // All at once: a commit waits for the disk, which takes longer than the verdicts of a whole benchmark.
            let all: Vec<Judged> = open.into_iter().map(of).collect();
            store.finish_all(&all)?;
            for judged in &all {
                listen(&Event::Finished {
                    judged,
                    calls: 0,
                    replayed: 0,
                    tokens: 0,
                });
            }
            Ok(())
        }
        Judge::Network { network, model, .. } => {
            let tally = Arc::new(Tally::default());
            let recorded: BTreeMap<String, Arc<dyn ChatModel>> = models
                .iter()
                .map(|(name, model)| {
                    let recorded = Recorded::new(Arc::clone(model), Arc::clone(store), Arc::clone(&tally));
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
            let job = Job {
                network,
                prompts,
                taxonomy,
                panel: &panel,
                seed: store.config().seed,
            };
            let mut verdicts = stream::iter(open)
                .map(|pair| job.run(pair))
                .buffer_unordered(limits.concurrency.max(1));
            loop {
                let judged = tokio::select! {
                    // First, so that a cancelled run does not go on as long as pairs come in.
                    biased;
                    () = stop.cancelled() => return Err(JudgeError::Interrupted),
                    next = verdicts.next() => match next {
                        Some(judged) => judged?,
                        None => return Ok(()),
                    },
                };
                store.finish(&judged)?;
                listen(&Event::Finished {
                    judged: &judged,
                    calls: tally.asked.load(Relaxed),
                    replayed: tally.replayed.load(Relaxed),
                    tokens: tally.tokens.load(Relaxed),
                });
            }
        }
    }
}

struct Job<'a> {
    network: &'a Network,
    prompts: &'a Prompts,
    taxonomy: &'a Taxonomy,
    panel: &'a Panel,
    seed: u64,
}

impl Job<'_> {
    async fn run(&self, pair: Pair) -> Result<Judged, JudgeError> {
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
            seed: self.seed,
        };
        let evaluation = evaluate(&pair, &setting).await;
        let evaluation = evaluation.map_err(|source| JudgeError::Evaluate {
            index: pair.index,
            source,
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
