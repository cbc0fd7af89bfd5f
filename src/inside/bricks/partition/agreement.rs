//! How far two groupings of the same units are the same.

use serde::{Deserialize, Serialize};

use super::Groups;
use crate::inside::bricks::ShapeError;

/// Two measures of agreement; both are 1 for the same grouping under any numbering.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The adjusted Rand index: 0 is what chance gives.
    pub adjusted_rand: f64,
    /// Normalised mutual information, over the arithmetic mean of the entropies. Chance gives more than 0.
    pub normalised_information: f64,
}

/// Compares two groupings. From 0.5 of the adjusted Rand index on, groups of another seed or another half of the data count as stable (spec §5.2).
pub fn agreement(left: &Groups, right: &Groups) -> Result<Agreement, ShapeError> {
    let units = left.of_unit().len();
    ShapeError::check("units of the second grouping", right.of_unit().len(), units)?;
    let mut table = vec![0_usize; left.count() * right.count()];
    for (&row, &column) in left.of_unit().iter().zip(right.of_unit()) {
        table[row * right.count() + column] += 1;
    }
    let pairs = |counts: &[usize]| -> f64 { counts.iter().map(|&count| choose_two(count)).sum() };
    let (both, rows, columns) = (pairs(&table), pairs(left.sizes()), pairs(right.sizes()));
    let expected = rows * columns / choose_two(units);
    let most = f64::midpoint(rows, columns);
    // Both are one group, or both are single units.
    let adjusted_rand = if units < 2 || most <= expected {
        1.0
    } else {
        (both - expected) / (most - expected)
    };
    let (of_left, of_right) = (entropy(left.sizes(), units), entropy(right.sizes(), units));
    let shared = of_left + of_right - entropy(&table, units);
    let mean = f64::midpoint(of_left, of_right);
    let normalised_information = if mean == 0.0 {
        1.0
    } else {
        shared.clamp(0.0, mean) / mean
    };
    Ok(Agreement {
        adjusted_rand,
        normalised_information,
    })
}

fn choose_two(count: usize) -> f64 {
    let count = count as f64;
    count * (count - 1.0) / 2.0
}

fn entropy(counts: &[usize], all: usize) -> f64 {
    let shares = counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| count as f64 / all as f64);
    -shares.map(|share| share * share.ln()).sum::<f64>()
}
