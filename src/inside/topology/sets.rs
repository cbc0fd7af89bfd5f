//! Sets of nodes of a decoder's blocks, and what is measured at them.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::summary::Summary;

/// Whether norms' gains count as part of the matrices beside them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Gains folded in: a network with rescaled gains and columns that computes the same has the same strengths.
    #[default]
    Folded,
    /// Matrices as stored.
    Raw,
}

/// Whether the identity links of the residual stream count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// They do not: they would add the same to every node.
    #[default]
    Left,
    /// 1 more on either side of every residual node.
    Counted,
}

/// A set of nodes of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Set {
    /// The stream that attention reads.
    ResidIn,
    /// Coordinates of queries. They enter a bilinear form and not a link, so they have no out-strength.
    QNode,
    /// Coordinates of keys; no out-strength either.
    KNode,
    /// Coordinates of values.
    VNode,
    /// Coordinates of head outputs: values pass with a total weight of 1, since attention sums to 1.
    AttnChannel,
    /// The stream that the FFN reads.
    ResidMid,
    /// Units of the FFN.
    FfnNeuron,
    /// What chooses among experts.
    Router,
    /// The stream that leaves the block.
    ResidOut,
}

impl Set {
    /// As files spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ResidIn => "resid_in",
            Self::QNode => "q_node",
            Self::KNode => "k_node",
            Self::VNode => "v_node",
            Self::AttnChannel => "attn_channel",
            Self::ResidMid => "resid_mid",
            Self::FfnNeuron => "ffn_neuron",
            Self::Router => "router",
            Self::ResidOut => "resid_out",
        }
    }
}

/// What is measured at each node of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// In-strength; of FFN units the sum of both matrices.
    In,
    /// From the up matrix alone.
    InUp,
    /// From the gate matrix alone.
    InGate,
    /// Out-strength.
    Out,
    /// Into queries alone.
    OutQ,
    /// Into keys alone.
    OutK,
    /// Into values alone.
    OutV,
    /// In plus out. Its standard deviation is the layer fluctuation.
    Strength,
    /// Disparity over the row of the up matrix.
    DisparityInUp,
    /// Disparity over the row of the gate matrix.
    DisparityInGate,
    /// Disparity over the column of the down matrix.
    DisparityOut,
}

impl Measure {
    /// As files spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::InUp => "in_up",
            Self::InGate => "in_gate",
            Self::Out => "out",
            Self::OutQ => "out_q",
            Self::OutK => "out_k",
            Self::OutV => "out_v",
            Self::Strength => "strength",
            Self::DisparityInUp => "disparity_in_up",
            Self::DisparityInGate => "disparity_in_gate",
            Self::DisparityOut => "disparity_out",
        }
    }
}

/// One measure of one set of nodes of one block.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeValues {
    /// The block, from 0.
    pub block: usize,
    /// The expert, from 0, where a block has several.
    pub expert: Option<usize>,
    /// The nodes.
    pub set: Set,
    /// What is measured.
    pub measure: Measure,
    /// Raw or folded.
    pub mode: Mode,
    /// One per node.
    pub values: Vec<f64>,
}

/// Link statistics of one matrix. Weights alone; biases are a column of their own, if any.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorLinks {
    /// The block, from 0; `None` for embeddings.
    pub block: Option<usize>,
    /// The expert, from 0, where a block has several.
    pub expert: Option<usize>,
    /// The matrix's role, such as `ffn_down`: a part of a fused tensor goes by its own.
    pub tensor: String,
    /// Figures over its weights.
    pub summary: Summary,
    /// 64 bins between its extremes.
    pub histogram: Histogram,
}

/// Topological metrics of a decoder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Topology {
    /// Per matrix.
    pub links: Vec<TensorLinks>,
    /// Per block, set, measure and mode.
    pub nodes: Vec<NodeValues>,
}

impl Topology {
    /// The values of one measure, where there are any. Of experts: the first.
    #[must_use]
    pub fn values(&self, block: usize, set: Set, measure: Measure, mode: Mode) -> Option<&[f64]> {
        let wanted =
            |nodes: &&NodeValues| (nodes.block, nodes.set, nodes.measure, nodes.mode) == (block, set, measure, mode);
        self.nodes.iter().find(wanted).map(|nodes| &nodes.values[..])
    }

    /// Number of blocks that have nodes.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.nodes.iter().map(|nodes| nodes.block + 1).max().unwrap_or(0)
    }
}
