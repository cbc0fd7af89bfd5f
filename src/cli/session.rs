//! From flags to a judged run: what `eval` and `compare` have in common.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::backend::{Backend, Prepared};
use super::batch;
use super::material::Material;
use super::progress::Progress;
use super::{Failure, failed, input, networks, note};
use widedeep::chat::openai::Capabilities;
use widedeep::chat::{ChatModel, Identity};
use widedeep::network::{Network, shipped};
use widedeep::run::{
    self, Baseline, CallCache, Collector, Desk, Judge, JudgeError, Judged, Limit, Limits, Meter, RunConfig, Store,
    StoreError,
};

/// A judge as the command line names it, before its models are loaded.
#[derive(Clone)]
pub(crate) enum Wanted {
    Network(Box<Network>),
    Baseline(Baseline),
}

impl Wanted {
    /// The network or baseline of this name or path.
    pub(crate) fn named(name: &str, overrides: &[String]) -> Result<Self, Failure> {
        if let Some(baseline) = Baseline::named(name) {
            if let Some(text) = overrides.first() {
                return Err(input(anyhow::anyhow!(
                    "`--set {text}`: the baseline `{name}` has nothing to set"
                )));
            }
            return Ok(Wanted::Baseline(baseline));
        }
        let text = match shipped(name) {
            Some(text) => text.to_owned(),
            None => match std::fs::read_to_string(name) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    let baselines = Baseline::ALL.map(Baseline::name).join(", ");
                    let networks = networks::names().join(", ");
                    return Err(input(anyhow::anyhow!(
                        "there is no network `{name}`: shipped are {networks}, baselines are {baselines}, and no file has this path"
                    )));
                }
                Err(error) => {
                    return Err(input(
                        anyhow::Error::from(error).context(format!("failed to read the network `{name}`")),
                    ));
                }
            },
        };
        Network::parse(&text, name, overrides)
            .map(|network| Wanted::Network(Box::new(network)))
            .map_err(input)
    }
}

/// The models of a command by the words that name them: loaded once, whatever is judged with them.
#[derive(Default)]
pub(crate) struct Models {
    prepared: BTreeMap<String, Prepared>,
    /// What endpoints can do, as far as it was found out.
    known: Vec<(String, Capabilities)>,
}

impl Models {
    /// Loads a model, or reads what is to be known of an endpoint.
    pub(crate) fn prepare(&mut self, backend: &Backend, words: &str) -> Result<&Prepared, Failure> {
        if !self.prepared.contains_key(words) {
            let prepared = backend.prepare(words)?;
            self.prepared.insert(words.to_owned(), prepared);
        }
        Ok(&self.prepared[words])
    }

    /// All that are prepared.
    pub(crate) fn prepared(&self) -> impl Iterator<Item = &Prepared> {
        self.prepared.values()
    }

    /// Judge and models of a run, before anything is asked.
    pub(crate) fn judge(&mut self, wanted: Wanted, backend: &Backend, run: &str) -> Result<Judge, Failure> {
        match wanted {
            Wanted::Baseline(baseline) => Ok(Judge::Baseline(baseline)),
            Wanted::Network(network) => {
                let mut identity =
                    |words: &str| -> Result<Identity, Failure> { Ok(self.prepare(backend, words)?.identity().clone()) };
                let named = network
                    .models()
                    .into_iter()
                    .map(&mut identity)
                    .collect::<Result<_, _>>()?;
                Ok(Judge::Network {
                    model: identity(run)?,
                    network: *network,
                    named,
                })
            }
        }
    }
}

/// Bounds and aids of a run that are no part of what it is.
pub(crate) struct Terms<'a> {
    pub(crate) concurrency: NonZeroUsize,
    pub(crate) cache: Option<&'a Arc<CallCache>>,
    pub(crate) limit: Option<Limit>,
    /// Judge pairs with missing opinions again.
    pub(crate) retry_missing: bool,
    /// Who takes requests into batches.
    pub(crate) collector: Option<&'a Arc<Collector>>,
}

/// Starts a run in `folder`, or goes on with it, to its end.
pub(crate) fn judge(
    runtime: &tokio::runtime::Runtime,
    folder: &Path,
    config: &RunConfig,
    material: &mut Material<'_>,
    models: &mut Models,
    terms: Terms<'_>,
) -> Result<Arc<Store>, Failure> {
    // Read only where the run is new.
    let store = Store::start_with(folder, config, || {
        material.survey()?;
        material.pairs()
    })?;
    let store = Arc::new(store);
    if terms.retry_missing {
        let missing = |judged: &Judged| {
            let opinions = judged.evaluation.iter().flat_map(|evaluation| &evaluation.opinions);
            opinions.into_iter().any(|opinion| opinion.missing.is_some())
        };
        let pairs = store.reopen(&missing).map_err(store_failure)?;
        note(&format!("judging {pairs} pairs with missing opinions again"));
    }
    if terms.collector.is_none() {
        batch::tell_open(&store)?;
    }
    let meter = Arc::new(Meter::default());
    meter.attach(&store);
    if let Some(limit) = terms.limit {
        meter.keep_within(limit, &store).map_err(store_failure)?;
    }
    let mut chat: BTreeMap<String, Arc<dyn ChatModel>> = BTreeMap::new();
    if store.open_pairs().map_err(store_failure)?.is_empty() {
        let pairs = store.size().map_err(store_failure)?;
        note(&format!(
            "going on with a run of {pairs} pairs of which {pairs} are done"
        ));
    } else {
        // A run that goes on asks its endpoints as it did before.
        let mut known = store.capabilities().map_err(store_failure)?;
        known.extend(models.known.iter().cloned());
        for (words, prepared) in &models.prepared {
            if !belongs(config, prepared.identity()) {
                continue;
            }
            let loaded = runtime.block_on(prepared.connect(&meter, &known, terms.collector))?;
            let name = loaded.model.identity().name.clone();
            if let Some(can) = loaded.can {
                store.keep_capabilities(&name, &can).map_err(store_failure)?;
                models.known.push((name.clone(), can));
            }
            // By the name that the configuration knows, and by the words of the network's file.
            chat.insert(words.clone(), Arc::clone(&loaded.model));
            chat.insert(name, loaded.model);
        }
        let desk = Desk {
            store: &store,
            models: &chat,
            prompts: &material.prompts,
            taxonomy: &material.taxonomy,
            meter: &meter,
            cache: terms.cache,
            limits: Limits {
                concurrency: terms.concurrency.get(),
            },
        };
        to_the_end(runtime, &desk, terms.collector.map(Arc::as_ref))?;
    }
    Ok(store)
}

/// Whether a run is judged with this model.
fn belongs(config: &RunConfig, identity: &Identity) -> bool {
    match &config.judge {
        Judge::Network { model, named, .. } => model == identity || named.contains(identity),
        Judge::Baseline(_) => false,
    }
}

fn to_the_end(
    runtime: &tokio::runtime::Runtime,
    desk: &Desk<'_>,
    collector: Option<&Collector>,
) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let out_of_time = Arc::new(AtomicBool::new(false));
    let mut progress = Progress::new();
    let result = runtime.block_on(async {
        let listener = stop.clone();
        let watcher = tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                listener.cancel();
            }
        });
        let clock = tokio::spawn(watch_the_machine(
            Arc::clone(desk.meter),
            stop.clone(),
            Arc::clone(&out_of_time),
        ));
        let mut listen = |event: &run::Event<'_>| progress.hear(event);
        let result = match collector {
            Some(collector) => run::judge_in_batches(desk, collector, &stop, &mut listen).await,
            None => run::judge(desk, &stop, &mut listen).await,
        };
        watcher.abort();
        clock.abort();
        result
    });
    progress.finish();
    let (done, total) = progress.counts();
    match result {
        Ok(()) => Ok(()),
        Err(JudgeError::Interrupted) if out_of_time.load(Relaxed) => Err(failed(anyhow::anyhow!(
            "the machine's time has used up `--budget-usd`: {done} of {total} pairs are done; the same command with a larger budget goes on"
        ))),
        Err(JudgeError::Interrupted) => Err(Failure::Interrupted(format!(
            "interrupted: {done} of {total} pairs are done; give the same command again to go on"
        ))),
        Err(JudgeError::Submitted { requests, batches }) => {
            let batches = if batches == 1 {
                "a batch".to_owned()
            } else {
                format!("{batches} batches")
            };
            Err(Failure::Later(format!(
                "{requests} requests are in {batches} and not answered yet ({done} of {total} pairs are done); give the same command again to go on"
            )))
        }
        Err(JudgeError::OverBudget { reason }) => {
            Err(failed(anyhow::anyhow!("{reason} ({done} of {total} pairs are done)")))
        }
        Err(error) => Err(failed(error)),
    }
}

/// How often the machine's time is compared with the budget.
const TICK: Duration = Duration::from_millis(100);

/// Stops the run before the machine's time passes the budget.
async fn watch_the_machine(meter: Arc<Meter>, stop: CancellationToken, out_of_time: Arc<AtomicBool>) {
    let Some(hour) = meter.limit().and_then(|limit| limit.tariff.machine_usd_per_hour) else {
        return;
    };
    // Twice what passes until the next look.
    let margin = hour / 3600.0 * 2.0 * TICK.as_secs_f64();
    while let Some(left) = meter.left() {
        if left <= margin {
            out_of_time.store(true, Relaxed);
            stop.cancel();
            return;
        }
        tokio::time::sleep(TICK).await;
    }
}

impl From<JudgeError> for Failure {
    fn from(error: JudgeError) -> Self {
        failed(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        store_failure(error)
    }
}

pub(crate) fn store_failure(error: StoreError) -> Failure {
    match error {
        StoreError::OtherRun { .. }
        | StoreError::NoRun { .. }
        | StoreError::Newer { .. }
        | StoreError::Older { .. } => input(error),
        other => failed(other),
    }
}
