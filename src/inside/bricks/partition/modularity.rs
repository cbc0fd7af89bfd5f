//! How good groups are on a graph.

use serde::{Deserialize, Serialize};

use super::{Graph, Groups};
use crate::inside::bricks::{Element, ShapeError};

/// How much of a graph's weight lies within groups.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// The weight between groups.
    pub between: f64,
    /// The fraction of all weight that lies within groups; 0 for a graph without weight.
    pub within_fraction: f64,
}

/// `Q = Σ_c [W_c/W − γ·(S_c/2W)²]` (spec §5.2): `W` all weight, `W_c` that inside group c, `S_c` the sum of its degrees. One group gives `1 − γ`; 0 for a graph without weight.
pub fn modularity<W: Element>(graph: &Graph<W>, groups: &Groups, resolution: f64) -> Result<f64, ShapeError> {
    let sums = Sums::new(graph, groups)?;
    if sums.all == 0.0 {
        return Ok(0.0);
    }
    let parts = sums.within.iter().zip(&sums.degrees);
    let part = |(within, degrees): (&f64, &f64)| {
        let share = degrees / (2.0 * sums.all);
        within / sums.all - resolution * share * share
    };
    Ok(parts.map(part).sum())
}

/// The weight between groups and the share within.
pub fn cut<W: Element>(graph: &Graph<W>, groups: &Groups) -> Result<Cut, ShapeError> {
    let sums = Sums::new(graph, groups)?;
    let within: f64 = sums.within.iter().sum();
    let within_fraction = if sums.all == 0.0 { 0.0 } else { within / sums.all };
    Ok(Cut {
        between: sums.all - within,
        within_fraction,
    })
}

struct Sums {
    all: f64,
    within: Vec<f64>,
    degrees: Vec<f64>,
}

impl Sums {
    fn new<W: Element>(graph: &Graph<W>, groups: &Groups) -> Result<Self, ShapeError> {
        let of_unit = groups.of_unit();
        ShapeError::check("units that have a group", of_unit.len(), graph.units())?;
        let mut sums = Self {
            all: 0.0,
            within: vec![0.0; groups.count()],
            degrees: vec![0.0; groups.count()],
        };
        for (left, row) in graph.weights().each_row().enumerate() {
            let mut degree = 0.0;
            for (right, &weight) in row.iter().enumerate() {
                let weight: f64 = weight.into();
                degree += weight;
                if left < right && of_unit[left] == of_unit[right] {
                    sums.within[of_unit[left]] += weight;
                }
            }
            sums.degrees[of_unit[left]] += degree;
            sums.all += degree / 2.0;
        }
        Ok(sums)
    }
}
