//! One instance's score per unit, from its tokens.

use serde::{Deserialize, Serialize};

use crate::inside::bricks::{Element, ShapeError};

/// How the tokens of an instance make one number per unit (spec §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// The mean of `|a|`: Configurable Foundation Models.
    MeanAbsolute,
    /// The maximum of `ReLU(a)`, on pre-activations: Emergent Modularity.
    MaximumPositive,
    /// `|a|` at the last token.
    LastAbsolute,
}

/// Takes the tokens of one instance, one layer.
#[derive(Debug, Clone)]
pub struct Aggregate {
    aggregation: Aggregation,
    tokens: usize,
    values: Vec<f64>,
}

impl Aggregate {
    /// No token yet.
    pub fn new(aggregation: Aggregation, units: usize) -> Self {
        Self {
            aggregation,
            tokens: 0,
            values: vec![0.0; units],
        }
    }

    /// Takes a token's activations `[units]`.
    pub fn push<T: Element>(&mut self, activations: &[T]) -> Result<(), ShapeError> {
        ShapeError::check("activations of a token", activations.len(), self.values.len())?;
        self.tokens += 1;
        for (held, &value) in self.values.iter_mut().zip(activations) {
            let value: f64 = value.into();
            match self.aggregation {
                Aggregation::MeanAbsolute => *held += value.abs(),
                Aggregation::MaximumPositive if value > *held => *held = value,
                Aggregation::MaximumPositive => {}
                Aggregation::LastAbsolute => *held = value.abs(),
            }
        }
        Ok(())
    }

    /// The instance's scores `[units]`; `None` without a token. A mean is `sum / tokens` in f64, so that equal rationals stay tied.
    pub fn finish(mut self) -> Option<Vec<f64>> {
        if self.tokens == 0 {
            return None;
        }
        if self.aggregation == Aggregation::MeanAbsolute {
            let tokens = self.tokens as f64;
            self.values.iter_mut().for_each(|value| *value /= tokens);
        }
        Some(self.values)
    }
}
