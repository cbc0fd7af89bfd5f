//! GGUF files as a source of weights, and what their headers say of heads, norms and wiring.

use std::error::Error;
use std::ops::Range;

use super::OpenError;
use crate::inside::topology::decoder::{Heads, Wiring};
use crate::inside::topology::text::Norm;
use crate::inside::topology::weights::{Shape, Weights};
use crate::llama::{self, Value, WeightsError};

impl Weights for llama::Weights {
    type Value = f32;

    fn shape(&self, tensor: &str) -> Option<Shape> {
        // Asked about many names that most models lack: an error would search for similar ones each time.
        if !self.has(tensor) {
            return None;
        }
        let tensor = self.tensor(tensor).ok()?;
        Some(Shape {
            rows: tensor.rows(),
            columns: tensor.columns(),
        })
    }

    fn read(&self, tensor: &str, rows: Range<usize>, into: &mut Vec<f32>) -> Result<(), Box<dyn Error + Send + Sync>> {
        *into = self.rows(tensor, rows)?;
        Ok(())
    }
}

/// A key that belongs to the architecture.
fn key(weights: &llama::Weights, name: &str) -> Result<String, WeightsError> {
    Ok(format!("{}.{name}", weights.architecture()?))
}

/// `attention.head_count` and `attention.head_count_kv`; without the second, every query head has a key head of its own.
pub(super) fn heads(weights: &llama::Weights) -> Result<Heads, OpenError> {
    let count = |name: &str| -> Result<Option<usize>, OpenError> {
        let key = key(weights, name)?;
        match weights.field(&key) {
            None => Ok(None),
            Some(Value::List(_)) => Err(OpenError::PerBlock {
                path: weights.path().to_owned(),
                key,
            }),
            Some(value) => Ok(value.as_number().and_then(|count| usize::try_from(count).ok())),
        }
    };
    let query = match count("attention.head_count")? {
        Some(query) => query,
        // Says which key is missing.
        None => usize::try_from(weights.hyperparameter("attention.head_count")?).unwrap_or(0),
    };
    Ok(Heads {
        query,
        key_value: count("attention.head_count_kv")?.unwrap_or(query),
    })
}

/// Architectures of which llama.cpp adds attention and FFN to the same stream.
const PARALLEL: [&str; 6] = ["falcon", "gptj", "phi2", "command-r", "cohere2", "plamo"];

/// How attention and FFN follow one another.
pub(super) fn wiring(weights: &llama::Weights) -> Result<Wiring, OpenError> {
    let parallel = match weights.field(&key(weights, "use_parallel_residual")?) {
        Some(Value::Flag(parallel)) => *parallel,
        _ => PARALLEL.contains(&weights.architecture()?),
    };
    Ok(if parallel { Wiring::Parallel } else { Wiring::Sequential })
}

/// The norms' kind, by which of the two epsilons there is.
pub(super) fn norm(weights: &llama::Weights) -> Result<Norm, OpenError> {
    let eps = |name: &str| -> Result<Option<f64>, OpenError> {
        match weights.field(&key(weights, name)?) {
            Some(Value::Float(eps)) => Ok(Some(*eps)),
            _ => Ok(None),
        }
    };
    // Headers may have both, and a LayerNorm has a bias: what the tensors say goes first.
    if let (Some(eps), true) = (eps("attention.layer_norm_epsilon")?, weights.has("blk.0.ffn_norm.bias")) {
        return Ok(Norm::Layer { eps });
    }
    if let Some(eps) = eps("attention.layer_norm_rms_epsilon")? {
        return Ok(Norm::Rms { eps });
    }
    match eps("attention.layer_norm_epsilon")? {
        Some(eps) => Ok(Norm::Layer { eps }),
        None => Err(WeightsError::NoField {
            path: weights.path().to_owned(),
            key: key(weights, "attention.layer_norm_rms_epsilon")?,
        }
        .into()),
    }
}
