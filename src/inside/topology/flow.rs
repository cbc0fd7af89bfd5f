//! Data-dependent metrics: what nodes do over a sample of inputs.
//!
//! The 2024 paper's equations for these could not be read; the formulas are a reconstruction (specification section 3), and everything written
//! from them says so.

use serde::{Deserialize, Serialize};

use super::histogram::SignedLog;
use super::summary::Summary;

/// Which links count for a node's strength under data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// What arrives plus what leaves. With all activations 1 this is the topological node strength.
    #[default]
    Both,
    /// What arrives alone: the pre-activation.
    In,
}

/// Running moments of one quantity of one node over the inputs (Welford).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Running {
    n: u64,
    mean: f64,
    squares: f64,
    absolute: f64,
    positive: u64,
    min: f64,
    max: f64,
}

impl Default for Running {
    fn default() -> Self {
        Self {
            n: 0,
            mean: 0.0,
            squares: 0.0,
            absolute: 0.0,
            positive: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Running {
    /// Takes one value in.
    pub fn add(&mut self, value: f64) {
        self.n += 1;
        let distance = value - self.mean;
        self.mean += distance / self.n as f64;
        self.squares += distance * (value - self.mean);
        self.absolute += value.abs();
        self.positive += u64::from(value > 0.0);
        self.min = if value < self.min { value } else { self.min };
        self.max = if value > self.max { value } else { self.max };
    }

    /// How many values came.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Their mean; 0 before the first.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Population standard deviation over the inputs.
    #[must_use]
    pub fn std(&self) -> f64 {
        (self.squares / self.divisor()).sqrt()
    }

    /// Standard error of the mean, `std / sqrt(n)`.
    #[must_use]
    pub fn sem(&self) -> f64 {
        self.std() / self.divisor().sqrt()
    }

    /// Mean size.
    #[must_use]
    pub fn abs_mean(&self) -> f64 {
        self.absolute / self.divisor()
    }

    /// Root mean square.
    #[must_use]
    pub fn rms(&self) -> f64 {
        (self.squares / self.divisor() + self.mean * self.mean).sqrt()
    }

    /// Share of values above zero.
    #[must_use]
    pub fn positive(&self) -> f64 {
        self.positive as f64 / self.divisor()
    }

    /// The least and the greatest value; infinite before the first.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        (self.min, self.max)
    }

    fn divisor(&self) -> f64 {
        if self.n > 0 { self.n as f64 } else { 1.0 }
    }
}

/// One metric of all nodes of a layer over the inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Gathered {
    /// Moments per node.
    pub nodes: Vec<Running>,
    /// All values of all nodes.
    pub values: SignedLog,
}

impl Gathered {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            nodes: vec![Running::default(); nodes],
            values: SignedLog::default(),
        }
    }

    /// Takes in the layer's values for one input.
    pub(super) fn add(&mut self, values: impl Iterator<Item = f64>) {
        for (node, value) in self.nodes.iter_mut().zip(values) {
            node.add(value);
            self.values.add(value);
        }
    }

    /// Each node's mean over the inputs.
    #[must_use]
    pub fn means(&self) -> Vec<f64> {
        self.nodes.iter().map(Running::mean).collect()
    }

    /// Figures over the nodes' means; its `std` is the neuron fluctuation where the metric is the strength.
    #[must_use]
    pub fn over_nodes(&self) -> Option<Summary> {
        Summary::of(&self.means())
    }
}

/// Data-dependent metrics of one layer of nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeFlows {
    /// `a`.
    pub activation: Gathered,
    /// `z`; for input nodes the input itself.
    pub in_flow: Gathered,
    /// `a` times the out-strength; for output nodes `a` (under the authors' convention of a unit link).
    pub out_flow: Gathered,
    /// Their sum, or the in-flow alone.
    pub strength: Gathered,
}

impl NodeFlows {
    pub(super) fn new(nodes: usize) -> Self {
        let empty = || Gathered::new(nodes);
        Self {
            activation: empty(),
            in_flow: empty(),
            out_flow: empty(),
            strength: empty(),
        }
    }

    /// One input's activations, in-flows and out-flows.
    pub(super) fn add(&mut self, activation: &[f64], in_flow: &[f64], out_flow: &[f64], flow: Flow) {
        self.activation.add(activation.iter().copied());
        self.in_flow.add(in_flow.iter().copied());
        self.out_flow.add(out_flow.iter().copied());
        let both = in_flow.iter().zip(out_flow).map(|(arrives, leaves)| match flow {
            Flow::Both => arrives + leaves,
            Flow::In => *arrives,
        });
        self.strength.add(both);
    }

    /// Neuron fluctuation: the spread over nodes of the mean strength.
    #[must_use]
    pub fn neuron_fluctuation(&self) -> Option<f64> {
        self.strength.over_nodes().map(|summary| summary.std)
    }
}
