//! Averages of parameters.

use faer::{Mat, Side, prelude::Solve};

use super::{MergeError, Weighted, Weighting, check_fit, value};
use crate::inside::bricks::{Element, Matrix, ShapeError};

/// `Σ w W`, divided by `Σ w` where normalised.
pub fn linear<T: Element>(models: &[Weighted<'_, T>], weighting: Weighting) -> Result<Vec<T>, MergeError> {
    let Some(first) = models.first() else {
        return Err(MergeError::Models {
            method: "linear",
            needed: "one or more",
            found: 0,
        });
    };
    check_fit(models, first.values.len())?;
    let divisor = divisor(models, weighting)?;
    let sum = |nth| {
        models
            .iter()
            .map(|model| model.weight * value(model.values, nth))
            .sum::<f64>()
    };
    Ok((0..first.values.len())
        .map(|nth| T::narrow(sum(nth) / divisor))
        .collect())
}

pub(super) fn divisor<T>(models: &[Weighted<'_, T>], weighting: Weighting) -> Result<f64, MergeError> {
    let sum: f64 = match weighting {
        Weighting::Normalised => models.iter().map(|model| model.weight).sum(),
        Weighting::Raw => 1.0,
    };
    if sum == 0.0 { Err(MergeError::NoWeight) } else { Ok(sum) }
}

/// `Σ F ⊙ W / (Σ F + 1e-8)`: each value weighted by how much its model depends on it. `models` are `(W, F)`; without gradients F may be the mean squared input of the value's
/// column (an importance matrix).
pub fn fisher<T: Element, F: Element>(models: &[(&[T], &[F])]) -> Result<Vec<T>, MergeError> {
    let Some((first, _)) = models.first() else {
        return Err(MergeError::Models {
            method: "Fisher averaging",
            needed: "one or more",
            found: 0,
        });
    };
    for (values, weights) in models {
        ShapeError::check("tensor size", values.len(), first.len())?;
        ShapeError::check("count of Fisher weights", weights.len(), first.len())?;
    }
    let merged = |nth| {
        let parts = models
            .iter()
            .map(|(values, weights)| (value(values, nth), value(weights, nth)));
        let (sum, weight) = parts.fold((0.0, 0.0), |(sum, all), (value, weight)| {
            (sum + weight * value, all + weight)
        });
        T::narrow(sum / (weight + 1e-8))
    };
    Ok((0..first.len()).map(merged).collect())
}

/// `(Σ W G)(Σ G)⁻¹`: the weight that comes nearest, in squares, to what each model puts out for its own inputs. `models` are `(W [outputs][inputs], G = XᵀX [inputs][inputs])`; the off-diagonals
/// of G are multiplied by `off_diagonal` (0.9 in the paper; 1 leaves them).
pub fn regmean<T: Element>(models: &[(&Matrix<T>, &Matrix<f64>)], off_diagonal: f64) -> Result<Matrix<T>, MergeError> {
    let Some((first, _)) = models.first() else {
        return Err(MergeError::Models {
            method: "RegMean",
            needed: "one or more",
            found: 0,
        });
    };
    let (outputs, inputs) = (first.rows(), first.columns());
    let mut gram = Matrix::<f64>::from_fn(inputs, inputs, |_, _| 0.0);
    let mut products = Matrix::<f64>::from_fn(outputs, inputs, |_, _| 0.0);
    for (weight, inner) in models {
        ShapeError::check("rows of a weight", weight.rows(), outputs)?;
        ShapeError::check("columns of a weight", weight.columns(), inputs)?;
        ShapeError::check("rows of inputs' products", inner.rows(), inputs)?;
        let damped = Matrix::<f64>::from_fn(inputs, inputs, |row, column| {
            inner.at(row, column) * if row == column { 1.0 } else { off_diagonal }
        });
        let product = weight.product(&damped)?;
        for row in 0..inputs {
            gram.row_mut(row)
                .iter_mut()
                .zip(damped.row(row))
                .for_each(|(sum, value)| *sum += value);
        }
        for row in 0..outputs {
            products
                .row_mut(row)
                .iter_mut()
                .zip(product.row(row))
                .for_each(|(sum, value)| *sum += value);
        }
    }
    // X·G = P, and G is symmetric: G·Xᵀ = Pᵀ.
    let gram = Mat::from_fn(inputs, inputs, |row, column| gram.at(row, column));
    let right = Mat::from_fn(inputs, outputs, |row, column| products.at(column, row));
    let solution = gram.llt(Side::Lower).map_err(|_| MergeError::Singular)?.solve(&right);
    Ok(Matrix::from_fn(outputs, inputs, |row, column| solution[(column, row)]))
}
