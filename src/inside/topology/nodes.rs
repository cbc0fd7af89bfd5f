//! Node strength, layer fluctuation and disparity (specification sections 2.2 to 2.4).

use serde::{Deserialize, Serialize};

use super::matrix::Matrix;
use super::summary::Summary;

/// What stands for the side that the first and the last layer do not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// 1, as in the authors' code: a unit input or output link. It moves means by 1 and leaves fluctuations alone.
    #[default]
    Authors,
    /// 0: the strict graph.
    Strict,
}

impl Convention {
    fn missing(self) -> f64 {
        match self {
            Self::Authors => 1.0,
            Self::Strict => 0.0,
        }
    }
}

/// One side of a layer's nodes: the links that arrive, or those that leave.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// Sum of signed weights per node; of those that arrive, the bias is one more.
    pub strength: Vec<f64>,
    /// [`disparity`] per node, bias excluded.
    pub disparity: Vec<f64>,
    /// [`legacy`] per node, bias excluded.
    pub disparity_legacy: Vec<f64>,
    /// Links per node, the mean over the layer, bias excluded.
    pub fan: f64,
    /// Root mean square distance of these links' weights from their mean.
    pub link_std: f64,
}

impl Side {
    /// `F^2 / (fan tau^2)` with F this side's fluctuation and tau the links' standard deviation: 1 for independent weights, more where the links of a
    /// node share a sign. `None` where all weights are equal.
    #[must_use]
    pub fn correlation_index(&self) -> Option<f64> {
        let summary = Summary::of(&self.strength)?;
        let expected = self.fan * self.link_std.powi(2);
        (expected > 0.0).then(|| summary.variance() / expected)
    }
}

/// Strengths of one layer of nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeLayer {
    /// What arrives; `None` for the first layer.
    pub incoming: Option<Side>,
    /// What leaves; `None` for the last layer.
    pub outgoing: Option<Side>,
    /// In-strength with taps on padding counted, where that differs from the links that exist.
    pub full_kernel: Option<Vec<f64>>,
    pub(super) size: usize,
}

impl NodeLayer {
    pub(super) fn new(size: usize, incoming: Option<Side>, outgoing: Option<Side>) -> Self {
        Self {
            incoming,
            outgoing,
            full_kernel: None,
            size,
        }
    }

    /// Number of nodes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// In-strength plus out-strength per node.
    #[must_use]
    pub fn strength(&self, convention: Convention) -> Vec<f64> {
        let of = |side: &Option<Side>, node: usize| match side {
            Some(side) => side.strength[node],
            None => convention.missing(),
        };
        let total = |node| of(&self.incoming, node) + of(&self.outgoing, node);
        (0..self.size).map(total).collect()
    }

    /// Layer fluctuation: the population standard deviation of the strengths. The convention does not matter to it.
    #[must_use]
    pub fn fluctuation(&self) -> Option<f64> {
        Summary::of(&self.strength(Convention::Strict)).map(|summary| summary.std)
    }

    /// Fluctuation divided by `sqrt(fan_in + fan_out)`: an effective standard deviation per link, which layers of different width share a scale in.
    #[must_use]
    pub fn fluctuation_per_link(&self) -> Option<f64> {
        let fan = |side: &Option<Side>| side.as_ref().map_or(0.0, |side| side.fan);
        let fans = fan(&self.incoming) + fan(&self.outgoing);
        Some(self.fluctuation()? / fans.sqrt()).filter(|value| value.is_finite())
    }
}

/// Sums over the links of one node.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LinkSums {
    pub(super) links: u64,
    pub(super) signed: f64,
    pub(super) absolute: f64,
    pub(super) squares: f64,
}

impl LinkSums {
    pub(super) fn add(&mut self, weight: f64) {
        self.links += 1;
        self.signed += weight;
        self.absolute += weight.abs();
        self.squares += weight * weight;
    }

    pub(super) fn disparity(&self) -> f64 {
        disparity(self.absolute, self.squares)
    }
}

/// `sum (|w| / sum |w|)^2`: 1/k for k equal links, 1 for one link that carries everything, 0 for a node without links.
#[must_use]
pub fn disparity(absolute_sum: f64, square_sum: f64) -> f64 {
    if absolute_sum > 0.0 {
        square_sum / (absolute_sum * absolute_sum)
    } else {
        0.0
    }
}

/// `sum w^2 / sum |w|`, as in the authors' scripts of 2019; it depends on the weights' scale.
#[must_use]
pub fn legacy(absolute_sum: f64, square_sum: f64) -> f64 {
    if absolute_sum > 0.0 {
        square_sum / absolute_sum
    } else {
        0.0
    }
}

/// A side from the sums over each node's links and, for what arrives, the biases.
pub(super) fn side(sums: &[LinkSums], biases: Option<&[f64]>) -> Side {
    let bias = |node: usize| biases.map_or(0.0, |biases| biases[node]);
    let links = sums.iter().map(|sum| sum.links).sum::<u64>() as f64;
    let mean = sums.iter().map(|sum| sum.signed).sum::<f64>() / links;
    let variance = sums.iter().map(|sum| sum.squares).sum::<f64>() / links - mean * mean;
    Side {
        strength: sums
            .iter()
            .enumerate()
            .map(|(node, sum)| sum.signed + bias(node))
            .collect(),
        disparity: sums.iter().map(LinkSums::disparity).collect(),
        disparity_legacy: sums.iter().map(|sum| legacy(sum.absolute, sum.squares)).collect(),
        fan: links / sums.len() as f64,
        link_std: if variance > 0.0 { variance.sqrt() } else { 0.0 },
    }
}

/// What arrives at the targets of several matrices, and what leaves the sources of one.
pub(super) fn incoming(matrices: &[&Matrix], biases: Option<&[f64]>) -> Side {
    let mut sums = vec![LinkSums::default(); matrices.first().map_or(0, |matrix| matrix.rows())];
    for matrix in matrices {
        for (row, sum) in sums.iter_mut().enumerate() {
            matrix.row(row).iter().for_each(|&weight| sum.add(weight));
        }
    }
    side(&sums, biases)
}

/// What leaves the sources of several matrices.
pub(super) fn outgoing(matrices: &[&Matrix]) -> Side {
    let mut sums = vec![LinkSums::default(); matrices.first().map_or(0, |matrix| matrix.columns())];
    for matrix in matrices {
        for row in 0..matrix.rows() {
            for (sum, &weight) in sums.iter_mut().zip(matrix.row(row)) {
                sum.add(weight);
            }
        }
    }
    side(&sums, None)
}
