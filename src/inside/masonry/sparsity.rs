//! How few units carry each layer's output (spec §3).

use rayon::prelude::*;

use super::profiles::Presentation;
use super::{MasonryError, Progress};
use crate::inside::bricks::Matrix;
use crate::inside::bricks::sparsity::{LayerSparsity, Settings, measure};
use crate::llama::{Capture, Reads, Source, Tap, Weights};

/// What units did on some tokens: one `[tokens][units]` per layer.
#[derive(Debug, Clone)]
pub struct Captured {
    layers: Vec<Matrix<f32>>,
}

impl Captured {
    /// A layer's activations.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn layer(&self, layer: usize) -> &Matrix<f32> {
        &self.layers[layer]
    }

    /// How many tokens.
    pub fn tokens(&self) -> usize {
        self.layers.first().map_or(0, Matrix::rows)
    }

    /// How many layers.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }
}

/// Reads texts until `tokens` activations are there, as many of each as its turn allows: the texts are taken round robin by the caller's order. Position 0 of each is left out.
pub fn capture(
    tap: &mut Tap<'_>,
    texts: &[&str],
    presentation: Presentation,
    tokens: usize,
) -> Result<Captured, MasonryError> {
    let ffn = *tap.ffn();
    let mut capture = Capture::new(&ffn, Reads::NOTHING);
    let mut missing = tokens;
    for text in texts {
        if missing == 0 {
            break;
        }
        let most = tap.context().min(missing + 1);
        let read = presentation.tokens(tap.model(), text, most)?;
        if read.len() > 1 {
            tap.read(&read, 1, &mut capture)?;
            missing -= read.len() - 1;
        }
    }
    if missing == tokens {
        return Err(MasonryError::Texts(
            "the texts have no token beside the first; give longer ones".into(),
        ));
    }
    let layers = (0..ffn.layers).map(|layer| {
        let values = capture.values(layer, Source::Z).to_vec();
        Ok(Matrix::new(values.len() / ffn.units, ffn.units, values)?)
    });
    Ok(Captured {
        layers: layers.collect::<Result<_, MasonryError>>()?,
    })
}

/// Measures every layer.
pub fn sparsity(
    captured: &Captured,
    weights: &Weights,
    settings: &Settings,
    progress: Progress<'_>,
) -> Result<Vec<(usize, LayerSparsity)>, MasonryError> {
    let threads = rayon::current_num_threads().max(1);
    let mut layers = Vec::new();
    for first in (0..captured.layers()).step_by(threads) {
        let these: Vec<usize> = (first..captured.layers().min(first + threads)).collect();
        let measured: Result<Vec<_>, MasonryError> = these
            .into_par_iter()
            .map(|layer| {
                let down = down(weights, layer)?;
                Ok((layer, measure(captured.layer(layer), &down, settings)?))
            })
            .collect();
        layers.extend(measured?);
        progress(layers.len(), captured.layers());
    }
    Ok(layers)
}

/// A layer's `ffn_down`, `[width][units]`.
pub fn down(weights: &Weights, layer: usize) -> Result<Matrix<f32>, MasonryError> {
    let name = format!("blk.{layer}.ffn_down.weight");
    let tensor = weights.tensor(&name)?;
    let (rows, columns) = (tensor.rows(), tensor.columns());
    Ok(Matrix::new(rows, columns, weights.all(&name)?)?)
}
