//! Predicting which experts will be active, without training (MoEfication's similarity router, spec §5.3).

use serde::{Deserialize, Serialize};

use super::{Groups, unit_rows};
use crate::inside::bricks::{
    Element, Matrix, ShapeError,
    matrix::{dot, norm},
};

/// How well a choice of experts captures the positive activation mass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Routed {
    /// The mean over tokens of the share captured; it is 0 for a token without mass.
    pub mean_share: f64,
    /// The share of all tokens' mass together.
    pub share_of_all: f64,
}

/// `Σ ReLU(a)` over each expert's units, `[tokens][experts]`, from `[tokens][units]`.
pub fn expert_mass<T: Element>(activations: &Matrix<T>, groups: &Groups) -> Result<Matrix<f64>, ShapeError> {
    ShapeError::check("units that have a group", groups.of_unit().len(), activations.columns())?;
    let mut mass = Matrix::<f64>::from_fn(activations.rows(), groups.count(), |_, _| 0.0);
    for (token, row) in activations.each_row().enumerate() {
        for (&value, &group) in row.iter().zip(groups.of_unit()) {
            let value: f64 = value.into();
            mass.row_mut(token)[group] += if value > 0.0 { value } else { 0.0 };
        }
    }
    Ok(mass)
}

/// The `count` experts with most mass for each token, strongest first: the best choice possible.
pub fn strongest(mass: &Matrix<f64>, count: usize) -> Vec<Vec<usize>> {
    mass.each_row().map(|row| falling(row, count)).collect()
}

/// The `count` experts whose centre (mean of the normalised rows of `input` `[units][width]`) has the largest product with the normalised FFN input, for each row of `inputs`
/// `[tokens][width]`.
pub fn with_similar_rows<T: Element, U: Element>(
    input: &Matrix<T>,
    groups: &Groups,
    inputs: &Matrix<U>,
    count: usize,
) -> Result<Vec<Vec<usize>>, ShapeError> {
    ShapeError::check("units that have a group", groups.of_unit().len(), input.rows())?;
    ShapeError::check("width of the FFN input", inputs.columns(), input.columns())?;
    let rows = unit_rows(input);
    let mut centres = Matrix::<f64>::from_fn(groups.count(), input.columns(), |_, _| 0.0);
    for (row, &group) in rows.each_row().zip(groups.of_unit()) {
        let share = 1.0 / groups.sizes()[group] as f64;
        centres
            .row_mut(group)
            .iter_mut()
            .zip(row)
            .for_each(|(sum, value)| *sum += value * share);
    }
    let choose = |x: &[U]| {
        let length = norm(x);
        let products: Vec<f64> = centres.each_row().map(|centre| dot(x, centre) / length).collect();
        falling(&products, count)
    };
    Ok(inputs.each_row().map(choose).collect())
}

/// How much of the mass `[tokens][experts]` the chosen experts of each token hold.
pub fn captured_mass(mass: &Matrix<f64>, chosen: &[Vec<usize>]) -> Routed {
    let (mut shares, mut captured, mut all) = (0.0, 0.0, 0.0);
    for (row, chosen) in mass.each_row().zip(chosen) {
        let whole: f64 = row.iter().sum();
        let part: f64 = chosen.iter().map(|&expert| row[expert]).sum();
        if whole > 0.0 {
            shares += part / whole;
        }
        captured += part;
        all += whole;
    }
    Routed {
        mean_share: shares / mass.rows().max(1) as f64,
        share_of_all: if all > 0.0 { captured / all } else { 0.0 },
    }
}

/// The indices of the largest values, largest first; of equal ones the lower index.
fn falling(values: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&left, &right| values[right].total_cmp(&values[left]));
    order.truncate(count);
    order
}
