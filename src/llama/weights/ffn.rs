//! The shape of a model's feed-forward layers.

use super::{Weights, WeightsError};

/// Feed-forward layers that are all alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ffn {
    /// Layers.
    pub layers: usize,
    /// Units per layer: columns of `ffn_down`.
    pub units: usize,
    /// Numbers that a layer reads and writes per token: rows of `ffn_down`.
    pub width: usize,
    /// Where the gate's weights are.
    pub gate: Gate,
}

/// Where the weights of the gate are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// In `ffn_gate`.
    Separate,
    /// In the first half of the rows of `ffn_up` (Phi-3, GLM-4).
    Fused,
    /// Nowhere: the activation function is applied to what `ffn_up` gives (GPT-2, Phi-2).
    Absent,
}

impl Ffn {
    /// Units of all layers.
    pub fn all_units(&self) -> usize {
        self.layers * self.units
    }
}

impl Weights {
    /// The shape of the feed-forward layers; an error where they are missing, mixtures of experts, or not alike.
    pub fn ffn(&self) -> Result<Ffn, WeightsError> {
        let blocks = self.hyperparameter("block_count")?;
        // Blocks that only predict further tokens come last and are no part of the model's own pass.
        let extra = self.hyperparameter("nextn_predict_layers").unwrap_or(0);
        let layers = usize::try_from(blocks.saturating_sub(extra)).unwrap_or(0);
        let mut shape: Option<(usize, usize)> = None;
        for layer in 0..layers {
            let experts = format!("blk.{layer}.ffn_down_exps.weight");
            let name = format!("blk.{layer}.ffn_down.weight");
            if !self.has(&name) && self.has(&experts) {
                return Err(WeightsError::Experts {
                    path: self.path().to_owned(),
                    layer,
                    tensor: experts,
                });
            }
            let down = self.tensor(&name)?;
            let (units, _) = *shape.get_or_insert((down.columns(), down.rows()));
            if units != down.columns() {
                return Err(WeightsError::Uneven {
                    path: self.path().to_owned(),
                    layer,
                    found: down.columns(),
                    expected: units,
                });
            }
        }
        let (units, width) = shape.ok_or_else(|| self.no_field("block_count"))?;
        let up_rows = self.tensor("blk.0.ffn_up.weight").map_or(0, super::Tensor::rows);
        let gate = if self.has("blk.0.ffn_gate.weight") {
            Gate::Separate
        } else if up_rows == 2 * units {
            Gate::Fused
        } else {
            Gate::Absent
        };
        Ok(Ffn {
            layers,
            units,
            width,
            gate,
        })
    }
}
