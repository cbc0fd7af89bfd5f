//! Units changed in place (spec §6.3).
//!
//! To scale a unit by s is to multiply its row of `ffn_up`, or its column of `ffn_down`, by s. Its row of `ffn_gate` is no way to do so, as SiLU is not homogeneous (only for s = 0 it is). Every change
//! of `ffn_down` can be shipped as an adapter instead, which leaves the file alone and is taken back by a scale of 0: the recommended form.

use faer::{Mat, Side, prelude::Solve};

use super::{
    Element, Matrix, ShapeError,
    lora::{Lora, LoraError},
    matrix::dot,
};

/// A change that cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UpdateError {
    /// Tensors do not fit.
    #[error("failed to update: {0}")]
    Shape(#[from] ShapeError),
    /// No such unit.
    #[error("unit {unit} does not exist; the layer has {units} (numbered from 0)")]
    Unknown {
        /// The unit.
        unit: usize,
        /// The layer's width.
        units: usize,
    },
    /// A unit is changed twice.
    #[error("unit {0} is changed twice; give each unit once")]
    Twice(usize),
    /// The inputs' covariance has no inverse.
    #[error("the covariance of inputs is not positive definite; capture more tokens or add a larger ridge")]
    Singular,
    /// A key of zeros.
    #[error("the key is zero, so no change of the weight can move its output; take activations of other tokens")]
    NoKey,
    /// The adapter cannot be made.
    #[error(transparent)]
    Lora(#[from] LoraError),
}

/// Multiplies the units' rows of `ffn_up` `[units][width]`; factor 0 removes a unit. A bias of `ffn_up` needs the same factor.
pub fn scale_units<T: Element>(up: &mut Matrix<T>, factors: &[(usize, f64)]) -> Result<(), UpdateError> {
    check(factors.iter().map(|change| change.0), up.rows())?;
    for &(unit, factor) in factors {
        for value in up.row_mut(unit) {
            *value = T::narrow(factor * (*value).into());
        }
    }
    Ok(())
}

/// Multiplies the units' columns of `ffn_down` `[width][units]`: the same change, written elsewhere.
pub fn scale_values<T: Element>(down: &mut Matrix<T>, factors: &[(usize, f64)]) -> Result<(), UpdateError> {
    check(factors.iter().map(|change| change.0), down.columns())?;
    for row in 0..down.rows() {
        for &(unit, factor) in factors {
            let value = &mut down.row_mut(row)[unit];
            *value = T::narrow(factor * (*value).into());
        }
    }
    Ok(())
}

/// Replaces the units' columns of `ffn_down`: what they write when they are active.
pub fn replace_values<T: Element>(down: &mut Matrix<T>, values: &[(usize, Vec<T>)]) -> Result<(), UpdateError> {
    check(values.iter().map(|change| change.0), down.columns())?;
    for (unit, value) in values {
        ShapeError::check("length of a new value", value.len(), down.rows())?;
        for (row, &new) in value.iter().enumerate() {
            down.row_mut(row)[*unit] = new;
        }
    }
    Ok(())
}

/// [`scale_values`] as an adapter of `ffn_down`, of the rank of as many units as change: `B` holds `(s − 1)·W[:, i]`, `A` picks unit i. At a runtime scale t a unit is multiplied by
/// `1 + t·(s − 1)`.
pub fn scale_as_adapter<T: Element>(down: &Matrix<T>, factors: &[(usize, f64)]) -> Result<Lora<T>, UpdateError> {
    check(factors.iter().map(|change| change.0), down.columns())?;
    let columns = factors.iter().map(|&(unit, factor)| {
        let column = (0..down.rows())
            .map(|row| (factor - 1.0) * down.at(row, unit))
            .collect();
        (unit, column)
    });
    adapter(down, &columns.collect::<Vec<(usize, Vec<f64>)>>())
}

/// [`replace_values`] as an adapter of `ffn_down`.
pub fn replace_as_adapter<T: Element>(down: &Matrix<T>, values: &[(usize, Vec<T>)]) -> Result<Lora<T>, UpdateError> {
    check(values.iter().map(|change| change.0), down.columns())?;
    let mut columns = Vec::new();
    for (unit, value) in values {
        ShapeError::check("length of a new value", value.len(), down.rows())?;
        let column = value
            .iter()
            .enumerate()
            .map(|(row, &new)| new.into() - down.at(row, *unit))
            .collect();
        columns.push((*unit, column));
    }
    adapter(down, &columns)
}

/// The mean of `x xᵀ` over inputs `[tokens][width]`, plus `ridge·trace/width` on the diagonal (1e-4 is usual).
pub fn covariance<T: Element>(inputs: &Matrix<T>, ridge: f64) -> Matrix<f64> {
    let width = inputs.columns();
    let mut sums = Matrix::<f64>::from_fn(width, width, |_, _| 0.0);
    for row in inputs.each_row() {
        for (left, &value) in row.iter().enumerate() {
            let value: f64 = value.into();
            let other = sums.row_mut(left).iter_mut().zip(row);
            other.for_each(|(sum, &right)| *sum += value * right.into());
        }
    }
    let tokens = inputs.rows().max(1) as f64;
    let trace: f64 = (0..width).map(|nth| sums.at(nth, nth)).sum::<f64>() / tokens;
    Matrix::from_fn(width, width, |row, column| {
        sums.at(row, column) / tokens
            + if row == column {
                ridge * trace / width as f64
            } else {
                0.0
            }
    })
}

/// The rank-one edit `Ŵ = W + (v − Wk)(C⁻¹k)ᵀ/(kᵀC⁻¹k)` as an adapter: then `Ŵk = v`, and of all such changes it moves the outputs for the inputs behind `covariance` least. Without a covariance, C is the identity.
pub fn rank_one_edit<T: Element>(
    weight: &Matrix<T>,
    key: &[f64],
    value: &[f64],
    covariance: Option<&Matrix<f64>>,
) -> Result<Lora<T>, UpdateError> {
    ShapeError::check("length of the value", value.len(), weight.rows())?;
    let before = weight.times(key)?;
    let direction = match covariance {
        None => key.to_vec(),
        Some(covariance) => solve(covariance, key)?,
    };
    let length = dot(&direction, key);
    if length <= 0.0 || !length.is_finite() {
        return Err(UpdateError::NoKey);
    }
    let a = Matrix::from_fn(1, key.len(), |_, column| direction[column]);
    let b = Matrix::from_fn(value.len(), 1, |row, _| (value[row] - before[row]) / length);
    Ok(Lora::new(a, b, 1.0)?)
}

fn solve(matrix: &Matrix<f64>, right: &[f64]) -> Result<Vec<f64>, UpdateError> {
    ShapeError::check("rows of the covariance", matrix.rows(), right.len())?;
    ShapeError::check("columns of the covariance", matrix.columns(), right.len())?;
    let matrix = Mat::from_fn(matrix.rows(), matrix.columns(), |row, column| matrix.at(row, column));
    let right = Mat::from_fn(right.len(), 1, |row, _| right[row]);
    let solution = matrix
        .llt(Side::Lower)
        .map_err(|_| UpdateError::Singular)?
        .solve(&right);
    Ok((0..solution.nrows()).map(|row| solution[(row, 0)]).collect())
}

fn adapter<T: Element>(down: &Matrix<T>, columns: &[(usize, Vec<f64>)]) -> Result<Lora<T>, UpdateError> {
    let rank = columns.len();
    let a = Matrix::from_fn(
        rank,
        down.columns(),
        |row, unit| if columns[row].0 == unit { 1.0 } else { 0.0 },
    );
    let b = Matrix::from_fn(down.rows(), rank, |row, component| columns[component].1[row]);
    Ok(Lora::new(a, b, rank as f64)?)
}

fn check(changed: impl Iterator<Item = usize>, units: usize) -> Result<(), UpdateError> {
    let mut seen = vec![false; units];
    for unit in changed {
        let seen = seen.get_mut(unit).ok_or(UpdateError::Unknown { unit, units })?;
        if std::mem::replace(seen, true) {
            return Err(UpdateError::Twice(unit));
        }
    }
    Ok(())
}
