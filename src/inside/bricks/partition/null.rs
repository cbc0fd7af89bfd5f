//! Whether groups are better than chance makes them.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Activity, Graph, Groups, modularity};
use crate::inside::bricks::{Element, ShapeError};

/// A modularity beside those of a null model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NullTest {
    /// What was found.
    pub observed: f64,
    /// What chance gives, ascending.
    pub null: Vec<f64>,
}

impl NullTest {
    fn new(observed: f64, mut null: Vec<f64>) -> Self {
        null.sort_by(f64::total_cmp);
        Self { observed, null }
    }

    /// The mean under the null model; 0 without draws.
    pub fn mean(&self) -> f64 {
        self.null.iter().sum::<f64>() / self.null.len().max(1) as f64
    }

    /// The standard deviation under the null model; `None` with fewer than two draws.
    pub fn deviation(&self) -> Option<f64> {
        let mean = self.mean();
        let squares: f64 = self.null.iter().map(|value| (value - mean) * (value - mean)).sum();
        (self.null.len() > 1).then(|| (squares / (self.null.len() - 1) as f64).sqrt())
    }

    /// By how many standard deviations the observed value exceeds the mean; `None` where the null model never varies.
    pub fn z(&self) -> Option<f64> {
        let deviation = self.deviation().filter(|&deviation| deviation > 0.0)?;
        Some((self.observed - self.mean()) / deviation)
    }

    /// `(1 + draws that reach the observed value) / (1 + draws)`.
    pub fn p_value(&self) -> f64 {
        let reached = self.null.iter().filter(|&&value| value >= self.observed).count();
        (1 + reached) as f64 / (1 + self.null.len()) as f64
    }
}

/// The null model of independent units: each unit is active on as many tokens as before, at random; the graph is built and `group`ed anew each time. Any graph has
/// groups of some modularity, so this, not 0, is what chance gives.
pub fn against_null<E>(
    activity: &Activity,
    resolution: f64,
    draws: usize,
    seed: u64,
    mut group: impl FnMut(&Graph<f32>) -> Result<Groups, E>,
) -> Result<(Groups, NullTest), E>
where
    E: From<ShapeError>,
{
    let mut quality = |activity: &Activity| {
        let graph = Graph::coactivation(activity);
        let groups = group(&graph)?;
        let quality = modularity(&graph, &groups, resolution)?;
        Ok::<_, E>((groups, quality))
    };
    let (groups, observed) = quality(activity)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let null = (0..draws).map(|_| Ok::<_, E>(quality(&activity.shuffled(&mut rng))?.1));
    let null = null.collect::<Result<Vec<f64>, E>>()?;
    Ok((groups, NullTest::new(observed, null)))
}

/// The null model of random members: groups of the same sizes on the same graph.
pub fn against_memberships<W: Element>(
    graph: &Graph<W>,
    groups: &Groups,
    resolution: f64,
    draws: usize,
    seed: u64,
) -> Result<NullTest, ShapeError> {
    let observed = modularity(graph, groups, resolution)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let null = (0..draws).map(|_| modularity(graph, &groups.shuffled(&mut rng), resolution));
    Ok(NullTest::new(observed, null.collect::<Result<_, _>>()?))
}
