//! Retrieval over brick signatures.

use serde::{Deserialize, Serialize};

use crate::inside::bricks::{
    Element, Matrix, ShapeError,
    matrix::{dot, norm},
};

/// One signature per brick. Queries and signatures are standardised dimension by dimension over the examples, so that units that are always active do not decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signatures {
    bricks: Vec<String>,
    /// Mean of every dimension over the examples.
    means: Vec<f64>,
    /// Its standard deviation; 0 where it never changes, and then it says nothing.
    deviations: Vec<f64>,
    /// The bricks' mean standardised vectors.
    centres: Vec<Vec<f64>>,
}

/// Where a query goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// All bricks with their cosines, best first; of equal ones by name.
    pub ranked: Vec<(String, f64)>,
    /// By how much the best is ahead of the second.
    pub margin: f64,
    /// The best brick; `None` where its cosine is below the threshold, and then the base model answers.
    pub chosen: Option<String>,
}

/// Signatures that cannot be learnt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Vectors of other lengths.
    #[error("failed to route: {0}")]
    Shape(#[from] ShapeError),
    /// An unknown brick.
    #[error("example {example} is of brick {brick}, but there are {bricks} (numbered from 0)")]
    Unknown {
        /// The example, from 0.
        example: usize,
        /// Its brick.
        brick: usize,
        /// How many bricks there are.
        bricks: usize,
    },
    /// A brick without examples.
    #[error("brick `{0}` has no example prompt; give it some, or leave it out of the registry")]
    Empty(String),
    /// A name that two bricks have.
    #[error("two bricks are called `{0}`; ids must differ")]
    Repeated(String),
}

impl Signatures {
    /// Learns from examples `[examples][width]`; `of_example[n]` is an index into `bricks`.
    pub fn learn<T: Element>(
        bricks: Vec<String>,
        examples: &Matrix<T>,
        of_example: &[usize],
    ) -> Result<Self, RouteError> {
        ShapeError::check("examples that have a brick", of_example.len(), examples.rows())?;
        if let Some(nth) = (1..bricks.len()).find(|&nth| bricks[..nth].contains(&bricks[nth])) {
            return Err(RouteError::Repeated(bricks[nth].clone()));
        }
        let (means, deviations) = moments(examples);
        let mut signatures = Self {
            centres: vec![vec![0.0; examples.columns()]; bricks.len()],
            bricks,
            means,
            deviations,
        };
        let mut counts = vec![0.0; signatures.bricks.len()];
        for (example, (row, &brick)) in examples.each_row().zip(of_example).enumerate() {
            let standardised = signatures.standardised(row);
            let bricks = signatures.bricks.len();
            let centre = signatures
                .centres
                .get_mut(brick)
                .ok_or(RouteError::Unknown { example, brick, bricks })?;
            centre
                .iter_mut()
                .zip(standardised)
                .for_each(|(sum, value)| *sum += value);
            counts[brick] += 1.0;
        }
        if let Some(empty) = counts.iter().position(|&count| count == 0.0) {
            return Err(RouteError::Empty(signatures.bricks[empty].clone()));
        }
        for (centre, count) in signatures.centres.iter_mut().zip(counts) {
            for sum in centre {
                *sum /= count;
            }
        }
        Ok(signatures)
    }

    /// The bricks' ids, in the order of learning.
    pub fn bricks(&self) -> &[String] {
        &self.bricks
    }

    /// Ranks the bricks for a query `[width]`. The order in which bricks were given does not matter.
    pub fn route<T: Element>(&self, query: &[T], threshold: f64) -> Result<Route, RouteError> {
        ShapeError::check("width of the query", query.len(), self.means.len())?;
        let query = self.standardised(query);
        let cosines = self.centres.iter().map(|centre| {
            let length = norm(&query) * norm(centre);
            if length > 0.0 {
                dot(&query, centre) / length
            } else {
                0.0
            }
        });
        let mut ranked: Vec<(String, f64)> = self.bricks.iter().cloned().zip(cosines).collect();
        ranked.sort_by(|left, right| right.1.total_cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
        let margin = match ranked[..] {
            [(_, best), (_, second), ..] => best - second,
            _ => 0.0,
        };
        let chosen = ranked
            .first()
            .filter(|best| best.1 >= threshold)
            .map(|best| best.0.clone());
        Ok(Route { ranked, margin, chosen })
    }

    fn standardised<T: Element>(&self, query: &[T]) -> Vec<f64> {
        let moments = self.means.iter().zip(&self.deviations);
        let each = query.iter().zip(moments).map(|(&value, (mean, deviation))| {
            if *deviation > 0.0 {
                (value.into() - mean) / deviation
            } else {
                0.0
            }
        });
        each.collect()
    }
}

/// The `count` best of a ranking with weights that add up to 1, `exp(cosine/temperature)`: scales for adapters that run together.
pub fn softmax_weights(route: &Route, count: usize, temperature: f64) -> Vec<(String, f64)> {
    let best = route.ranked.first().map_or(0.0, |best| best.1);
    let few = route.ranked.iter().take(count);
    let weights: Vec<f64> = few
        .clone()
        .map(|(_, cosine)| ((cosine - best) / temperature).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    few.zip(weights)
        .map(|((brick, _), weight)| (brick.clone(), weight / sum))
        .collect()
}

/// Mean and standard deviation (over n) of every column.
pub(super) fn moments<T: Element>(rows: &Matrix<T>) -> (Vec<f64>, Vec<f64>) {
    let count = rows.rows().max(1) as f64;
    let mut means = vec![0.0; rows.columns()];
    for row in rows.each_row() {
        means.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value.into());
    }
    for sum in &mut means {
        *sum /= count;
    }
    let mut squares = vec![0.0; rows.columns()];
    for row in rows.each_row() {
        for ((sum, &value), mean) in squares.iter_mut().zip(row).zip(&means) {
            let off = value.into() - mean;
            *sum += off * off;
        }
    }
    (means, squares.into_iter().map(|sum| (sum / count).sqrt()).collect())
}
