//! A measure from elsewhere (a loss, a benchmark) beside a series, read from a CSV.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    relate::{Correlation, Saturation, saturation, spearman},
    trace::{Row, Trace},
};

/// A measure over steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Beside {
    /// The column's name.
    pub name: String,
    /// Step and value, in the file's order. Empty cells are left out.
    pub values: Vec<(f64, f64)>,
}

impl Beside {
    /// The value at a step.
    pub fn at(&self, step: f64) -> Option<f64> {
        #[expect(
            clippy::float_cmp,
            reason = "steps are labels here: both come from text, and equal text gives equal numbers"
        )]
        let found = self.values.iter().find(|value| value.0 == step);
        found.map(|value| value.1)
    }
}

/// Why measures cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BesideError {
    /// A file that cannot be read as CSV.
    #[error("could not read `{path}` as CSV")]
    Csv {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        cause: csv::Error,
    },
    /// No steps.
    #[error("`{path}` has no column `step`, by which measures find their checkpoint; its columns are {columns}")]
    NoStep {
        /// The file.
        path: PathBuf,
        /// Its columns.
        columns: String,
    },
    /// A cell that is no number.
    #[error("`{path}:{line}`: `{cell}` in column `{column}` is not a number; leave unknown values empty")]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column's name.
        column: String,
        /// What stands there.
        cell: String,
    },
}

/// Reads a CSV with a column `step` and a column per measure.
pub fn read_beside(path: &Path) -> Result<Vec<Beside>, BesideError> {
    let csv = |cause| BesideError::Csv {
        path: path.to_owned(),
        cause,
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(csv)?;
    let header = reader.headers().map_err(csv)?.clone();
    let place = header
        .iter()
        .position(|name| name == "step")
        .ok_or_else(|| BesideError::NoStep {
            path: path.to_owned(),
            columns: header
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", "),
        })?;
    let named = |name: &str| Beside {
        name: name.to_owned(),
        values: Vec::new(),
    };
    let mut measures: Vec<Beside> = header.iter().map(named).collect();
    for record in reader.records() {
        let record = record.map_err(csv)?;
        let number = |column: usize| {
            let cell = record.get(column).unwrap_or_default();
            cell.parse::<f64>().map_err(|_| BesideError::NotANumber {
                path: path.to_owned(),
                line: record.position().map_or(0, csv::Position::line),
                column: header.get(column).unwrap_or_default().to_owned(),
                cell: cell.to_owned(),
            })
        };
        let step = number(place)?;
        for (column, measure) in measures.iter_mut().enumerate() {
            if column != place && record.get(column).is_some_and(|cell| !cell.is_empty()) {
                measure.values.push((step, number(column)?));
            }
        }
    }
    measures.remove(place);
    Ok(measures)
}

/// How a series of numbers runs beside E.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Relation {
    /// What E is set beside.
    pub name: String,
    /// Their rank correlation; `None` for fewer than three checkpoints with both.
    pub correlation: Option<Correlation>,
}

impl Trace {
    /// E's rank correlation with each measure, and with plain statistics of the weights: whether it says anything that they do not.
    pub fn relations(&self, measures: &[Beside]) -> Vec<Relation> {
        let relation = |name: &str, of: &dyn Fn(&Row) -> Option<f64>| {
            let pairs = self
                .rows
                .iter()
                .filter_map(|row| Some((row.emergence?.degree.e, of(row)?)));
            Relation {
                name: name.to_owned(),
                correlation: spearman(&pairs.collect::<Vec<_>>()),
            }
        };
        let mut relations: Vec<Relation> = measures
            .iter()
            .map(|measure| relation(&measure.name, &|row| measure.at(row.step)))
            .collect();
        let over = |row: &Row, value: fn(&super::Companion) -> f64| {
            let values: Vec<f64> = row.companions.iter().map(value).collect();
            (!values.is_empty()).then(|| super::moments::mean(&values))
        };
        relations.push(relation("root mean square", &|row| Some(row.rms.mean)));
        relations.push(relation("kept fraction", &|row| {
            Some(row.measurement.as_ref()?.fate.kept_fraction())
        }));
        relations.push(relation("kurtosis", &|row| over(row, |one| one.kurtosis)));
        relations.push(relation("Gini of out-strength", &|row| {
            over(row, |one| one.strength_gini)
        }));
        relations.push(relation("variance of log out-strength", &|row| {
            over(row, |one| one.log_strength_variance)
        }));
        relations.push(relation("stable rank", &|row| over(row, |one| one.stable_rank)));
        relations
    }

    /// A saturating curve through E, as a guide; `None` for fewer than six checkpoints.
    pub fn saturation(&self) -> Option<Saturation> {
        let points = self
            .rows
            .iter()
            .filter_map(|row| Some((row.step, row.emergence?.degree.e)));
        saturation(&points.collect::<Vec<_>>())
    }
}
