//! Column norms of the down-projections: how much a unit writes per unit of activation.

use super::{Ffn, Weights, WeightsError};

/// `‖W_down[:, j]‖₂` for every unit of every layer.
#[derive(Debug, Clone, PartialEq)]
pub struct DownNorms {
    units: usize,
    values: Vec<f64>,
}

impl DownNorms {
    /// From norms in the order of layers, `units` each: for models that come from elsewhere than a file.
    ///
    /// # Panics
    ///
    /// If the layers are not complete.
    pub fn new(units: usize, values: Vec<f64>) -> Self {
        assert!(
            units > 0 && values.len().is_multiple_of(units),
            "{} norms are no layers of {units}",
            values.len()
        );
        Self { units, values }
    }

    /// Norms of a layer, one per unit.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn layer(&self, layer: usize) -> &[f64] {
        &self.values[layer * self.units..][..self.units]
    }

    /// Layers.
    pub fn layers(&self) -> usize {
        self.values.len() / self.units
    }
}

impl Weights {
    /// L2 norm of each column of a tensor, accumulated in f64 while its rows are streamed.
    pub fn column_norms(&self, name: &str) -> Result<Vec<f64>, WeightsError> {
        let columns = self.tensor(name)?.columns();
        let mut squares = vec![0f64; columns];
        self.stream(name, |_, rows| {
            for row in rows.chunks_exact(columns) {
                for (square, &value) in squares.iter_mut().zip(row) {
                    *square += f64::from(value) * f64::from(value);
                }
            }
        })?;
        for square in &mut squares {
            *square = square.sqrt();
        }
        Ok(squares)
    }

    /// Column norms of every layer's `ffn_down`.
    pub fn down_norms(&self) -> Result<DownNorms, WeightsError> {
        let Ffn { layers, units, .. } = self.ffn()?;
        let mut values = Vec::with_capacity(layers * units);
        for layer in 0..layers {
            values.extend(self.column_norms(&format!("blk.{layer}.ffn_down.weight"))?);
        }
        Ok(DownNorms::new(units, values))
    }
}
