//! What a model's feed-forward layers consist of, as its file says.

use std::path::PathBuf;

use super::place::Part;
use super::{Reads, TapError};
use crate::llama::weights::{Ffn, Gate, Weights};

/// Shape of the layers, with the biases, which are added after the products that are watched.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) ffn: Ffn,
    path: PathBuf,
    has_up: bool,
    /// Per layer; empty where there is none.
    down_bias: Vec<Vec<f32>>,
    gate_bias: Vec<Vec<f32>>,
    up_bias: Vec<Vec<f32>>,
}

impl Layout {
    pub(super) fn new(weights: &Weights) -> Result<Self, TapError> {
        let ffn = weights.ffn()?;
        for part in [Part::Down, Part::Gate, Part::Up] {
            for layer in 0..ffn.layers {
                let tensor = part.tensor(layer, "scale");
                if weights.has(&tensor) {
                    let path = weights.path().to_owned();
                    return Err(TapError::Scaled { path, tensor });
                }
            }
        }
        let biases = |part: Part| -> Result<Vec<Vec<f32>>, TapError> {
            let mut biases = Vec::with_capacity(ffn.layers);
            for layer in 0..ffn.layers {
                let name = part.tensor(layer, "bias");
                biases.push(if weights.has(&name) {
                    weights.all(&name)?
                } else {
                    Vec::new()
                });
            }
            Ok(biases)
        };
        Ok(Self {
            ffn,
            path: weights.path().to_owned(),
            has_up: weights.has(&Part::Up.tensor(0, "weight")),
            down_bias: biases(Part::Down)?,
            gate_bias: biases(Part::Gate)?,
            up_bias: biases(Part::Up)?,
        })
    }

    /// Whether what is asked for exists.
    pub(super) fn check(&self, reads: Reads) -> Result<(), TapError> {
        if reads.contains(Reads::GATE) && self.ffn.gate == Gate::Absent {
            let path = self.path.clone();
            return Err(TapError::NoGate { path });
        }
        if reads.contains(Reads::UP) && !self.has_up {
            let path = self.path.clone();
            return Err(TapError::NoUp { path });
        }
        Ok(())
    }

    /// Numbers per token that the product with a part's weights has.
    pub(super) fn columns(&self, part: Part) -> usize {
        match part {
            Part::Down => self.ffn.width,
            Part::Up if self.ffn.gate == Gate::Fused => 2 * self.ffn.units,
            Part::Gate | Part::Up => self.ffn.units,
        }
    }

    pub(super) fn bias(&self, part: Part, layer: usize) -> &[f32] {
        let biases = match part {
            Part::Down => &self.down_bias,
            Part::Gate => &self.gate_bias,
            Part::Up => &self.up_bias,
        };
        &biases[layer]
    }
}
