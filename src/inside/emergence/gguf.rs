//! Weights of GGUF files, of any architecture whose blocks are attention and an MLP, in any quantisation that ggml reads.
//!
//! Rows are dequantised when they are asked for, so that a model larger than memory can be sampled, and analysed whole.

use std::{collections::BTreeMap, path::Path};

use super::{
    names::{self, Rows, Stored},
    open::OpenError,
    shape::{Projection, Shape},
    weights::{ReadError, Weights},
};
use crate::llama;

/// A GGUF file, or several that make up one model.
#[derive(Debug)]
pub struct Gguf {
    shape: Shape,
    places: Vec<BTreeMap<Projection, Stored>>,
    weights: llama::Weights,
}

/// Numbers that are dequantised at once.
const BATCH: usize = 1 << 20;

impl Gguf {
    /// Reads the header of a GGUF file, the first one of a model in several files.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::of(llama::Weights::open(path)?)
    }

    /// Finds the maps in a file that is open already.
    pub fn of(weights: llama::Weights) -> Result<Self, OpenError> {
        let architecture = weights.architecture()?.to_owned();
        let path = || weights.path().to_owned();
        let blocks = names::gguf::blocks(&weights).map_err(|cause| OpenError::Names { path: path(), cause })?;
        let (shapes, places) = blocks.into_iter().map(|block| (block.shape, block.places)).unzip();
        let shape = Shape::new(architecture, shapes).map_err(|cause| OpenError::Shape { path: path(), cause })?;
        Ok(Self { shape, places, weights })
    }

    /// The files that the model is in.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.weights.paths()
    }

    fn read(
        &self,
        place: &Stored,
        rows: &[usize],
        visit: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), llama::WeightsError> {
        let columns = self.weights.tensor(&place.tensor)?.columns().max(1);
        let most = (BATCH / columns).max(1);
        // No file stores the maps of a GGUF head by head: neighbours there are neighbours here.
        let neighbours = |a: &usize, b: &usize| b - a == 1;
        for run in rows.chunk_by(neighbours).flat_map(|run| run.chunks(most)) {
            let from = place.rows.stored(run[0]);
            let values = self.weights.rows(&place.tensor, from..from + run.len())?;
            for (row, values) in run.iter().zip(values.chunks_exact(columns)) {
                visit(*row, values);
            }
        }
        Ok(())
    }
}

impl Weights for Gguf {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn visit_rows(
        &self,
        block: usize,
        projection: Projection,
        rows: &[usize],
        visit: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), ReadError> {
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| ReadError {
            block,
            projection,
            origin: self.weights.path().display().to_string(),
            cause,
        };
        let place = self.places.get(block).and_then(|places| places.get(&projection));
        let place = place.ok_or_else(|| failed("there is no such map".into()))?;
        debug_assert!(matches!(place.rows, Rows::From(_)), "GGUF files stack whole maps");
        self.read(place, rows, visit).map_err(|cause| failed(cause.into()))
    }
}
