//! Whether groups of units (experts) serve functions (Emergent Modularity; spec §5.2).

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF, Hypergeometric};

use super::{Groups, random_groups};
use crate::inside::bricks::ShapeError;

/// How top units would fall on experts by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Draw {
    /// Without replacement: the top units of one sub-function.
    Hypergeometric,
    /// With replacement: pooled sub-functions, where one unit may come several times.
    Binomial,
}

/// The experts that hold more of a function's top units than chance allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionalExperts {
    /// Top units in each expert.
    pub counts: Vec<usize>,
    /// The smallest `t` with `P(X > t) ≤ α`, per expert; one number where all are of a size.
    pub thresholds: Vec<u64>,
    /// Experts whose count is above their threshold.
    pub functional: Vec<usize>,
    /// `P(X ≥ count)` per expert.
    pub p_values: Vec<f64>,
    /// The mean over functional experts of their count beside that expected; `None` without one.
    pub modularisation_degree: Option<f64>,
}

/// What random groups of equal size give.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Random groupings drawn.
    pub draws: usize,
    /// The mean number of functional experts.
    pub functional: f64,
    /// The mean modularisation degree over the draws that had functional experts; `None` where none had.
    pub modularisation_degree: Option<f64>,
}

/// Tests `top`, the function's best units, against groups; the paper's α is 0.001.
pub fn functional_experts(
    groups: &Groups,
    top: &[usize],
    draw: Draw,
    alpha: f64,
) -> Result<FunctionalExperts, ShapeError> {
    let units = groups.of_unit().len();
    let mut counts = vec![0; groups.count()];
    for &unit in top {
        let group = groups.of_unit().get(unit).copied();
        let unknown = ShapeError::Fit {
            what: "index of a top unit",
            found: unit,
            expected: units.saturating_sub(1),
        };
        counts[group.ok_or(unknown)?] += 1;
    }
    let drawn = top.len() as u64;
    let above = |size: usize, count: u64| above(draw, units, size, drawn, count);
    let thresholds: Vec<u64> = groups
        .sizes()
        .iter()
        .map(|&size| (0..drawn).find(|&count| above(size, count) <= alpha).unwrap_or(drawn))
        .collect();
    let functional: Vec<usize> = (0..groups.count())
        .filter(|&expert| counts[expert] as u64 > thresholds[expert])
        .collect();
    let sizes = groups.sizes().iter().zip(&counts);
    let p_value = |(&size, &count): (&usize, &usize)| match count as u64 {
        0 => 1.0,
        count => above(size, count - 1),
    };
    let p_values = sizes.map(p_value).collect();
    let degree = |&expert: &usize| {
        let expected = top.len() as f64 * groups.sizes()[expert] as f64 / units as f64;
        counts[expert] as f64 / expected
    };
    let degrees: f64 = functional.iter().map(degree).sum();
    let modularisation_degree = (!functional.is_empty()).then(|| degrees / functional.len() as f64);
    Ok(FunctionalExperts {
        counts,
        thresholds,
        functional,
        p_values,
        modularisation_degree,
    })
}

/// The same over random groups of equal size; the paper draws 200.
pub fn expert_baseline(
    groups: &Groups,
    top: &[usize],
    draw: Draw,
    alpha: f64,
    draws: usize,
    seed: u64,
) -> Result<Baseline, ShapeError> {
    let (mut functional, mut degrees) = (0, Vec::new());
    for nth in 0..draws {
        let random = random_groups(groups.of_unit().len(), groups.count(), seed.wrapping_add(nth as u64));
        let found = functional_experts(&random, top, draw, alpha)?;
        functional += found.functional.len();
        degrees.extend(found.modularisation_degree);
    }
    let mean = degrees.iter().sum::<f64>() / degrees.len() as f64;
    Ok(Baseline {
        draws,
        functional: functional as f64 / draws.max(1) as f64,
        modularisation_degree: (!degrees.is_empty()).then_some(mean),
    })
}

/// `P(X > count)` for an expert of `size` of `units` units.
fn above(draw: Draw, units: usize, size: usize, drawn: u64, count: u64) -> f64 {
    let sure = "an expert is a part of the layer, and so is the top set";
    match draw {
        Draw::Hypergeometric => {
            let chance = Hypergeometric::new(units as u64, size as u64, drawn).expect(sure);
            chance.sf(count)
        }
        Draw::Binomial => {
            let chance = Binomial::new(size as f64 / units as f64, drawn).expect(sure);
            chance.sf(count)
        }
    }
}
