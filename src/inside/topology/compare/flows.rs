//! What nodes of two models do over a text, or those of one model over two texts.

use serde::Serialize;

use super::difference::{Difference, correct};
use crate::inside::topology::divergence::between_counts;
use crate::inside::topology::sets::Set;
use crate::inside::topology::text::BlockFlow;

/// How one data-dependent metric of one set of nodes differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FlowDifference {
    /// The block, from 0.
    pub block: usize,
    /// The second model's block.
    pub block_b: usize,
    /// The nodes.
    pub set: Set,
    /// The metric.
    pub metric: &'static str,
    /// Jensen-Shannon divergence in bits between all values of all nodes and tokens, over 255 bins of both signs
    /// ([`SignedLog`](crate::inside::topology::SignedLog)).
    pub values_jensen_shannon_bits: f64,
    /// How the nodes' means over the text differ.
    #[serde(flatten)]
    pub difference: Difference,
}

/// Compares what was gathered of both, in the first's order, block by block as `pairs` says ([`pair_blocks`](super::pair_blocks)).
#[must_use]
pub fn compare_flows(one: &[BlockFlow], other: &[BlockFlow], pairs: &[(usize, usize)]) -> Vec<FlowDifference> {
    let mut rows: Vec<FlowDifference> = Vec::new();
    for &(block, block_b) in pairs {
        let find = |flows: &'_ [BlockFlow], block: usize| flows.iter().position(|flow| flow.block() == block);
        let (Some(a), Some(b)) = (find(one, block), find(other, block_b)) else {
            continue;
        };
        for first in one[a].sets() {
            let Some(second) = other[b].sets().iter().find(|second| second.set == first.set) else {
                continue;
            };
            for (metric, gathered) in first.metrics() {
                let partner = second.metrics().find(|(name, _)| *name == metric);
                rows.extend(partner.and_then(|(_, partner)| {
                    Some(FlowDifference {
                        block,
                        block_b,
                        set: first.set,
                        metric,
                        values_jensen_shannon_bits: between_counts(&gathered.values.counts, &partner.values.counts)?,
                        difference: Difference::of(&gathered.means(), &partner.means())?,
                    })
                }));
            }
        }
    }
    correct(rows.iter_mut().map(|row| &mut row.difference));
    rows
}
