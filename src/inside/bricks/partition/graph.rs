//! How strongly units are connected.

use super::Activity;
use crate::inside::bricks::{Element, Matrix, matrix::dot, part_of};

/// Symmetric weights without a diagonal, `[units][units]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph<W>(Matrix<W>);

impl Graph<f32> {
    /// The count of tokens on which both units are active. Exact up to 2²⁴ tokens.
    pub fn coactivation(activity: &Activity) -> Self {
        Self::symmetric(activity.units(), |left, right| {
            f64::from(activity.together(left, right))
        })
    }
}

impl<W: Element> Graph<W> {
    /// Every weight from two units, the first below the second.
    pub fn symmetric(units: usize, weight: impl Fn(usize, usize) -> f64) -> Self {
        let mut weights = Matrix::from_fn(units, units, |_, _| 0.0);
        for left in 0..units {
            for right in left + 1..units {
                let weight = weight(left, right);
                weights.set(left, right, weight);
                weights.set(right, left, weight);
            }
        }
        Self(weights)
    }

    /// How many units.
    pub fn units(&self) -> usize {
        self.0.rows()
    }

    /// The weights, `[units][units]`.
    pub fn weights(&self) -> &Matrix<W> {
        &self.0
    }

    /// The edges with a weight that is not 0, each once.
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        let row = move |left: usize| (left + 1..self.units()).map(move |right| (left, right, self.0.at(left, right)));
        (0..self.units()).flat_map(row).filter(|edge| edge.2 != 0.0)
    }

    /// Without edges below 0.99 times the 10th percentile of the weights that are not 0, as MoEfication drops them.
    #[must_use]
    pub fn without_weakest(&self) -> Self {
        let mut weights: Vec<f64> = self.edges().map(|edge| edge.2).collect();
        if weights.is_empty() {
            return self.clone();
        }
        let nth = part_of(0.1, weights.len() - 1);
        let least = 0.99 * *weights.select_nth_unstable_by(nth, f64::total_cmp).1;
        self.keep(|_, _, weight| weight >= least)
    }

    /// Only edges that are among the `neighbours` heaviest of one of their two units; of equal ones the lower index first. Communities of wide layers need it
    /// (all edges of 8,960 units are 40 million).
    #[must_use]
    pub fn heaviest(&self, neighbours: usize) -> Self {
        let mut kept = vec![false; self.0.values().len()];
        for unit in 0..self.units() {
            let mut order: Vec<usize> = (0..self.units()).filter(|&other| other != unit).collect();
            order.sort_by(|&left, &right| self.0.at(unit, right).total_cmp(&self.0.at(unit, left)));
            for other in order.into_iter().take(neighbours) {
                kept[unit * self.units() + other] = true;
                kept[other * self.units() + unit] = true;
            }
        }
        self.keep(|left, right, _| kept[left * self.units() + right])
    }

    fn keep(&self, keep: impl Fn(usize, usize, f64) -> bool) -> Self {
        Self::symmetric(self.units(), |left, right| {
            let weight = self.0.at(left, right);
            if keep(left, right, weight) { weight } else { 0.0 }
        })
    }
}

/// `Σ_t ReLU(a_i)·ReLU(a_j)`, from activations `[tokens][units]`.
pub fn positive_products<T: Element>(activations: &Matrix<T>) -> Graph<f64> {
    let positive = Matrix::<f64>::from_fn(activations.columns(), activations.rows(), |unit, token| {
        let value = activations.at(token, unit);
        if value > 0.0 { value } else { 0.0 }
    });
    Graph::symmetric(activations.columns(), |left, right| {
        dot(positive.row(left), positive.row(right))
    })
}

/// The Pearson correlation of `|a_i|` and `|a_j|` over tokens; 0 where one of them never changes. Weights may be negative, so it serves for inspection, not
/// for modularity.
pub fn absolute_correlation<T: Element>(activations: &Matrix<T>) -> Graph<f64> {
    let mut columns = Matrix::<f64>::from_fn(activations.columns(), activations.rows(), |unit, token| {
        activations.at(token, unit).abs()
    });
    for unit in 0..columns.rows() {
        let row = columns.row_mut(unit);
        let mean = row.iter().sum::<f64>() / row.len().max(1) as f64;
        for value in row.iter_mut() {
            *value -= mean;
        }
        let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
        if length > 0.0 {
            for value in row {
                *value /= length;
            }
        }
    }
    Graph::symmetric(activations.columns(), |left, right| {
        dot(columns.row(left), columns.row(right))
    })
}

/// The count of tokens on which both units are active among those on which either is; 0 where none is.
pub fn jaccard(activity: &Activity) -> Graph<f64> {
    let counts: Vec<u32> = (0..activity.units()).map(|unit| activity.count(unit)).collect();
    Graph::symmetric(activity.units(), |left, right| {
        let both = activity.together(left, right);
        let either = counts[left] + counts[right] - both;
        f64::from(both) / f64::from(either.max(1))
    })
}
