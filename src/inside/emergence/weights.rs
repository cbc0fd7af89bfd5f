//! Where weights come from: rows of linear maps as f32.

use std::collections::BTreeMap;

use super::shape::{BlockShape, KeyValueIndices, MatrixShape, Projection, Shape, ShapeError};

/// A model whose linear maps can be read row by row. A row holds the weights of one output, in the order of the inputs.
///
/// Readers are called from several threads at once, with a few rows of a large map or with all of them.
pub trait Weights: Sync {
    /// The maps and their sizes. No weight is read for it.
    fn shape(&self) -> &Shape;

    /// Calls `visit` with the number and the weights of each of `rows` (ascending, each once, all below the map's number of rows), in that order.
    ///
    /// # Errors
    /// [`ReadError`] where the file cannot be read.
    fn visit_rows(
        &self,
        block: usize,
        projection: Projection,
        rows: &[usize],
        visit: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), ReadError>;
}

/// Weights that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read the {projection} map of block {block} from `{origin}`")]
pub struct ReadError {
    /// The block.
    pub block: usize,
    /// The map.
    pub projection: Projection,
    /// The file, or another name of the source.
    pub origin: String,
    /// What went wrong.
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

/// A dense matrix in memory, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// A matrix of `rows × columns` from its values, row by row; `None` where their number is another.
    pub fn new(rows: usize, columns: usize, values: Vec<f32>) -> Option<Self> {
        (values.len() == rows * columns).then_some(Self { rows, columns, values })
    }

    /// A matrix with the value of every row and column computed.
    pub fn from_fn(rows: usize, columns: usize, mut value: impl FnMut(usize, usize) -> f32) -> Self {
        let values = (0..rows * columns)
            .map(|place| value(place / columns, place % columns))
            .collect();
        Self { rows, columns, values }
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// One row: `columns` weights.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// All values, row by row, to be changed in place.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

/// The maps of one block in memory.
pub type BlockMatrices = BTreeMap<Projection, Matrix>;

/// A model in memory.
#[derive(Clone, Debug)]
pub struct InMemory {
    shape: Shape,
    blocks: Vec<BlockMatrices>,
}

impl InMemory {
    /// A model from its blocks. Keys and values are drawn as `key_value_indices` says.
    pub fn new(
        architecture: impl Into<String>,
        key_value_indices: KeyValueIndices,
        blocks: Vec<BlockMatrices>,
    ) -> Result<Self, ShapeError> {
        let shapes = blocks.iter().map(|block| BlockShape {
            key_value_indices,
            head_size: None,
            matrices: block
                .iter()
                .map(|(projection, matrix)| {
                    let shape = MatrixShape {
                        rows: matrix.rows,
                        columns: matrix.columns,
                        precision: "F32".to_owned(),
                    };
                    (*projection, shape)
                })
                .collect(),
        });
        Ok(Self {
            shape: Shape::new(architecture, shapes.collect())?,
            blocks,
        })
    }
}

impl Weights for InMemory {
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
        let missing = || ReadError {
            block,
            projection,
            origin: "memory".to_owned(),
            cause: "there is no such map".into(),
        };
        let matrix = self
            .blocks
            .get(block)
            .and_then(|block| block.get(&projection))
            .ok_or_else(missing)?;
        for &row in rows {
            visit(row, matrix.row(row));
        }
        Ok(())
    }
}
