//! What the model does while it reads a response: CETT per region, and how it would have predicted the answer.

use std::ops::Range;

use super::rule::{Aggregation, RegionRule};
use super::style::Text;
use crate::llama::{Block, Cett, DownNorms, NextTokens, Predicted, Reads, Reducer, Tap, TapError};

/// Features of one text.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// CETT over the tokens that the response is scored by: layers × units, flat by layer.
    pub scored: Vec<f32>,
    /// CETT over the other tokens; nothing if there is none.
    pub others: Option<Vec<f32>>,
    /// How many tokens each is over.
    pub tokens: (usize, usize),
    /// How the model predicted the scored tokens.
    pub predicted: Prediction,
}

/// How a model predicted some tokens, in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Mean log-probability.
    pub log_probability: f64,
    /// The least log-probability.
    pub lowest: f64,
    /// Mean entropy.
    pub entropy: f64,
    /// Entropy where the first of them was predicted.
    pub first_entropy: f64,
}

/// Reads a text and takes its features. CETT at a position is what the model computes when that token is its *input*: the answer's tokens after they have been
/// produced (spec h_neurons, section 12).
pub fn observe(tap: &mut Tap<'_>, norms: &DownNorms, text: &Text, rule: &RegionRule) -> Result<Observed, TapError> {
    let layout = &text.layout;
    let cett = Cett::new(tap.ffn(), norms, layout.regions(rule.region, rule.other).into());
    let mut reducers = (cett, Answer::new(&layout.scored(rule.region)));
    tap.read(&text.tokens, 0, &mut reducers)?;
    let (cett, answer) = reducers;
    let features = |region: usize| -> Option<Vec<f32>> {
        match rule.aggregation {
            Aggregation::Mean => cett.mean(region).map(|values| single(&values)),
            Aggregation::Max => cett.max(region).map(single),
        }
    };
    Ok(Observed {
        scored: features(0).ok_or(TapError::NoTokens)?,
        others: features(1),
        tokens: (cett.tokens(0), cett.tokens(1)),
        predicted: answer.prediction().ok_or(TapError::NoTokens)?,
    })
}

/// Numbers as features are stored.
#[expect(clippy::cast_possible_truncation, reason = "features are stored in single precision")]
fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// Predictions of the tokens at some positions: a token is predicted where the one before it is read.
pub(super) struct Answer {
    predicting: Range<usize>,
    next: NextTokens,
}

impl Answer {
    pub(super) fn new(positions: &Range<usize>) -> Self {
        Self {
            predicting: positions.start.saturating_sub(1)..positions.end.saturating_sub(1),
            next: NextTokens::default(),
        }
    }

    pub(super) fn prediction(&self) -> Option<Prediction> {
        let tokens = self.next.tokens();
        let logs: Vec<f64> = tokens.iter().filter_map(|token| token.log_probability).collect();
        let lowest = logs.iter().copied().min_by(f64::total_cmp)?;
        Some(Prediction {
            log_probability: logs.iter().sum::<f64>() / logs.len() as f64,
            lowest,
            entropy: tokens.iter().map(|token| token.entropy).sum::<f64>() / tokens.len() as f64,
            first_entropy: tokens.first()?.entropy,
        })
    }
}

impl Reducer for Answer {
    fn reads(&self) -> Reads {
        Reads::PREDICTIONS
    }

    fn block(&mut self, _: &Block<'_>) {}

    fn predicted(&mut self, predicted: &Predicted<'_>) {
        if self.predicting.contains(&predicted.position) {
            self.next.predicted(predicted);
        }
    }
}
