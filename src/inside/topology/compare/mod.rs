//! Two models, checkpoints or networks side by side: divergences and two-sample tests (specification section 6.4).

mod difference;
mod flows;
mod links;
mod models;
mod networks;
mod nodes;
mod overview;

pub use difference::{Difference, Paired};
pub use flows::{FlowDifference, compare_flows};
pub use links::{LinkDifference, Model, compare_links};
pub use models::compare_models;
pub use networks::{NetworksError, SampleDifference, compare_networks};
pub use nodes::{NodeDifference, compare_nodes};
pub use overview::{LEVEL, OverviewRow, overview};

use super::divergence::jensen_shannon;

/// Bins of the Jensen-Shannon divergence between weights.
pub const LINK_BINS: usize = 256;
/// Bins of the Jensen-Shannon divergence between nodes. A layer has some thousand nodes: with 256 bins the noise of so few values would be as large as the
/// differences between layers.
pub const NODE_BINS: usize = 32;

/// Which block of a second model stands beside each block of a first: the same, or where their numbers differ, the one at the same share of the depth.
#[must_use]
pub fn pair_blocks(one: usize, other: usize) -> Vec<(usize, usize)> {
    let last = |blocks: usize| blocks.saturating_sub(1);
    let partner = |block: usize| match last(one) {
        0 => 0,
        // Rounded to the nearest.
        end => (2 * block * last(other) + end) / (2 * end),
    };
    if other == 0 {
        return Vec::new();
    }
    (0..one).map(|block| (block, partner(block))).collect()
}

/// Jensen-Shannon divergence in bits of every sample against every other: blocks of one model, or checkpoints of a series. Cells of an empty
/// sample are NaN. `bins` as in [`jensen_shannon`]: [`NODE_BINS`] for strengths.
#[must_use]
pub fn divergence_matrix(samples: &[&[f64]], bins: usize) -> Vec<Vec<f64>> {
    let cell = |one: &[f64], other: &[f64]| jensen_shannon(one, other, bins).unwrap_or(f64::NAN);
    samples
        .iter()
        .map(|one| samples.iter().map(|other| cell(one, other)).collect())
        .collect()
}
