//! One pair through a network, timed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use widedeep::chat::{ChatModel, LocalModel, Usage};
use widedeep::llama::{Sampling, Speaker, Step, Turn};
use widedeep::network::{Network, Panel, evaluate};
use widedeep::pair::{Pair, Taxonomy};
use widedeep::prompt::Prompts;

/// What all pairs are judged with.
pub struct Judge {
    pub network: Network,
    pub prompts: Prompts,
    pub taxonomy: Taxonomy,
    pub runtime: tokio::runtime::Runtime,
}

/// A judged pair.
pub struct Judged {
    pub took: Duration,
    pub calls: usize,
    pub usage: Usage,
    /// Both scores of every opinion, where it has any.
    pub scores: Vec<Option<(f64, f64)>>,
}

impl Judge {
    pub fn new(network: Network) -> anyhow::Result<Self> {
        Ok(Self {
            network,
            prompts: Prompts::embedded(),
            taxonomy: Taxonomy::embedded(),
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?,
        })
    }

    /// Takes the pair through the network.
    pub fn judge(&self, model: Arc<dyn ChatModel>, pair: &Pair) -> anyhow::Result<Judged> {
        let family = self.prompts.family(self.taxonomy.family(&pair.dataset).family)?;
        let panel = Panel::new(model, BTreeMap::new());
        let setting = widedeep::network::Setting {
            network: &self.network,
            prompts: &self.prompts,
            family,
            panel: &panel,
            seed: 0,
        };
        let clock = Instant::now();
        let evaluation = self.runtime.block_on(evaluate(pair, &setting));
        let took = clock.elapsed();
        let evaluation = evaluation.with_context(|| format!("pair {}", pair.index))?;
        let mut usage = Usage::default();
        for stage in &evaluation.stages {
            usage += stage.usage;
        }
        let scores = evaluation.opinions.iter().map(|opinion| {
            let pair = opinion.vote().pair(widedeep::network::aggregate::Reading::Argmax)?;
            Some((pair.score1.to_f64(), pair.score2.to_f64()))
        });
        Ok(Judged {
            took,
            calls: evaluation.stages.iter().map(|stage| stage.calls).sum(),
            usage,
            scores: scores.collect(),
        })
    }
}

/// Makes the engine give up its cache, which it keeps while one pair is judged: who is measured on the same pair again would find all prompts there.
pub fn forget(model: &LocalModel) -> anyhow::Result<()> {
    let engine = model.engine();
    let turns = [Turn {
        speaker: Speaker::User,
        content: "Hello".to_owned(),
    }];
    let steps = [Step::Generate {
        max_tokens: 1,
        stop: Vec::new(),
    }];
    let job = engine.job(
        engine.model().prompt(&turns)?,
        engine.model().script(&steps),
        Sampling::greedy(),
        u64::MAX,
    );
    for reply in pollster::block_on(engine.submit(vec![job])) {
        reply?;
    }
    Ok(())
}

/// How many of two judgements' opinions give the same two scores.
pub fn agreeing(one: &[Option<(f64, f64)>], other: &[Option<(f64, f64)>]) -> usize {
    one.iter().zip(other).filter(|(one, other)| one == other).count()
}
