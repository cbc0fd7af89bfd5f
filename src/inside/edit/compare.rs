//! How far two ways to compute a text's predictions are apart.

use crate::llama::{Block, Predicted, Reads, Reducer, Tap, TapError};

/// Logits at every position of a text, with the tokens that followed.
#[derive(Debug, Clone, Default)]
pub struct Predictions {
    rows: Vec<(Vec<f32>, Option<usize>)>,
}

/// Predictions of one text beside others of the same text.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Comparison {
    /// Tokens of the text.
    pub tokens: usize,
    /// Perplexity by the first predictions.
    pub before: f64,
    /// Perplexity by the second.
    pub after: f64,
    /// Mean over positions of `KL(first ‖ second)` of the next token, in nats.
    pub divergence: f64,
    /// The largest difference of two logits.
    pub largest_logit: f64,
    /// The largest difference of two log-probabilities, in nats, of tokens that the first gives more than 1 %.
    pub largest_likely: f64,
    /// The share of positions at which the most likely token is the same.
    pub same_choice: f64,
}

/// Predictions that do not compare.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// Other texts, or models with other vocabularies.
    #[error(
        "predictions of {0} and {1} positions, or of other vocabularies, do not compare; use one text and models with one vocabulary"
    )]
    Shape(usize, usize),
    /// Nothing was predicted.
    #[error("a text of one token predicts nothing; give a longer one")]
    Nothing,
}

impl Reducer for Predictions {
    fn reads(&self) -> Reads {
        Reads::PREDICTIONS
    }

    fn block(&mut self, _: &Block<'_>) {}

    fn predicted(&mut self, predicted: &Predicted<'_>) {
        self.rows.push((predicted.logits.to_vec(), predicted.next));
    }
}

impl Predictions {
    /// Whether all logits are the same bits.
    pub fn same_bits(&self, other: &Self) -> bool {
        let bits = |row: &(Vec<f32>, Option<usize>)| row.0.iter().map(|logit| logit.to_bits()).collect::<Vec<u32>>();
        self.rows.len() == other.rows.len()
            && self
                .rows
                .iter()
                .zip(&other.rows)
                .all(|(left, right)| bits(left) == bits(right))
    }

    /// Log-probabilities of the next token at the last position.
    pub fn last(&self) -> Vec<f64> {
        self.rows.last().map(|row| log_softmax(&row.0)).unwrap_or_default()
    }
}

/// The logits at every position of a text: tokens × vocabulary floats.
pub fn predictions(tap: &mut Tap<'_>, text: &str, most: usize) -> Result<Predictions, TapError> {
    let mut tokens = tap.model().tokens(text);
    tokens.truncate(most);
    let mut predictions = Predictions::default();
    tap.read(&tokens, 0, &mut predictions)?;
    Ok(predictions)
}

/// Sets the second predictions beside the first.
pub fn compare(first: &Predictions, second: &Predictions) -> Result<Comparison, CompareError> {
    let shapes = |predictions: &Predictions| predictions.rows.iter().map(|row| row.0.len()).collect::<Vec<_>>();
    if shapes(first) != shapes(second) {
        return Err(CompareError::Shape(first.rows.len(), second.rows.len()));
    }
    let mut comparison = Comparison {
        tokens: first.rows.len(),
        before: 0.0,
        after: 0.0,
        divergence: 0.0,
        largest_logit: 0.0,
        largest_likely: 0.0,
        same_choice: 0.0,
    };
    let (mut predicted, mut same) = (0.0, 0.0);
    for ((left, next), (right, _)) in first.rows.iter().zip(&second.rows) {
        let (before, after) = (log_softmax(left), log_softmax(right));
        for (left, right) in left.iter().zip(right) {
            raise(&mut comparison.largest_logit, f64::from((left - right).abs()));
        }
        for (before, after) in before.iter().zip(&after) {
            let probability = before.exp();
            if probability > 0.0 {
                comparison.divergence += probability * (before - after);
            }
            if probability > 0.01 {
                raise(&mut comparison.largest_likely, (before - after).abs());
            }
        }
        same += f64::from(u8::from(most_likely(left) == most_likely(right)));
        if let Some(next) = *next
            && next < before.len()
        {
            predicted += 1.0;
            comparison.before -= before[next];
            comparison.after -= after[next];
        }
    }
    if predicted == 0.0 {
        return Err(CompareError::Nothing);
    }
    let rows = first.rows.len() as f64;
    comparison.divergence /= rows;
    comparison.same_choice = same / rows;
    comparison.before = (comparison.before / predicted).exp();
    comparison.after = (comparison.after / predicted).exp();
    Ok(comparison)
}

fn raise(most: &mut f64, value: f64) {
    if value > *most || value.is_nan() {
        *most = value;
    }
}

fn most_likely(logits: &[f32]) -> Option<usize> {
    (0..logits.len()).max_by(|&left, &right| logits[left].total_cmp(&logits[right]))
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().max_by(f32::total_cmp).map_or(0.0, f64::from);
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - highest).exp()).sum();
    let normaliser = highest + sum.ln();
    logits.iter().map(|&logit| f64::from(logit) - normaliser).collect()
}
