//! What judging took: calls, tokens and seconds per stage of the network.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{cost::Stage, network::Evaluation};

/// The cost of every stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stages {
    /// Pairs over which the means are taken.
    pub pairs: usize,
    /// Roles first, then layers upwards; only the stages that were run.
    pub stages: Vec<StageMetrics>,
    /// All of them together; its `stage` is `total`.
    pub total: StageMetrics,
}

/// The cost of one stage over all pairs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageMetrics {
    /// `roles`, `layer1` …, or `total`.
    pub stage: String,
    /// The sums.
    #[serde(flatten)]
    pub sum: Spent<u64>,
    /// The sums divided by the number of pairs.
    pub per_pair: Spent<f64>,
}

/// Calls, tokens and time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Spent<T> {
    /// Requests, repetitions included.
    pub calls: T,
    /// Prompt tokens.
    pub prompt_tokens: T,
    /// Of these, tokens that were not evaluated again because another call shares them.
    pub cached_prompt_tokens: T,
    /// Tokens of the replies.
    pub completion_tokens: T,
    /// Wall-clock seconds. Pairs that run at the same time share the machine, so the sum may exceed what the run took.
    pub seconds: f64,
}

impl StageMetrics {
    /// The share of the prompt tokens that was taken from the cache; `None` without prompt tokens.
    pub fn shared(&self) -> Option<f64> {
        let Spent {
            prompt_tokens,
            cached_prompt_tokens,
            ..
        } = self.sum;
        (prompt_tokens > 0).then(|| cached_prompt_tokens as f64 / prompt_tokens as f64)
    }

    fn of(stage: String, sum: Spent<u64>, pairs: usize) -> Self {
        // Over no pairs there are no stages, so the sums are 0 and so are the means.
        let mean = |sum: f64| if pairs == 0 { 0.0 } else { sum / pairs as f64 };
        Self {
            stage,
            sum,
            per_pair: Spent {
                calls: mean(sum.calls as f64),
                prompt_tokens: mean(sum.prompt_tokens as f64),
                cached_prompt_tokens: mean(sum.cached_prompt_tokens as f64),
                completion_tokens: mean(sum.completion_tokens as f64),
                seconds: mean(sum.seconds),
            },
        }
    }
}

/// The cost in the making.
#[derive(Default)]
pub(super) struct Sums {
    stages: BTreeMap<Stage, Spent<u64>>,
    total: Spent<u64>,
    pairs: usize,
}

impl Sums {
    pub(super) fn add(&mut self, evaluation: &Evaluation) {
        self.pairs += 1;
        for record in &evaluation.stages {
            for sum in [self.stages.entry(record.stage).or_default(), &mut self.total] {
                sum.calls += record.calls as u64;
                sum.prompt_tokens += record.usage.prompt;
                sum.cached_prompt_tokens += record.usage.cached_prompt;
                sum.completion_tokens += record.usage.completion;
                sum.seconds += record.seconds;
            }
        }
    }

    pub(super) fn finish(self) -> Stages {
        let pairs = self.pairs;
        Stages {
            pairs,
            stages: self
                .stages
                .into_iter()
                .map(|(stage, sum)| StageMetrics::of(stage.to_string(), sum, pairs))
                .collect(),
            total: StageMetrics::of("total".to_owned(), self.total, pairs),
        }
    }
}
