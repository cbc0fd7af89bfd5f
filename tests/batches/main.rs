//! Runs whose requests go into batches, against a server with OpenAI's Batch API.

#![expect(clippy::unwrap_used, reason = "tests")]

mod asking_again;
mod command;
mod limits;
mod mixed;
mod resuming;
mod secrets;
mod server;
mod trouble;
mod waves;

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use widedeep::chat::openai::{Capabilities, Endpoint, Features, KeySource, Outage, Patience, Timeouts};
use widedeep::chat::{ChatModel, OpenAiModel};
use widedeep::network::Network;
use widedeep::pair::{Pair, Taxonomy};
use widedeep::prompt::Prompts;
use widedeep::run::{
    BatchSettings, Collector, Desk, Event, Judge, JudgeError, Judged, Limits, Meter, Store, Waiting, judge,
    judge_in_batches,
};

use server::{Said, Server};
use support::runs::network;

static PROMPTS: LazyLock<Prompts> = LazyLock::new(Prompts::embedded);
static TAXONOMY: LazyLock<Taxonomy> = LazyLock::new(Taxonomy::embedded);

/// The text of a body's last message.
fn text(body: &Value) -> &str {
    let messages = body["messages"].as_array().unwrap();
    messages.last().unwrap()["content"].as_str().unwrap()
}

/// What a judge says: a function of text and seed. Lists of roles are of different lengths and now and then unreadable, and so are some
/// judgements: they are asked for again.
fn say(body: &Value) -> String {
    let text = text(body);
    let seed = body["seed"].as_u64().unwrap_or(0);
    let mix = |hash: u64, byte: u64| (hash ^ byte).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(mix(7, seed), |hash, byte| mix(hash, u64::from(byte)));
    let hash = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20;
    if text.contains("angles of view") && !text.contains("have already written these reviews") {
        let names = ["$Accuracy&", "$Depth&", "$Tone&"];
        return match hash % 4 {
            0 => "None comes to mind.".to_owned(),
            n => names[..usize::try_from(n).unwrap()].join("\n"),
        };
    }
    if hash.is_multiple_of(6) {
        return "Assistant 1 it is.".to_owned();
    }
    let score = |shift: u32| (hash >> shift) % 10 + 1;
    format!(
        "Reason {hash}.\nScore of Assistant 1: {}\nScore of Assistant 2: {}",
        score(8),
        score(16)
    )
}

fn honest() -> Server {
    Server::start(|body, _| Said::Reply(say(body)))
}

fn pairs(n: usize) -> Vec<Pair> {
    support::runs::pairs(n, &["webgpt"])
}

/// The recommended network, drawing its evidence so that seeds matter.
fn widedeep() -> Network {
    network("widedeep", &["sampling.temperature=0.8"])
}

fn settings() -> BatchSettings {
    BatchSettings {
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(20),
        ..BatchSettings::default()
    }
}

fn leaving() -> BatchSettings {
    BatchSettings {
        waiting: Waiting::Leave,
        ..settings()
    }
}

fn nonzero(n: usize) -> NonZeroUsize {
    n.try_into().unwrap()
}

/// An endpoint whose pauses are too short to be noticed, and which is not probed.
fn endpoint(server: &Server) -> Endpoint {
    Endpoint {
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(5),
            whole: Duration::from_secs(10),
        },
        patience: Patience {
            attempts: NonZeroU32::new(3).unwrap(),
            first_pause: Duration::from_millis(2),
            longest_pause: Duration::from_millis(10),
            longest_wait: Duration::from_secs(5),
        },
        outage: Outage {
            failures: NonZeroU32::new(1000).unwrap(),
            lasting: Duration::from_secs(1000),
        },
        features: Features::Known(Capabilities::plain()),
        ..Endpoint::new(server.url().parse().unwrap(), "m", KeySource::None)
    }
}

/// A run of some pairs, in a folder of its own.
struct Run {
    folder: tempfile::TempDir,
    server: Server,
    endpoint: Endpoint,
    network: Network,
    pairs: usize,
    /// Further models by the names in the network.
    beside: BTreeMap<String, Arc<dyn ChatModel>>,
    limit: Option<widedeep::run::Limit>,
}

impl Run {
    fn new(server: &Server, pairs: usize) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            server: server.clone(),
            endpoint: endpoint(server),
            network: widedeep(),
            pairs,
            beside: BTreeMap::new(),
            limit: None,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A process begins, or goes on with, the run; it ends with the run's store closed.
    async fn process(&self, settings: Option<BatchSettings>) -> Result<Vec<Judged>, JudgeError> {
        self.heard(settings, &CancellationToken::new(), &mut |_| {}).await
    }

    async fn heard(
        &self,
        settings: Option<BatchSettings>,
        stop: &CancellationToken,
        listen: &mut (dyn FnMut(&Event<'_>) + Send),
    ) -> Result<Vec<Judged>, JudgeError> {
        let meter = Arc::new(Meter::default());
        let model = OpenAiModel::connect_watched(self.endpoint.clone(), meter.watch(&self.endpoint.name()));
        let model = model.await.unwrap();
        let identity = model.identity().clone();
        let config = support::runs::config(Judge::Network {
            network: self.network.clone(),
            model: identity.clone(),
            named: self.beside.values().map(|model| model.identity().clone()).collect(),
        });
        let store = Arc::new(Store::start(self.path(), &config, &pairs(self.pairs))?);
        if let Some(limit) = &self.limit {
            meter.keep_within(limit.clone(), &store)?;
        }
        let collector = settings.map(Collector::new);
        let model: Arc<dyn ChatModel> = match &collector {
            Some(collector) => Arc::new(collector.take(&model)),
            None => Arc::new(model),
        };
        let mut models = self.beside.clone();
        models.insert(identity.name, model);
        let desk = Desk {
            store: &store,
            models: &models,
            prompts: &PROMPTS,
            taxonomy: &TAXONOMY,
            meter: &meter,
            cache: None,
            limits: Limits { concurrency: 4 },
        };
        match &collector {
            Some(collector) => judge_in_batches(&desk, collector, stop, listen).await?,
            None => judge(&desk, stop, listen).await?,
        }
        Ok(store.judged()?)
    }

    fn store(&self) -> Store {
        Store::open(self.path()).unwrap()
    }

    /// Every file that the run has left, by its path in the folder.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.path()).unwrap().display().to_string();
                    files.push((name, std::fs::read(&path).unwrap()));
                }
            }
        }
        files
    }
}

/// What a run decided, without the clock, and without the server's port, which is in the names of models and so in the keys of calls.
fn timeless(judged: &[Judged]) -> Vec<Judged> {
    let mut judged = judged.to_vec();
    judged.sort_by_key(|judged| judged.pair.index);
    for evaluation in judged.iter_mut().filter_map(|judged| judged.evaluation.as_mut()) {
        evaluation.stages.iter_mut().for_each(|stage| stage.seconds = 0.0);
        evaluation.roles.call = None;
        for opinion in &mut evaluation.opinions {
            opinion.model.clear();
            opinion.call = serde_json::from_value(Value::from("")).unwrap();
        }
    }
    judged
}

/// What the run of so many pairs decides when each request is sent as it comes.
async fn interactively(network: &Network, pairs: usize) -> Vec<Judged> {
    let server = honest();
    let mut run = Run::new(&server, pairs);
    run.network = network.clone();
    timeless(&run.process(None).await.unwrap())
}

/// Names that occur more than once.
fn repeated(names: &[String]) -> usize {
    let mut distinct = names.to_vec();
    distinct.sort();
    distinct.dedup();
    names.len() - distinct.len()
}
