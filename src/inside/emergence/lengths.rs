//! From weights to edge lengths: d = |w|^−β, filtered and rounded (spec 3.5 and 3.6).

use super::config::{Measure, Rounding};

/// The lengths that are left of every source node's outgoing edges, in the order of the nodes.
#[derive(Clone, Debug, Default)]
pub struct Lengths {
    values: Vec<f64>,
    /// Where each node's lengths end.
    ends: Vec<usize>,
    /// What became of the weights.
    pub fate: Fate,
}

/// What became of the weights that were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Fate {
    /// All weights.
    pub total: u64,
    /// Those that are exactly zero: no edge.
    pub zero: u64,
    /// Those that are not a finite number: no edge.
    pub not_finite: u64,
    /// Those whose length passed the filter.
    pub kept: u64,
}

impl Fate {
    /// Adds another count to this one.
    pub fn add(&mut self, other: Self) {
        self.total += other.total;
        self.zero += other.zero;
        self.not_finite += other.not_finite;
        self.kept += other.kept;
    }

    /// The share of weights whose length passed the filter; 0 where there are none.
    pub fn kept_fraction(self) -> f64 {
        share(self.kept, self.total)
    }

    /// The share of weights that are exactly zero; 0 where there are none.
    pub fn zero_fraction(self) -> f64 {
        share(self.zero, self.total)
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl Measure {
    /// The length of an edge of this weight, before the filter; `None` for zero and for what is no number.
    pub fn length(&self, weight: f64) -> Option<f64> {
        let size = weight.abs();
        if size == 0.0 || !size.is_finite() {
            return None;
        }
        // The exact value is specified; `powf(-1.0)` may differ in its last bit.
        #[expect(clippy::float_cmp, reason = "1 is a choice, not a result")]
        let inverse = self.exponent == 1.0;
        Some(if inverse { 1.0 / size } else { size.powf(-self.exponent) })
    }

    /// What the filter and the rounding leave of a length. The filter comes first: 0.6 is dropped, 1.4 becomes 1.
    pub fn keep(&self, length: f64) -> Option<f64> {
        let within = length > self.longer_than && length.is_finite() && self.at_most.is_none_or(|most| length <= most);
        within.then(|| match self.rounding {
            Rounding::Integer => length.round_ties_even(),
            Rounding::None => length,
        })
    }
}

impl Lengths {
    /// The lengths of the edges with these weights, one slice per source node; every weight is multiplied by `factor` first.
    pub fn of_weights<'a>(measure: &Measure, factor: f64, nodes: impl Iterator<Item = &'a [f64]>) -> Self {
        let mut lengths = Self::default();
        for weights in nodes {
            for &weight in weights {
                lengths.fate.total += 1;
                match measure.length(weight * factor) {
                    Some(length) => lengths.push(measure, length),
                    None if weight == 0.0 => lengths.fate.zero += 1,
                    None => lengths.fate.not_finite += 1,
                }
            }
            lengths.ends.push(lengths.values.len());
        }
        lengths
    }

    /// What the filter leaves of given distances, one list per source node.
    pub fn of_distances(measure: &Measure, nodes: impl Iterator<Item = impl AsRef<[f64]>>) -> Self {
        let mut lengths = Self::default();
        for distances in nodes {
            for &distance in distances.as_ref() {
                lengths.fate.total += 1;
                lengths.push(measure, distance);
            }
            lengths.ends.push(lengths.values.len());
        }
        lengths
    }

    fn push(&mut self, measure: &Measure, length: f64) {
        if let Some(kept) = measure.keep(length) {
            self.fate.kept += 1;
            self.values.push(kept);
        }
    }

    /// How many source nodes there are, with or without lengths.
    pub fn nodes(&self) -> usize {
        self.ends.len()
    }

    /// The lengths of one source node.
    pub fn node(&self, node: usize) -> &[f64] {
        let start = node.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.values[start..self.ends[node]]
    }

    /// The lengths node by node.
    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        (0..self.nodes()).map(|node| self.node(node))
    }

    /// All lengths together.
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}
