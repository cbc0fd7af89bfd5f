//! FFNs: what they compute, and wider ones that compute the same (spec §6.4).
//!
//! llama.cpp reads one width for all blocks, so every block is widened by as many units. A quantised tensor needs row lengths that are multiples of its block, and the rows of `ffn_down` are as long as
//! the FFN is wide: see [`requantise::BlockFormat`](super::requantise::BlockFormat).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{Element, Matrix, ShapeError};

/// The weights of one FFN without biases.
#[derive(Debug, Clone, PartialEq)]
pub struct Ffn<T> {
    gate: Option<Matrix<T>>,
    up: Matrix<T>,
    down: Matrix<T>,
}

/// New units cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrowError {
    /// Tensors do not fit.
    #[error("the FFN's tensors do not fit: {0}")]
    Shape(#[from] ShapeError),
    /// One of two has a gate.
    #[error("one FFN has a gate and the other has none; new units need the same tensors as the old ones")]
    Gate,
    /// A copy of a unit that does not exist.
    #[error("unit {unit} is to be copied, but there are {units} (numbered from 0)")]
    Unknown {
        /// The unit.
        unit: usize,
        /// The width.
        units: usize,
    },
    /// A unit is left out of the copies.
    #[error("unit {0} is in no place of the wider FFN; every old unit needs one or more")]
    Lost(usize),
}

impl<T: Element> Ffn<T> {
    /// `gate` (none in a plain FFN) and `up` are `[units][width]`, `down` is `[width][units]`.
    pub fn new(gate: Option<Matrix<T>>, up: Matrix<T>, down: Matrix<T>) -> Result<Self, ShapeError> {
        if let Some(gate) = &gate {
            ShapeError::check("rows of `ffn_gate`", gate.rows(), up.rows())?;
            ShapeError::check("columns of `ffn_gate`", gate.columns(), up.columns())?;
        }
        ShapeError::check("columns of `ffn_down`", down.columns(), up.rows())?;
        ShapeError::check("rows of `ffn_down`", down.rows(), up.columns())?;
        Ok(Self { gate, up, down })
    }

    /// `ffn_gate`, where there is one.
    pub fn gate(&self) -> Option<&Matrix<T>> {
        self.gate.as_ref()
    }

    /// `ffn_up`.
    pub fn up(&self) -> &Matrix<T> {
        &self.up
    }

    /// `ffn_down`.
    pub fn down(&self) -> &Matrix<T> {
        &self.down
    }

    /// The tensors themselves: gate, up, down.
    pub fn into_parts(self) -> (Option<Matrix<T>>, Matrix<T>, Matrix<T>) {
        (self.gate, self.up, self.down)
    }

    /// How many units.
    pub fn units(&self) -> usize {
        self.up.rows()
    }

    /// The activations `[units]` for one input: `SiLU(gate)·up`, or `SiLU(up)` without a gate.
    pub fn activations(&self, x: &[f64]) -> Result<Vec<f64>, ShapeError> {
        let up = self.up.times(x)?;
        let Some(gate) = &self.gate else {
            return Ok(up.into_iter().map(silu).collect());
        };
        let gate = gate.times(x)?;
        Ok(gate.into_iter().zip(up).map(|(gate, up)| silu(gate) * up).collect())
    }

    /// The output `[width]` for one input.
    pub fn output(&self, x: &[f64]) -> Result<Vec<f64>, ShapeError> {
        self.down.times(&self.activations(x)?)
    }

    /// Both FFNs' units side by side: the output is the sum of their outputs.
    pub fn with_units(&self, new: &Self) -> Result<Self, GrowError> {
        let gate = match (&self.gate, &new.gate) {
            (Some(old), Some(new)) => Some(below(old, new)?),
            (None, None) => None,
            _ => return Err(GrowError::Gate),
        };
        Ok(Self {
            gate,
            up: below(&self.up, &new.up)?,
            down: beside(&self.down, &new.down)?,
        })
    }

    /// `count` new units that are neutral at first: random rows of `ffn_gate` and `ffn_up` as large as the old ones on average, and columns of zeros in `ffn_down`. The output is
    /// exactly what it was, and later training or editing can use the units.
    pub fn widened(&self, count: usize, seed: u64) -> Result<Self, GrowError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut alike = |tensor: &Matrix<T>| {
            let mean_square = tensor.frobenius().powi(2) / tensor.values().len().max(1) as f64;
            let size = mean_square.sqrt();
            let mut draw = |_, _| {
                let drawn: f64 = StandardNormal.sample(&mut rng);
                size * drawn
            };
            Matrix::from_fn(count, tensor.columns(), &mut draw)
        };
        let gate = self.gate.as_ref().map(&mut alike);
        let up = alike(&self.up);
        let down = Matrix::from_fn(self.down.rows(), count, |_, _| 0.0);
        self.with_units(&Self { gate, up, down })
    }

    /// An FFN whose unit `n` is a copy of the old unit `of[n]`; columns of `ffn_down` are divided by the number of copies. The output is what it was up to rounding, exactly where the number of copies is a
    /// power of two.
    pub fn split(&self, of: &[usize]) -> Result<Self, GrowError> {
        let units = self.units();
        let mut copies = vec![0_u32; units];
        for &unit in of {
            *copies.get_mut(unit).ok_or(GrowError::Unknown { unit, units })? += 1;
        }
        if let Some(lost) = copies.iter().position(|&count| count == 0) {
            return Err(GrowError::Lost(lost));
        }
        let pick =
            |tensor: &Matrix<T>| Matrix::from_fn(of.len(), tensor.columns(), |row, column| tensor.at(of[row], column));
        let down = Matrix::from_fn(self.down.rows(), of.len(), |row, column| {
            self.down.at(row, of[column]) / f64::from(copies[of[column]])
        });
        Ok(Self {
            gate: self.gate.as_ref().map(pick),
            up: pick(&self.up),
            down,
        })
    }
}

/// `x·sigmoid(x)`.
fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

fn below<T: Element>(upper: &Matrix<T>, lower: &Matrix<T>) -> Result<Matrix<T>, ShapeError> {
    ShapeError::check("columns of new rows", lower.columns(), upper.columns())?;
    let values = [upper.values(), lower.values()].concat();
    Matrix::new(upper.rows() + lower.rows(), upper.columns(), values)
}

fn beside<T: Element>(left: &Matrix<T>, right: &Matrix<T>) -> Result<Matrix<T>, ShapeError> {
    ShapeError::check("rows of new columns", right.rows(), left.rows())?;
    let rows: Vec<Vec<T>> = left
        .each_row()
        .zip(right.each_row())
        .map(|(left, right)| [left, right].concat())
        .collect();
    Matrix::from_rows(&rows)
}
