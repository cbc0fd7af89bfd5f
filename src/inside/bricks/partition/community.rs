//! Communities of a graph by the Leiden algorithm.

use leiden_rs::{GraphDataBuilder, Leiden, LeidenConfig, LeidenError};

use super::{Graph, Groups};
use crate::inside::bricks::Element;

/// The graph has no communities.
#[derive(Debug, thiserror::Error)]
pub enum CommunityError {
    /// No edge.
    #[error("no two of {0} units are active together; lower the threshold from which a unit counts as active")]
    NoEdge(usize),
    /// The algorithm refused the graph or its settings.
    #[error("failed to find communities: {0}; the resolution must be positive, and weights must not be negative")]
    Leiden(#[from] LeidenError),
}

/// Runs of the algorithm; each starts from another order of units, and the best one counts.
const STARTS: u64 = 4;

/// Communities of high modularity at this resolution, numbered by falling size. One group is the answer where nothing better is found, as in graphs where all units are connected
/// about alike. The same seed gives the same groups.
pub fn communities<W: Element>(graph: &Graph<W>, resolution: f64, seed: u64) -> Result<Groups, CommunityError> {
    let mut builder = GraphDataBuilder::new(graph.units());
    let mut any = false;
    for (left, right, weight) in graph.edges() {
        builder.add_edge(left, right, weight)?;
        any = true;
    }
    if !any {
        return Err(CommunityError::NoEdge(graph.units()));
    }
    let edges = builder.build()?;
    let mut best = (1.0 - resolution, vec![0; graph.units()]);
    for start in 0..STARTS {
        let seed = seed.wrapping_mul(STARTS).wrapping_add(start);
        let settings = LeidenConfig::builder().resolution(resolution).seed(seed).build();
        let found = Leiden::new(settings).run(&edges)?;
        if found.quality > best.0 {
            best = (found.quality, found.partition.as_slice().to_vec());
        }
    }
    Ok(by_size(&Groups::new(best.1)))
}

/// The same groups with the largest as number 0, and without empty ones.
fn by_size(groups: &Groups) -> Groups {
    let mut order: Vec<usize> = (0..groups.count()).filter(|&group| groups.sizes()[group] > 0).collect();
    order.sort_by_key(|&group| std::cmp::Reverse(groups.sizes()[group]));
    let mut numbers = vec![0; groups.count()];
    for (number, &group) in order.iter().enumerate() {
        numbers[group] = number;
    }
    Groups::new(groups.of_unit().iter().map(|&group| numbers[group]).collect())
}
