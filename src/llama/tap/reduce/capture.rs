//! Everything, for short texts.

use crate::llama::Ffn;
use crate::llama::tap::{Block, Reads, Reducer, Source};

/// All numbers of all layers: memory grows with the text (layers × tokens × units floats for each kind).
#[derive(Debug, Clone)]
pub struct Capture {
    reads: Reads,
    units: usize,
    width: usize,
    layers: Vec<Layer>,
}

#[derive(Debug, Clone, Default)]
struct Layer {
    positions: Vec<usize>,
    z: Vec<f32>,
    h: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
}

impl Capture {
    /// z and h, and what else is asked for.
    pub fn new(ffn: &Ffn, also: Reads) -> Self {
        Self {
            reads: Reads::Z.and(also),
            units: ffn.units,
            width: ffn.width,
            layers: vec![Layer::default(); ffn.layers],
        }
    }

    /// Positions of a layer's tokens, in the order in which they were read.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn positions(&self, layer: usize) -> &[usize] {
        &self.layers[layer].positions
    }

    /// Tokens × units of one kind; empty if it was not asked for.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn values(&self, layer: usize, source: Source) -> &[f32] {
        let layer = &self.layers[layer];
        match source {
            Source::Z => &layer.z,
            Source::Gate => &layer.gate,
            Source::Up => &layer.up,
        }
    }

    /// What a layer wrote: tokens × width.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn h(&self, layer: usize) -> &[f32] {
        &self.layers[layer].h
    }

    /// z and h of each token of a layer.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn rows(&self, layer: usize) -> impl Iterator<Item = (&[f32], &[f32])> {
        let layer = &self.layers[layer];
        layer.z.chunks_exact(self.units).zip(layer.h.chunks_exact(self.width))
    }
}

impl Reducer for Capture {
    fn reads(&self) -> Reads {
        self.reads
    }

    fn block(&mut self, block: &Block<'_>) {
        let layer = &mut self.layers[block.layer];
        layer.positions.extend(block.first..block.first + block.tokens);
        layer.z.extend_from_slice(block.z);
        layer.h.extend_from_slice(block.h);
        layer.gate.extend_from_slice(block.gate);
        layer.up.extend_from_slice(block.up);
    }
}
