//! On how many tokens a unit is active.

use crate::llama::Ffn;
use crate::llama::tap::{Block, Reads, Reducer, Source};

/// For every unit, on how many tokens its number was above zero. Of the gate's pre-activation that tells whether the unit was open, for every
/// activation function with the sign of its argument (SiLU, GELU, ReLU).
#[derive(Debug, Clone)]
pub struct Counts {
    source: Source,
    units: usize,
    values: Vec<u64>,
    tokens: Vec<u64>,
}

impl Counts {
    /// Counts of one kind of number.
    pub fn new(ffn: &Ffn, source: Source) -> Self {
        Self {
            source,
            units: ffn.units,
            values: vec![0; ffn.all_units()],
            tokens: vec![0; ffn.layers],
        }
    }

    /// Tokens that were read.
    pub fn tokens(&self) -> u64 {
        self.tokens.first().copied().unwrap_or(0)
    }

    /// Tokens that a layer read; all layers read the same ones.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn layer_tokens(&self, layer: usize) -> u64 {
        self.tokens[layer]
    }

    /// Counts of a layer's units.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn layer(&self, layer: usize) -> &[u64] {
        &self.values[layer * self.units..][..self.units]
    }
}

impl Reducer for Counts {
    fn reads(&self) -> Reads {
        self.source.reads()
    }

    fn block(&mut self, block: &Block<'_>) {
        self.tokens[block.layer] += block.tokens as u64;
        let counts = &mut self.values[block.layer * self.units..][..self.units];
        for row in block.values(self.source).chunks_exact(self.units) {
            for (count, &value) in counts.iter_mut().zip(row) {
                *count += u64::from(value > 0.0);
            }
        }
    }
}
