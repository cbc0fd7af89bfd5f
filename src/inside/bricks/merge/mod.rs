//! One tensor out of several (spec §6.2).
//!
//! Models of one architecture are merged tensor by tensor: each function takes the values of one tensor from every model, all in one order, and gives the values of the
//! result. Sums are in f64. [`merge`] dispatches on a [`Method`]; [`fisher`] and [`regmean`] need more than weights and stand alone.

mod average;
mod delta;
mod method;
mod slerp;

pub use average::{fisher, linear, regmean};
pub use delta::{Election, Rescale, bernoulli_masks, dare, task_arithmetic, ties};
pub use method::{Method, merge};
pub use slerp::{NEARLY_PARALLEL, slerp};

use super::{Element, ShapeError};

/// Whether a weighted sum is divided by the sum of its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// Divided: an average.
    Normalised,
    /// As it is: a sum.
    Raw,
}

/// One model's tensor and its weight.
#[derive(Debug, Clone, Copy)]
pub struct Weighted<'a, T> {
    /// The values.
    pub values: &'a [T],
    /// The weight.
    pub weight: f64,
}

/// Tensors that do not merge.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MergeError {
    /// Shapes differ.
    #[error("failed to merge: {0}")]
    Shape(#[from] ShapeError),
    /// Too few or too many models.
    #[error("{method} merges {needed} models, and {found} were given")]
    Models {
        /// The method.
        method: &'static str,
        /// How many it takes, in words.
        needed: &'static str,
        /// How many there are.
        found: usize,
    },
    /// No base.
    #[error("{0} works on differences from a base model; give the model that all others were tuned from")]
    NoBase(&'static str),
    /// Weights that add up to nothing.
    #[error("the weights add up to 0; an average needs weights with another sum, or no normalisation")]
    NoWeight,
    /// A parameter outside its range.
    #[error("{name} is {found}, and must be {range}")]
    Range {
        /// The parameter.
        name: &'static str,
        /// Its value.
        found: f64,
        /// What is possible.
        range: &'static str,
    },
    /// The inputs of a regression do not determine its answer.
    #[error("the inputs' products are singular; capture more tokens, or lower the off-diagonal factor")]
    Singular,
}

fn check_fit<T>(models: &[Weighted<'_, T>], length: usize) -> Result<(), MergeError> {
    let fits = models
        .iter()
        .try_for_each(|model| ShapeError::check("tensor size", model.values.len(), length));
    Ok(fits?)
}

fn check_range(
    name: &'static str,
    found: f64,
    range: &'static str,
    fits: impl Fn(f64) -> bool,
) -> Result<(), MergeError> {
    if fits(found) {
        return Ok(());
    }
    Err(MergeError::Range { name, found, range })
}

fn value<T: Element>(values: &[T], nth: usize) -> f64 {
    values[nth].into()
}
