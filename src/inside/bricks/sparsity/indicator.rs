//! The two importance indicators and their distribution.

use serde::{Deserialize, Serialize};

use crate::inside::bricks::{Element, Matrix, ShapeError, part_of};

/// What ranks the units of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Indicator {
    /// `|a_i|`.
    Activation,
    /// `|a_i|·‖W_down[:, i]‖₂`.
    Magnitude,
}

/// What an indicator is divided by before it is compared between layers (spec §3.2). Figures under different ones do not compare.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// The largest value of the same token and layer.
    TokenMaximum,
    /// The largest value of the layer over all tokens.
    LayerMaximum,
    /// This quantile (0 to 1) of the layer's values over all tokens: less moved by massive activations.
    LayerQuantile(f64),
}

/// `‖W_down[:, i]‖₂` for every unit `i`, from `down` `[outputs][units]`.
pub fn column_norms<T: Element>(down: &Matrix<T>) -> Vec<f64> {
    let mut squares = vec![0.0; down.columns()];
    for row in down.each_row() {
        for (sum, &value) in squares.iter_mut().zip(row) {
            let value: f64 = value.into();
            *sum += value * value;
        }
    }
    squares.into_iter().map(f64::sqrt).collect()
}

/// The indicator of every token and unit, `[tokens][units]`; `norms` are those of [`column_norms`].
pub fn indicators<T: Element>(
    activations: &Matrix<T>,
    norms: &[f64],
    indicator: Indicator,
) -> Result<Matrix<f64>, ShapeError> {
    ShapeError::check("column norms", norms.len(), activations.columns())?;
    Ok(Matrix::from_fn(
        activations.rows(),
        activations.columns(),
        |token, unit| {
            let value = activations.at(token, unit).abs();
            match indicator {
                Indicator::Activation => value,
                Indicator::Magnitude => value * norms[unit],
            }
        },
    ))
}

/// For each edge, the fraction of values that lie strictly below it after normalisation; 0 everywhere for an empty matrix. Where the divisor is 0,
/// all values are, and they count as below.
pub fn cumulative_distribution(indicators: &Matrix<f64>, by: Normalisation, edges: &[f64]) -> Vec<f64> {
    let whole = match by {
        Normalisation::TokenMaximum => None,
        Normalisation::LayerMaximum => Some(largest(indicators.values())),
        Normalisation::LayerQuantile(quantile) => Some(at_quantile(indicators.values(), quantile)),
    };
    let mut below = vec![0_usize; edges.len()];
    for row in indicators.each_row() {
        let divisor = whole.unwrap_or_else(|| largest(row));
        for &value in row {
            let share = if divisor > 0.0 { value / divisor } else { 0.0 };
            for (count, &edge) in below.iter_mut().zip(edges) {
                *count += usize::from(share < edge);
            }
        }
    }
    let all = indicators.values().len();
    let fraction = |count| if all == 0 { 0.0 } else { count as f64 / all as f64 };
    below.into_iter().map(fraction).collect()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().max_by(f64::total_cmp).unwrap_or(0.0)
}

/// The value at `floor(quantile·(n − 1))` in ascending order.
fn at_quantile(values: &[f64], quantile: f64) -> f64 {
    let mut values = values.to_vec();
    let Some(last) = values.len().checked_sub(1) else {
        return 0.0;
    };
    let nth = part_of(quantile, last).min(last);
    *values.select_nth_unstable_by(nth, f64::total_cmp).1
}
