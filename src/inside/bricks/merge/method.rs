//! Methods as data.

use serde::{Deserialize, Serialize};

use super::{
    Election, MergeError, Rescale, Weighted, Weighting, bernoulli_masks, dare, linear, slerp, task_arithmetic, ties,
};
use crate::inside::bricks::Element;

/// How tensors become one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "method")]
pub enum Method {
    /// The weighted average or sum.
    Linear {
        /// Average or sum.
        weighting: Weighting,
    },
    /// Along the arc between two models.
    Slerp {
        /// 0 gives the first, 1 the second.
        t: f64,
    },
    /// The base and the models' weighted differences from it.
    TaskArithmetic {
        /// What the differences are multiplied by.
        lambda: f64,
        /// Average or sum.
        weighting: Weighting,
    },
    /// The base and the largest differences that agree in sign.
    Ties {
        /// Which fraction of each model's differences is kept.
        density: f64,
        /// What the differences are multiplied by.
        lambda: f64,
        /// Average over those that agree, or sum.
        weighting: Weighting,
    },
    /// The base and a random part of the differences.
    Dare {
        /// Which fraction of each model's differences is kept.
        density: f64,
        /// What the differences are multiplied by.
        lambda: f64,
        /// How the loss of the others is made up.
        rescale: Rescale,
        /// Whether signs must agree.
        election: Election,
        /// What the choice is drawn from.
        seed: u64,
    },
}

/// Merges one tensor of several models. `base` is needed by all methods but linear and SLERP; SLERP takes two models and ignores their weights. `tensor` makes the random
/// choices of one tensor differ from the next one's.
pub fn merge<T: Element>(
    method: Method,
    base: Option<&[T]>,
    models: &[Weighted<'_, T>],
    tensor: u64,
) -> Result<Vec<T>, MergeError> {
    let from = |name| base.ok_or(MergeError::NoBase(name));
    match method {
        Method::Linear { weighting } => linear(models, weighting),
        Method::Slerp { t } => match models {
            [first, second] => slerp(first.values, second.values, t),
            _ => Err(MergeError::Models {
                method: "SLERP",
                needed: "exactly two",
                found: models.len(),
            }),
        },
        Method::TaskArithmetic { lambda, weighting } => {
            task_arithmetic(from("task arithmetic")?, models, lambda, weighting)
        }
        Method::Ties {
            density,
            lambda,
            weighting,
        } => ties(from("TIES")?, models, density, lambda, weighting),
        Method::Dare {
            density,
            lambda,
            rescale,
            election,
            seed,
        } => {
            let base = from("DARE")?;
            let masks = bernoulli_masks(models.len(), base.len(), density, seed, tensor)?;
            dare(base, models, &masks, density, lambda, rescale, election)
        }
    }
}
