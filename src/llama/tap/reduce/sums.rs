//! Sums and means over tokens.

use crate::llama::Ffn;
use crate::llama::tap::{Block, Reads, Reducer, Source};

/// The sum over tokens for every unit.
#[derive(Debug, Clone)]
pub struct Sums {
    source: Source,
    units: usize,
    values: Vec<f64>,
    tokens: Vec<usize>,
}

impl Sums {
    /// Sums of one kind of number.
    pub fn new(ffn: &Ffn, source: Source) -> Self {
        Self {
            source,
            units: ffn.units,
            values: vec![0.0; ffn.all_units()],
            tokens: vec![0; ffn.layers],
        }
    }

    /// Tokens that were read.
    pub fn tokens(&self) -> usize {
        self.tokens.first().copied().unwrap_or(0)
    }

    /// Sums of a layer's units.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn layer(&self, layer: usize) -> &[f64] {
        &self.values[layer * self.units..][..self.units]
    }

    /// Means of a layer's units; not numbers before any token was read.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn mean(&self, layer: usize) -> Vec<f64> {
        let tokens = self.tokens[layer] as f64;
        self.layer(layer).iter().map(|sum| sum / tokens).collect()
    }
}

impl Reducer for Sums {
    fn reads(&self) -> Reads {
        self.source.reads()
    }

    fn block(&mut self, block: &Block<'_>) {
        self.tokens[block.layer] += block.tokens;
        let sums = &mut self.values[block.layer * self.units..][..self.units];
        for row in block.values(self.source).chunks_exact(self.units) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += f64::from(value);
            }
        }
    }
}
