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

/// Communities that maximise modularity at this resolution, numbered by falling size. The same seed gives the same groups.
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
    let settings = LeidenConfig::builder().resolution(resolution).seed(seed).build();
    let found = Leiden::new(settings).run(&builder.build()?)?;
    let groups = Groups::new(found.partition.as_slice().to_vec());
    let mut order: Vec<usize> = (0..groups.count()).filter(|&group| groups.sizes()[group] > 0).collect();
    order.sort_by_key(|&group| std::cmp::Reverse(groups.sizes()[group]));
    let mut numbers = vec![0; groups.count()];
    order
        .iter()
        .enumerate()
        .for_each(|(number, &group)| numbers[group] = number);
    Ok(Groups::new(
        groups.of_unit().iter().map(|&group| numbers[group]).collect(),
    ))
}
