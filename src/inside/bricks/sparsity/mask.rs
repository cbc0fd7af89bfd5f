//! One token's units: the weakest, what leaving them out costs, and how many carry most of the mass.

use crate::inside::bricks::{Element, Matrix, ShapeError, matrix::norm, part_of};

/// The `floor(percent·units/100)` units with the lowest indicator, ascending by index; of equal ones the lower index goes first.
pub fn lowest(indicators: &[f64], percent: f64) -> Vec<usize> {
    let count = part_of(percent / 100.0 * (1.0 + f64::EPSILON), indicators.len()).min(indicators.len());
    let mut order = ascending(indicators);
    order.truncate(count);
    order.sort_unstable();
    order
}

/// Units by ascending indicator; of equal ones the lower index first.
pub(super) fn ascending(indicators: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..indicators.len()).collect();
    order.sort_by(|&left, &right| indicators[left].total_cmp(&indicators[right]));
    order
}

/// `‖Σ_{i in tail} n_i‖ / ‖Σ_i n_i‖` for one token (spec §3.3): `activations` `[units]`, `down` `[outputs][units]`. Leaving out nothing costs 0, also where
/// the whole output is 0; leaving out something of an output of 0 is infinitely wrong.
///
/// # Panics
/// If a unit of the tail does not exist.
pub fn tail_cett<T: Element, W: Element>(
    activations: &[T],
    down: &Matrix<W>,
    tail: &[usize],
) -> Result<f64, ShapeError> {
    ShapeError::check("activations of a token", activations.len(), down.columns())?;
    let (mut left_out, mut all) = (0.0, 0.0);
    for row in down.each_row() {
        let part = |unit: usize| -> f64 { activations[unit].into() * row[unit].into() };
        let missing: f64 = tail.iter().map(|&unit| part(unit)).sum();
        let whole: f64 = (0..row.len()).map(part).sum();
        left_out += missing * missing;
        all += whole * whole;
    }
    Ok(ratio(left_out.sqrt(), all.sqrt()))
}

pub(super) fn ratio(left_out: f64, all: f64) -> f64 {
    if left_out == 0.0 { 0.0 } else { left_out / all }
}

/// What each unit alone puts out beside the whole FFN output, `|a_j|·‖W_down[:, j]‖ / (‖FFN(x)‖ + 1e-8)` for one token. This is per unit; it is not the cumulative
/// error of a tail.
pub fn contributions<T: Element, W: Element>(
    activations: &[T],
    down: &Matrix<W>,
    norms: &[f64],
) -> Result<Vec<f64>, ShapeError> {
    ShapeError::check("column norms", norms.len(), activations.len())?;
    let activations: Vec<f64> = activations.iter().map(|&value| value.into()).collect();
    let whole = norm(&down.times(&activations)?) + 1e-8;
    let shares = activations.iter().zip(norms);
    Ok(shares.map(|(value, norm)| value.abs() * norm / whole).collect())
}

/// How many units, strongest first, it takes until their `Σ|a|` reaches `share` of the token's.
pub fn units_for_mass<T: Element>(activations: &[T], share: f64) -> usize {
    let mut masses: Vec<f64> = activations.iter().map(|&value| value.into().abs()).collect();
    masses.sort_by(|left, right| right.total_cmp(left));
    let wanted = share * masses.iter().sum::<f64>();
    let mut sum = 0.0;
    for (nth, mass) in masses.iter().enumerate() {
        if sum >= wanted {
            return nth;
        }
        sum += mass;
    }
    masses.len()
}

/// The fraction of values that are exactly 0, as ReLU leaves them; 0 for an empty matrix.
pub fn zero_fraction<T: Element>(activations: &Matrix<T>) -> f64 {
    let all = activations.values().len();
    let zeros = activations
        .values()
        .iter()
        .filter(|&&value| value.into() == 0.0)
        .count();
    if all == 0 { 0.0 } else { zeros as f64 / all as f64 }
}
