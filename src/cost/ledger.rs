//! Every request that was made, summed per stage of the network.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Price, Tokens};

/// A stage of the network. Written `roles`, `layer1`, `layer2` …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Stage {
    /// Role generation.
    Roles,
    /// A layer, 0-based: `Layer(0)` is the one written `layer1`.
    Layer(usize),
}

impl Stage {
    /// The stage of a request's origin: 0 is role generation, 1 the first layer.
    pub fn numbered(stage: u32) -> Self {
        match stage.checked_sub(1) {
            None => Self::Roles,
            Some(layer) => Self::Layer(layer as usize),
        }
    }
}

/// A text that names no [`Stage`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no stage of a network: write `roles`, or `layer1` and upwards")]
pub struct StageError {
    /// The text.
    pub text: String,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roles => f.pad("roles"),
            Self::Layer(layer) => f.pad(&format!("layer{}", layer + 1)),
        }
    }
}

impl FromStr for Stage {
    type Err = StageError;

    fn from_str(text: &str) -> Result<Self, StageError> {
        if text == "roles" {
            return Ok(Self::Roles);
        }
        text.strip_prefix("layer")
            .and_then(|number| number.parse::<usize>().ok()?.checked_sub(1))
            .map(Self::Layer)
            .ok_or_else(|| StageError { text: text.to_owned() })
    }
}

impl From<Stage> for String {
    fn from(stage: Stage) -> Self {
        stage.to_string()
    }
}

impl TryFrom<String> for Stage {
    type Error = StageError;

    fn try_from(text: String) -> Result<Self, StageError> {
        text.parse()
    }
}

/// Whether a request was a call's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attempt {
    /// The first request of a call.
    First,
    /// Another request because the one before failed or could not be read. It costs as much.
    Retry,
}

/// Where a reply came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Served {
    /// The model: billed.
    Model,
    /// The model, by way of its provider's Batch API: billed at a lower price.
    Batch,
    /// Our own cache of replies: free, but it would have been billed.
    Cache,
}

impl Served {
    /// As it is written down.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Batch => "batch",
            Self::Cache => "cache",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Model, Self::Batch, Self::Cache]
            .into_iter()
            .find(|served| served.name() == name)
    }
}

/// Requests of a run that have all of this in common, and their sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Name of the model.
    pub model: String,
    /// The stage; `None` for requests that find out what an endpoint can do.
    pub stage: Option<Stage>,
    /// The neuron within its layer, 0-based.
    pub neuron: Option<usize>,
    /// First requests, or repetitions.
    pub attempt: Attempt,
    /// By whom they were answered.
    pub served: Served,
    /// How many.
    pub requests: u64,
    /// Tokens, as far as they are known.
    pub tokens: Tokens,
    /// Requests that may be billed although nobody said how many tokens they took: cut off, timed out, or answered without usage.
    pub unknown: u64,
    /// The most that those can have taken.
    pub unknown_at_most: Tokens,
}

/// The sums of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StageTotal {
    /// Requests, retries and cached replies included.
    pub requests: u64,
    /// Of these, retries.
    pub retries: u64,
    /// Of these, served from our own cache.
    pub cached: u64,
    /// Tokens billed, retries included.
    pub billed: Tokens,
    /// Tokens of replies from our own cache.
    pub saved: Tokens,
    /// Tokens of retries, billed or saved.
    pub retried: Tokens,
}

impl StageTotal {
    /// Tokens that would have been billed without our own cache.
    pub fn without_cache(&self) -> Tokens {
        self.billed + self.saved
    }
}

/// The requests of one pair or of a whole run, all at one price list's model (spec section 10.5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ledger {
    stages: BTreeMap<Stage, StageTotal>,
}

impl Ledger {
    /// Enters one request. A request that brought nothing has no tokens and is still entered: it was made.
    pub fn record(&mut self, stage: Stage, tokens: Tokens, attempt: Attempt, served: Served) {
        let total = self.stages.entry(stage).or_default();
        total.requests += 1;
        match served {
            Served::Model | Served::Batch => total.billed += tokens,
            Served::Cache => {
                total.cached += 1;
                total.saved += tokens;
            }
        }
        if attempt == Attempt::Retry {
            total.retries += 1;
            total.retried += tokens;
        }
    }

    /// Enters all requests of a line. Requests of no stage, which find out what an endpoint can do, are left out.
    pub fn enter(&mut self, line: &Line) {
        let Some(stage) = line.stage else { return };
        let total = self.stages.entry(stage).or_default();
        total.requests += line.requests;
        match line.served {
            Served::Model | Served::Batch => total.billed += line.tokens,
            Served::Cache => {
                total.cached += line.requests;
                total.saved += line.tokens;
            }
        }
        if line.attempt == Attempt::Retry {
            total.retries += line.requests;
            total.retried += line.tokens;
        }
    }

    /// Adds another ledger's sums.
    pub fn merge(&mut self, other: &Self) {
        for (&stage, total) in &other.stages {
            let sum = self.stages.entry(stage).or_default();
            sum.requests += total.requests;
            sum.retries += total.retries;
            sum.cached += total.cached;
            sum.billed += total.billed;
            sum.saved += total.saved;
            sum.retried += total.retried;
        }
    }

    /// The stages that made requests: roles first, then layers upwards.
    pub fn stages(&self) -> impl Iterator<Item = (Stage, &StageTotal)> {
        self.stages.iter().map(|(&stage, total)| (stage, total))
    }

    /// One stage's sums; all zero when it made no request.
    pub fn stage(&self, stage: Stage) -> StageTotal {
        self.stages.get(&stage).copied().unwrap_or_default()
    }

    /// What was paid, in US dollars: every request of every stage at the price of ordinary requests, retries included, replies from our own
    /// cache free.
    pub fn true_cost(&self, price: &Price) -> f64 {
        price.of(self.stages.values().map(|total| total.billed).sum())
    }

    /// What would have been paid without our own cache, in US dollars.
    pub fn cost_without_cache(&self, price: &Price) -> f64 {
        price.of(self.stages.values().map(StageTotal::without_cache).sum())
    }

    /// What the released code reports, in US dollars (defect B2): roles and layer 1 when that is the only layer, otherwise the last
    /// layer and layer 1. Role generation and middle layers are lost. It knows no cache of replies, so those count as billed.
    pub fn compat_cost(&self, price: &Price) -> f64 {
        let cost = |stage| price.of(self.stage(stage).without_cache());
        // The running cost starts with roles; every deeper layer overwrites it, and layer 1 is added at the end.
        let running = match self.stages.keys().next_back() {
            Some(&last @ Stage::Layer(1..)) => last,
            _ => Stage::Roles,
        };
        cost(running) + cost(Stage::Layer(0))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const PRICE: Price = Price {
        prompt: 2.0,
        cached_prompt: None,
        completion: 2.0,
    };

    /// Spec 14.7: roles 500 + 100; layer 1, four calls of 600 + 200; deeper layers, four calls of 1,500 + 200 each.
    fn ledger(layers: usize) -> Ledger {
        let mut ledger = Ledger::default();
        let mut first = |stage, tokens| ledger.record(stage, tokens, Attempt::First, Served::Model);
        first(Stage::Roles, Tokens::new(500, 100));
        for layer in 0..layers {
            let prompt = if layer == 0 { 600 } else { 1500 };
            for _ in 0..4 {
                first(Stage::Layer(layer), Tokens::new(prompt, 200));
            }
        }
        ledger
    }

    fn assert_usd(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
    }

    #[test]
    fn two_layers_cost_the_sum_of_all_stages() {
        let ledger = ledger(2);
        let stage = |stage| PRICE.of(ledger.stage(stage).billed);
        assert_usd(stage(Stage::Roles), 0.0012);
        assert_usd(stage(Stage::Layer(0)), 0.0064);
        assert_usd(stage(Stage::Layer(1)), 0.0136);
        assert_usd(ledger.true_cost(&PRICE), 0.0212);
        assert_usd(ledger.compat_cost(&PRICE), 0.0200);
    }

    #[test]
    fn a_third_layer_costs_more_and_the_released_code_does_not_see_it() {
        assert_usd(ledger(3).true_cost(&PRICE), 0.0348);
        assert_usd(ledger(3).compat_cost(&PRICE), 0.0200);
    }

    #[test]
    fn with_one_layer_the_released_code_is_right() {
        assert_usd(ledger(1).compat_cost(&PRICE), 0.0076);
        assert_usd(ledger(1).true_cost(&PRICE), 0.0076);
        assert_usd(ledger(0).compat_cost(&PRICE), 0.0012);
        assert_usd(Ledger::default().compat_cost(&PRICE), 0.0);
    }

    #[test]
    fn an_outage_costs_nothing_and_a_retry_costs_what_it_used() {
        let mut ledger = ledger(2);
        ledger.record(Stage::Layer(1), Tokens::default(), Attempt::Retry, Served::Model);
        assert_usd(ledger.true_cost(&PRICE), 0.0212);
        ledger.record(Stage::Layer(1), Tokens::new(1500, 200), Attempt::Retry, Served::Model);
        assert_usd(ledger.true_cost(&PRICE), 0.0246);
        let total = ledger.stage(Stage::Layer(1));
        assert_eq!(
            (total.requests, total.retries, total.retried),
            (6, 2, Tokens::new(1500, 200))
        );
    }

    #[test]
    fn a_reply_from_our_cache_is_free_and_would_have_been_billed() {
        let mut ledger = ledger(2);
        ledger.record(Stage::Layer(0), Tokens::new(600, 200), Attempt::First, Served::Cache);
        assert_usd(ledger.true_cost(&PRICE), 0.0212);
        assert_usd(ledger.cost_without_cache(&PRICE), 0.0228);
        assert_eq!(ledger.stage(Stage::Layer(0)).cached, 1);
    }

    #[test]
    fn merging_adds_stage_by_stage() {
        let mut sum = ledger(1);
        sum.merge(&ledger(3));
        assert_usd(sum.true_cost(&PRICE), 0.0076 + 0.0348);
        assert_eq!(sum.stage(Stage::Layer(0)).requests, 8);
        let stages: Vec<String> = sum.stages().map(|(stage, _)| stage.to_string()).collect();
        assert_eq!(stages, ["roles", "layer1", "layer2", "layer3"]);
    }

    #[test]
    fn a_ledger_survives_json_with_its_stages_as_keys() {
        let json = serde_json::to_value(ledger(2)).unwrap();
        assert_eq!(json["layer2"]["billed"]["prompt"], 6000);
        assert_eq!(serde_json::from_value::<Ledger>(json).unwrap(), ledger(2));
        for text in ["layer0", "layer", "Roles", "layer-1", ""] {
            assert!(text.parse::<Stage>().is_err(), "{text}");
        }
    }
}
