//! What the measurements have in common: the model, the pairs, the network, the engines.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Context;
use widedeep::chat::LocalModel;
use widedeep::fetch;
use widedeep::llama::{EngineConfig, Sharing, Threads};
use widedeep::network::spec::Neighbourhood;
use widedeep::network::{Network, shipped};
use widedeep::pair::{self, BadLines, Pair, Source};

use super::Arguments;

/// The roles, of which a network of width w has the first w.
pub const ROLES: [&str; 16] = [
    "Accuracy",
    "Relevance",
    "Clarity",
    "Completeness",
    "Coherence",
    "Helpfulness",
    "Depth",
    "Conciseness",
    "Safety",
    "Style",
    "Logic",
    "Creativity",
    "Grammar",
    "Tone",
    "Structure",
    "Honesty",
];

/// The evaluation that is compared has so many.
pub const WIDTH: usize = 4;

pub struct Setting {
    pub model: PathBuf,
    pub model_name: String,
    pub pairs: Vec<Pair>,
    /// All pairs of the benchmark.
    pub benchmark: Vec<Pair>,
    pub repeats: usize,
    pub threads: NonZeroUsize,
    pub evidence: usize,
    pub tools: PathBuf,
    /// Whether llama-server's slots share one cache.
    pub unified_cache: bool,
    /// Whether neurons of networks wider than four read all reviews, too.
    pub all_reviews: bool,
    /// Where tables go.
    pub out: Option<PathBuf>,
    /// Keep what is measured there already.
    pub go_on: bool,
}

impl Setting {
    pub fn new(arguments: &Arguments) -> anyhow::Result<Self> {
        let source = Source {
            path: arguments.data.clone(),
            format: None,
        };
        let benchmark = pair::read(&source, BadLines::Stop)?.pairs;
        let mut pairs = listed(&benchmark)?;
        pairs.sort_by_key(characters);
        Ok(Self {
            model: fetch::resolve_model(&arguments.model)?,
            model_name: arguments.model.clone(),
            pairs: pairs.into_iter().take(arguments.pairs).collect(),
            benchmark,
            repeats: arguments.repeats.get(),
            threads: arguments.threads,
            evidence: arguments.evidence,
            tools: arguments.tools.clone(),
            unified_cache: arguments.unified_cache,
            all_reviews: arguments.all_reviews,
            out: arguments.out.clone(),
            go_on: arguments.go_on,
        })
    }

    /// `widedeep` with so many fixed roles: both orders, two layers.
    pub fn network(&self, width: usize) -> anyhow::Result<Network> {
        self.network_with(width, &[])
    }

    /// The same with other keys set.
    pub fn network_with(&self, width: usize, overrides: &[&str]) -> anyhow::Result<Network> {
        let names: Vec<String> = ROLES[..width].iter().map(|role| format!("\"{role}\"")).collect();
        let mut keys = vec![
            "roles.source=fixed".to_owned(),
            format!("roles.names=[{}]", names.join(", ")),
            format!("reply.evidence_tokens={}", self.evidence),
        ];
        keys.extend(overrides.iter().map(|&key| key.to_owned()));
        let text = shipped("widedeep").context("the program ships `widedeep`")?;
        let mut network = Network::parse(text, "widedeep", &keys)?;
        if self.all_reviews {
            for layer in &mut network.layers[1..] {
                layer.neighbourhood = Neighbourhood::All;
            }
        }
        Ok(network)
    }

    /// The engine as users get it, but for the threads.
    pub fn config(&self) -> EngineConfig {
        EngineConfig {
            threads: Threads::Fixed(self.threads),
            ..EngineConfig::default()
        }
    }

    /// The engine that evaluates one call after the other, each for itself.
    pub fn plain_config(&self) -> EngineConfig {
        EngineConfig {
            parallel: 1,
            sharing: Sharing::Nothing,
            ..self.config()
        }
    }

    pub fn load(&self, config: &EngineConfig) -> anyhow::Result<LocalModel> {
        Ok(LocalModel::load(&self.model, &self.model_name, config)?)
    }
}

/// The pairs of pairs.csv, checked against what the list says of them.
fn listed(benchmark: &[Pair]) -> anyhow::Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for row in csv::Reader::from_reader(include_str!("pairs.csv").as_bytes()).records() {
        let row = row?;
        let index: usize = row[0].parse()?;
        let pair = benchmark
            .get(index)
            .filter(|pair| pair.dataset == row[1] && characters(pair).to_string() == row[2]);
        pairs.push(
            pair.with_context(|| format!("pair {index} is not what pairs.csv says: is this LLMEval²'s file?"))?
                .clone(),
        );
    }
    Ok(pairs)
}

/// The length by which pairs were chosen.
pub fn characters(pair: &Pair) -> usize {
    [&pair.query, &pair.response1, &pair.response2]
        .iter()
        .map(|text| text.chars().count())
        .sum()
}
