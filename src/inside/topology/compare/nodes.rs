//! Strengths and disparities of two models, set by set.

use serde::Serialize;

use super::difference::{Difference, correct};
use crate::inside::topology::sets::{Measure, Mode, NodeValues, Set, Topology};

/// How one measure of one set of nodes differs between two models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeDifference {
    /// The block, from 0.
    pub block: usize,
    /// The second model's block.
    pub block_b: usize,
    /// The expert, from 0, where a block has several.
    pub expert: Option<usize>,
    /// The nodes.
    pub set: Set,
    /// What is measured.
    pub measure: Measure,
    /// Raw or folded.
    pub mode: Mode,
    /// How they differ.
    #[serde(flatten)]
    pub difference: Difference,
}

/// Compares what both models have, in the first's order, block by block as `pairs` says ([`pair_blocks`](super::pair_blocks)).
#[must_use]
pub fn compare_nodes(one: &Topology, other: &Topology, pairs: &[(usize, usize)]) -> Vec<NodeDifference> {
    let key = |nodes: &NodeValues, block| (block, nodes.expert, nodes.set, nodes.measure, nodes.mode);
    let row = |nodes: &NodeValues| {
        let block_b = pairs.iter().find(|(block, _)| *block == nodes.block)?.1;
        let wanted = key(nodes, block_b);
        let partner = other.nodes.iter().find(|other| key(other, other.block) == wanted)?;
        Some(NodeDifference {
            block: nodes.block,
            block_b,
            expert: nodes.expert,
            set: nodes.set,
            measure: nodes.measure,
            mode: nodes.mode,
            difference: Difference::of(&nodes.values, &partner.values)?,
        })
    };
    let mut rows: Vec<NodeDifference> = one.nodes.iter().filter_map(row).collect();
    correct(rows.iter_mut().map(|row| &mut row.difference));
    rows
}
