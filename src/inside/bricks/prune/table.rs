//! The table of perplexities.

use serde::{Deserialize, Serialize};

use super::{Kind, Removal};

/// Perplexity of every function without the units of each removal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PruningTable {
    /// The functions: columns.
    pub functions: Vec<String>,
    /// The perplexity of the whole model.
    pub original: Vec<f64>,
    /// One row per removal.
    pub rows: Vec<Row>,
}

/// One removal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was removed, for people.
    pub name: String,
    /// Why.
    pub kind: Kind,
    /// How many units.
    pub units: usize,
    /// The perplexity on every function.
    pub perplexity: Vec<f64>,
    /// `100·(perplexity − original)/original`.
    pub percent_increase: Vec<f64>,
}

/// Figures that make no table.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TableError {
    /// Too many or too few figures.
    #[error("`{row}` has {found} perplexities for {functions} functions; measure each function once")]
    Count {
        /// The row.
        row: String,
        /// Figures given.
        found: usize,
        /// Figures needed.
        functions: usize,
    },
    /// A perplexity below 1, or no number.
    #[error(
        "`{row}` has perplexity {found} on `{function}`, and a perplexity is a number from 1 on; check that the function has tokens to predict"
    )]
    Value {
        /// The row.
        row: String,
        /// The function.
        function: String,
        /// What was given.
        found: f64,
    },
}

/// `exp(sum / tokens)` of negative log likelihoods in nats; `None` without tokens.
pub fn perplexity(negative_log_likelihood: f64, tokens: usize) -> Option<f64> {
    (tokens > 0).then(|| (negative_log_likelihood / tokens as f64).exp())
}

impl PruningTable {
    /// The table from what was measured, removal by removal. An infinite perplexity is kept: a model can be destroyed.
    pub fn new(
        functions: Vec<String>,
        original: Vec<f64>,
        measured: Vec<(Removal, Vec<f64>)>,
    ) -> Result<Self, TableError> {
        check("whole model", &functions, &original)?;
        let row = |(removal, perplexity): (Removal, Vec<f64>)| {
            let name = removal.name();
            check(&name, &functions, &perplexity)?;
            let pairs = perplexity.iter().zip(&original);
            let percent_increase = pairs.map(|(pruned, whole)| 100.0 * (pruned - whole) / whole).collect();
            Ok(Row {
                name,
                kind: removal.kind,
                units: removal.units.len(),
                perplexity,
                percent_increase,
            })
        };
        let rows = measured.into_iter().map(row).collect::<Result<_, _>>()?;
        Ok(Self {
            functions,
            original,
            rows,
        })
    }

    /// The row of a function's brick.
    pub fn brick(&self, function: &str) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| matches!(&row.kind, Kind::Brick { function: name } if name == function))
    }

    /// In how many bricks' rows the brick's own function suffers most, and how many bricks there are.
    pub fn diagonal(&self) -> (usize, usize) {
        let own = |(nth, function): (usize, &String)| {
            let increases = &self.brick(function)?.percent_increase;
            Some(
                increases
                    .iter()
                    .enumerate()
                    .all(|(other, &increase)| other == nth || increase < increases[nth]),
            )
        };
        let wins: Vec<bool> = self.functions.iter().enumerate().filter_map(own).collect();
        (wins.iter().filter(|&&won| won).count(), wins.len())
    }

    /// By how many standard deviations of the random controls the brick harms its own function more than they do on average; `None` with fewer than two controls, or
    /// where they do not vary.
    pub fn beyond_random(&self, function: &str) -> Option<f64> {
        let column = self.functions.iter().position(|name| name == function)?;
        let own = self.brick(function)?.percent_increase[column];
        let random: Vec<f64> = self.random().map(|row| row.percent_increase[column]).collect();
        let mean = random.iter().sum::<f64>() / random.len() as f64;
        let squares: f64 = random.iter().map(|value| (value - mean) * (value - mean)).sum();
        let deviation = (random.len() > 1).then(|| (squares / (random.len() - 1) as f64).sqrt())?;
        (deviation > 0.0).then(|| (own - mean) / deviation)
    }

    /// The mean increase of the random controls on every function; `None` without controls.
    pub fn mean_of_random(&self) -> Option<Vec<f64>> {
        let count = self.random().count();
        let column = |nth: usize| self.random().map(|row| row.percent_increase[nth]).sum::<f64>() / count as f64;
        (count > 0).then(|| (0..self.functions.len()).map(column).collect())
    }

    fn random(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| matches!(row.kind, Kind::Random { .. }))
    }
}

fn check(row: &str, functions: &[String], perplexities: &[f64]) -> Result<(), TableError> {
    let found = perplexities.len();
    if found != functions.len() {
        return Err(TableError::Count {
            row: row.into(),
            found,
            functions: functions.len(),
        });
    }
    // A perplexity of 1 may come out a rounding below it.
    match perplexities
        .iter()
        .position(|&value| value.is_nan() || value < 1.0 - 1e-9)
    {
        Some(nth) => Err(TableError::Value {
            row: row.into(),
            function: functions[nth].clone(),
            found: perplexities[nth],
        }),
        None => Ok(()),
    }
}
