//! Spectra of plain networks: given lists of lengths, graphs with edge lengths, and layered weights.

use rayon::prelude::*;

use super::{
    bins::Bins,
    config::{Analysis, Measure},
    grid::QGrid,
    lengths::Lengths,
    moments::Moments,
    partition::{Histograms, Partition, Powers, greatest_mass},
    spectrum::{Spectrum, SpectrumError},
};

/// Nodes in one piece of work: small enough to spread over cores, large enough for a fixed order of sums to cost nothing.
const PIECE: usize = 256;

/// ln Z_q(r) of source nodes whose lengths are given.
pub fn moments(lengths: &Lengths, measure: &Measure, analysis: &Analysis) -> Result<Moments, SpectrumError> {
    let bins = Bins::of(measure, std::iter::once(lengths));
    let histograms = Histograms::of(lengths, &bins);
    let powers = Powers::up_to(greatest_mass(std::iter::once(&histograms)), analysis.q);
    let mut partition = Partition::empty(&bins, analysis.q, analysis.derivative);
    partition.add(&histograms, measure, &powers);
    partition.moments(&bins, measure)
}

/// The spectrum of source nodes whose lengths are given.
pub fn spectrum(lengths: &Lengths, measure: &Measure, analysis: &Analysis) -> Result<Spectrum, SpectrumError> {
    Spectrum::fit(&moments(lengths, measure, analysis)?, analysis)
}

/// Sums of powers of a measure over boxes (the standard convention, in which f has its maximum at the dimension of the support). `masses`
/// are those of the smallest cells, a power of two of them; boxes are 1, 2, 4, … consecutive cells, and the scales are their shares of the whole.
///
/// # Panics
/// Where `masses` is not a power of two, at least two, long.
pub fn box_moments(masses: &[f64], q: QGrid) -> Moments {
    assert!(
        masses.len() >= 2 && masses.len().is_power_of_two(),
        "box counting by halves needs a power of two of cells, not {}",
        masses.len()
    );
    let scales: Vec<usize> = std::iter::successors(Some(1), |cells| Some(cells * 2))
        .take_while(|cells| *cells <= masses.len())
        .collect();
    let boxes = |cells: usize| masses.chunks(cells).map(|cells| cells.iter().sum::<f64>());
    let ln_z = q.values().into_iter().map(|q| {
        let at = |cells: &usize| {
            boxes(*cells)
                .filter(|mass| *mass > 0.0)
                .map(|mass| mass.powf(q))
                .sum::<f64>()
                .ln()
        };
        scales.iter().map(at).collect()
    });
    Moments {
        q,
        radii: scales.iter().map(|cells| *cells as f64 / masses.len() as f64).collect(),
        ln_z: ln_z.collect(),
        d_ln_z: None,
        mean_ln_u: None,
        variance_ln_u: None,
        nodes: masses.len(),
    }
}

/// An undirected graph with a length on every edge.
#[derive(Clone, Debug)]
pub struct Graph {
    neighbours: Vec<Vec<(usize, f64)>>,
}

impl Graph {
    /// A graph of `nodes` nodes. Edges to nodes beyond them and lengths that are not positive are left out.
    pub fn new(nodes: usize, edges: impl IntoIterator<Item = (usize, usize, f64)>) -> Self {
        let mut neighbours = vec![Vec::new(); nodes];
        for (a, b, length) in edges {
            if a < nodes && b < nodes && length > 0.0 && length.is_finite() {
                neighbours[a].push((b, length));
                neighbours[b].push((a, length));
            }
        }
        Self { neighbours }
    }

    /// The lengths of each node's own edges: direct mode.
    pub fn direct(&self, measure: &Measure) -> Lengths {
        let list = |neighbours: &Vec<(usize, f64)>| neighbours.iter().map(|(_, length)| *length).collect::<Vec<f64>>();
        Lengths::of_distances(measure, self.neighbours.iter().map(list))
    }

    /// The lengths of the shortest paths from each node to every other that it reaches, with any number of edges. Nodes are spread over all
    /// cores; no matrix of distances is kept, only what the filter leaves of each row.
    pub fn shortest_paths(&self, measure: &Measure) -> Lengths {
        let sources: Vec<usize> = (0..self.neighbours.len()).collect();
        let rows: Vec<Vec<Vec<f64>>> = sources
            .par_chunks(PIECE)
            .map(|sources| sources.iter().map(|source| self.paths_from(*source)).collect())
            .collect();
        Lengths::of_distances(measure, rows.into_iter().flatten())
    }

    /// Dijkstra's algorithm from one node; the node itself is left out.
    fn paths_from(&self, source: usize) -> Vec<f64> {
        use std::{cmp::Reverse, collections::BinaryHeap};

        // Positive doubles order as their bits do, which spares a type for the heap.
        let mut best = vec![f64::INFINITY; self.neighbours.len()];
        best[source] = 0.0;
        let mut open = BinaryHeap::from([Reverse((0_u64, source))]);
        while let Some(Reverse((bits, node))) = open.pop() {
            let length = f64::from_bits(bits);
            if length > best[node] {
                continue;
            }
            for &(next, edge) in &self.neighbours[node] {
                let through = length + edge;
                if through < best[next] {
                    best[next] = through;
                    open.push(Reverse((through.to_bits(), next)));
                }
            }
        }
        best.swap_remove(source);
        best.retain(|length| length.is_finite());
        best
    }
}

/// Lengths of edges from one layer to the next: `sources × targets`, infinite where there is no edge.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerEdges {
    targets: usize,
    lengths: Vec<f64>,
}

impl LayerEdges {
    /// The edges of weights given source by source, `targets` to each. Every weight is multiplied by `factor` first.
    pub fn of_weights(measure: &Measure, factor: f64, targets: usize, weights: &[f64]) -> Self {
        let length = |weight: &f64| measure.length(weight * factor).unwrap_or(f64::INFINITY);
        Self {
            targets,
            lengths: weights.iter().map(length).collect(),
        }
    }

    fn sources(&self) -> usize {
        self.lengths.len().checked_div(self.targets).unwrap_or(0)
    }

    fn from(&self, source: usize) -> &[f64] {
        &self.lengths[source * self.targets..(source + 1) * self.targets]
    }

    /// The shorter of two parallel edges between the same nodes.
    #[must_use]
    pub(super) fn shorter(mut self, other: &Self) -> Self {
        for (length, also) in self.lengths.iter_mut().zip(&other.lengths) {
            *length = if also < length { *also } else { *length };
        }
        self
    }
}

/// The lengths of the shortest paths with at most `hops` edges from the nodes of layer `layer` forwards: to every node of the next `hops` layers.
/// The filter of `measure` applies to paths, not to edges (spec 3.2). `edges[l]` leads from layer l to layer l + 1.
pub fn forward_paths(edges: &[LayerEdges], layer: usize, hops: usize, measure: &Measure) -> Lengths {
    let Some(first) = edges.get(layer) else {
        return Lengths::default();
    };
    let ahead = &edges[layer + 1..edges.len().min(layer + hops)];
    let paths = |source: usize| {
        let mut reached = first.from(source).to_vec();
        let mut all = reached.clone();
        for edges in ahead {
            reached = extend(&reached, edges);
            all.extend_from_slice(&reached);
        }
        all
    };
    Lengths::of_distances(measure, (0..first.sources()).map(paths))
}

/// The shortest paths with one edge more.
fn extend(reached: &[f64], edges: &LayerEdges) -> Vec<f64> {
    let mut further = vec![f64::INFINITY; edges.targets];
    for (source, so_far) in reached.iter().enumerate() {
        for (best, edge) in further.iter_mut().zip(edges.from(source)) {
            let through = so_far + edge;
            *best = if through < *best { through } else { *best };
        }
    }
    further
}
