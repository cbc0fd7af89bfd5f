//! How good a router's choices are.

use serde::{Deserialize, Serialize};

use crate::inside::bricks::ShapeError;

/// Choices beside what would have been right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Queries.
    pub queries: usize,
    /// Queries for which no brick was chosen; they count as wrong.
    pub abstained: usize,
    /// The fraction that went right.
    pub accuracy: f64,
    /// The mean of the bricks' F1.
    pub macro_f1: f64,
    /// What always choosing the most frequent brick reaches.
    pub majority: f64,
    /// What choosing at random reaches.
    pub random: f64,
}

/// What the choices cost in negative log likelihood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Regret {
    /// Mean of `NLL(chosen) − NLL(best brick for the query)`.
    pub routed: f64,
    /// The same for always using the brick that is best on average. A router must not be above it.
    pub best_single: f64,
    /// That brick.
    pub single: usize,
}

/// Compares choices with the right bricks, both indices below `bricks`. Measure on queries that signatures were not learnt from.
pub fn evaluate(chosen: &[Option<usize>], right: &[usize], bricks: usize) -> Result<Accuracy, ShapeError> {
    ShapeError::check("count of choices", chosen.len(), right.len())?;
    let (mut hits, mut given, mut wanted) = (vec![0_usize; bricks], vec![0_usize; bricks], vec![0_usize; bricks]);
    for (choice, &right) in chosen.iter().zip(right) {
        for brick in choice.iter().chain([&right]) {
            if *brick >= bricks {
                return Err(ShapeError::Fit {
                    what: "index of a brick",
                    found: *brick,
                    expected: bricks.saturating_sub(1),
                });
            }
        }
        wanted[right] += 1;
        if let Some(choice) = *choice {
            given[choice] += 1;
            hits[choice] += usize::from(choice == right);
        }
    }
    let queries = right.len();
    let share = |count: usize| count as f64 / queries.max(1) as f64;
    let f1 = |brick: usize| 2.0 * hits[brick] as f64 / (given[brick] + wanted[brick]).max(1) as f64;
    Ok(Accuracy {
        queries,
        abstained: chosen.iter().filter(|choice| choice.is_none()).count(),
        accuracy: share(hits.iter().sum()),
        macro_f1: (0..bricks).map(f1).sum::<f64>() / bricks.max(1) as f64,
        majority: share(wanted.iter().copied().max().unwrap_or(0)),
        random: 1.0 / bricks.max(1) as f64,
    })
}

/// `costs[query][brick]` are negative log likelihoods. `None` without queries or bricks, or where a choice points nowhere.
pub fn regret(costs: &[Vec<f64>], chosen: &[usize]) -> Option<Regret> {
    let bricks = costs.first()?.len();
    if chosen.len() != costs.len() || costs.iter().any(|row| row.len() != bricks) {
        return None;
    }
    let best = |row: &Vec<f64>| row.iter().copied().min_by(f64::total_cmp);
    let best: Vec<f64> = costs.iter().map(best).collect::<Option<_>>()?;
    let mean = |of: &dyn Fn(usize) -> Option<f64>| -> Option<f64> {
        let each: Option<Vec<f64>> = (0..costs.len()).map(|query| Some(of(query)? - best[query])).collect();
        Some(each?.iter().sum::<f64>() / costs.len() as f64)
    };
    let routed = mean(&|query| costs[query].get(chosen[query]).copied())?;
    let singles: Option<Vec<f64>> = (0..bricks)
        .map(|brick| mean(&|query| Some(costs[query][brick])))
        .collect();
    let singles = singles?;
    let single = (0..bricks).min_by(|&left, &right| singles[left].total_cmp(&singles[right]))?;
    Some(Regret {
        routed,
        best_single: singles[single],
        single,
    })
}
