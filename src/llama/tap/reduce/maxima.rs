//! The largest number that a unit reached.

use crate::llama::Ffn;
use crate::llama::tap::{Block, Reads, Reducer, Source};

/// The maximum over tokens for every unit.
#[derive(Debug, Clone)]
pub struct Maxima {
    source: Source,
    units: usize,
    values: Vec<f32>,
}

impl Maxima {
    /// Maxima of one kind of number; `−∞` before any token was read.
    pub fn new(ffn: &Ffn, source: Source) -> Self {
        Self {
            source,
            units: ffn.units,
            values: vec![f32::NEG_INFINITY; ffn.all_units()],
        }
    }

    /// Maxima of a layer's units.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn layer(&self, layer: usize) -> &[f32] {
        &self.values[layer * self.units..][..self.units]
    }
}

impl Reducer for Maxima {
    fn reads(&self) -> Reads {
        self.source.reads()
    }

    fn block(&mut self, block: &Block<'_>) {
        let maxima = &mut self.values[block.layer * self.units..][..self.units];
        for row in block.values(self.source).chunks_exact(self.units) {
            for (maximum, &value) in maxima.iter_mut().zip(row) {
                if value > *maximum {
                    *maximum = value;
                }
            }
        }
    }
}
