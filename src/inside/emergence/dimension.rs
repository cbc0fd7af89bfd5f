//! Quantities that follow from a mass exponent, and the fractal dimension of single nodes (spec 4).

use super::{
    config::{Line, Rounding},
    moments::Fit,
};

/// The limits of a node's own dimension, which differ from those of the spectrum: 0 < d ≤ 200 and more than 10 lengths.
const NODE_AT_MOST: f64 = 200.0;
const NODE_MORE_THAN: usize = 10;

/// Over what the sums of powers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// Over nodes, each the centre of a box: D(q) = τ(q) / q, so that the D(q) of boxes is shifted by one.
    Nodes,
    /// Over boxes: D(q) = τ(q) / (q − 1).
    Boxes,
}

/// The generalised dimensions D(q). Where the denominator is zero the limit is τ' there, which is `limit`: α0 for nodes, the information dimension
/// for boxes.
pub fn generalised_dimensions(q: &[f64], tau: &[f64], convention: Convention, limit: f64) -> Vec<f64> {
    let shift = match convention {
        Convention::Nodes => 0.0,
        Convention::Boxes => 1.0,
    };
    let each = q.iter().map(|q| q - shift).zip(tau);
    each.map(|(q, tau)| if q == 0.0 { limit } else { tau / q }).collect()
}

/// C(q) = −τ''(q) by second differences over an evenly spaced grid: the *specific heat*. Two shorter than the grid.
pub fn specific_heat(q: &[f64], tau: &[f64]) -> Vec<f64> {
    let step = |k: usize| q[k + 1] - q[k];
    let second = |k: usize| -(tau[k + 2] - 2.0 * tau[k + 1] + tau[k]) / (step(k) * step(k));
    (0..q.len().saturating_sub(2)).map(second).collect()
}

/// The distance of two networks: the root of the mean square difference of their D(q).
pub fn structural_distance(one: &[f64], other: &[f64]) -> f64 {
    let squares: Vec<f64> = one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).collect();
    super::moments::mean(&squares).sqrt()
}

/// The fractal dimension of one node: the slope of ln N(r) on ln r over its own rounded lengths, the centre counted; 0 where it has too few
/// lengths or they do not differ. `lengths` are raw, not filtered.
pub fn node_dimension(lengths: impl Iterator<Item = f64>) -> f64 {
    let measure = super::config::Measure {
        longer_than: 0.0,
        at_most: Some(NODE_AT_MOST),
        rounding: Rounding::Integer,
        ..super::config::Measure::default()
    };
    let mut kept: Vec<f64> = lengths.filter_map(|length| measure.keep(length)).collect();
    if kept.len() <= NODE_MORE_THAN {
        return 0.0;
    }
    kept.sort_unstable_by(f64::total_cmp);
    let (mut radii, mut masses): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for (nth, &radius) in kept.iter().enumerate() {
        // Lengths below one half round to zero, which counts as mass but has no logarithm.
        if radius > 0.0 && kept.get(nth + 1).is_none_or(|next| *next > radius) {
            radii.push(radius);
            masses.push(((nth + 2) as f64).ln());
        }
    }
    if radii.len() < 2 {
        return 0.0;
    }
    Fit::on(&radii, Line::FreeIntercept).slope(&masses)
}

/// The dimensions of nodes whose weights are given, one slice per node.
pub fn node_dimensions<'a>(nodes: impl Iterator<Item = &'a [f64]>) -> Vec<f64> {
    let measure = super::config::Measure::default();
    nodes
        .map(|weights| node_dimension(weights.iter().filter_map(|weight| measure.length(*weight))))
        .collect()
}
