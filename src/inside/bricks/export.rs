//! Tables as CSV, everything as JSON.
//!
//! Each file appears whole or not at all: it is written under a temporary name in the same folder and renamed when complete. Floats are written so that they read back as the same numbers.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use tempfile::NamedTempFile;

use super::{
    partition::Groups,
    prune::{Kind, PruningTable},
    sparsity::{Indicator, LayerSparsity},
    specialise::FunctionScores,
};

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write `{path}`: {source}; check that the folder exists, may be written and has room")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Writes a value as indented JSON with a final newline.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), WriteError> {
    whole(path, |file| {
        serde_json::to_writer_pretty(&mut *file, value)?;
        file.write_all(b"\n")
    })
}

/// Every unit's scores: `layer,unit,<function>…`. `layers` are pairs of a block's number and its scores.
pub fn write_scores(path: &Path, functions: &[String], layers: &[(usize, FunctionScores)]) -> Result<(), WriteError> {
    table(path, |rows| {
        let head = ["layer", "unit"]
            .into_iter()
            .chain(functions.iter().map(String::as_str));
        rows.write_record(head)?;
        for (layer, scores) in layers {
            for (unit, row) in scores.0.each_row().enumerate() {
                let values = row.iter().map(ToString::to_string);
                rows.write_record([layer.to_string(), unit.to_string()].into_iter().chain(values))?;
            }
        }
        Ok(())
    })
}

/// A square of figures between functions, such as their overlap: `function,<function>…`.
pub fn write_square(path: &Path, functions: &[String], square: &[Vec<f64>]) -> Result<(), WriteError> {
    table(path, |rows| {
        rows.write_record(["function"].into_iter().chain(functions.iter().map(String::as_str)))?;
        for (function, row) in functions.iter().zip(square) {
            rows.write_record(
                [function.clone()]
                    .into_iter()
                    .chain(row.iter().map(ToString::to_string)),
            )?;
        }
        Ok(())
    })
}

/// One row per layer, indicator and point: `layer,measure,indicator,at,value,sparsity`. Measures are `below` (the distribution), `mask` (mean CETT of masking so many percent), `epsilon`
/// (the threshold for a mean CETT, with its sparsity), `zero_fraction` and `units_for_mass`.
pub fn write_sparsity(path: &Path, layers: &[(usize, LayerSparsity)]) -> Result<(), WriteError> {
    table(path, |rows| {
        rows.write_record(["layer", "measure", "indicator", "at", "value", "sparsity"])?;
        for (layer, figures) in layers {
            let layer = layer.to_string();
            let mut row = |measure: &str, indicator: &str, at: String, value: f64, sparsity: String| {
                rows.write_record([&layer, measure, indicator, &at, &value.to_string(), &sparsity])
            };
            for distribution in &figures.distributions {
                let indicator = match distribution.indicator {
                    Indicator::Activation => "activation",
                    Indicator::Magnitude => "magnitude",
                };
                for (edge, fraction) in &distribution.below {
                    row("below", indicator, edge.to_string(), *fraction, String::new())?;
                }
                for mask in &distribution.masks {
                    row(
                        "mask",
                        indicator,
                        mask.percent.to_string(),
                        mask.mean_cett,
                        String::new(),
                    )?;
                }
            }
            for target in &figures.thresholds {
                let found = target.before_first_violation;
                row(
                    "epsilon",
                    "magnitude",
                    target.target.to_string(),
                    found.epsilon,
                    found.sparsity.to_string(),
                )?;
            }
            row("zero_fraction", "", String::new(), figures.zero_fraction, String::new())?;
            row(
                "units_for_mass",
                "",
                String::new(),
                figures.units_for_mass,
                String::new(),
            )?;
        }
        Ok(())
    })
}

/// The group of every unit: `layer,unit,group`.
pub fn write_groups(path: &Path, layers: &[(usize, Groups)]) -> Result<(), WriteError> {
    table(path, |rows| {
        rows.write_record(["layer", "unit", "group"])?;
        for (layer, groups) in layers {
            for (unit, group) in groups.of_unit().iter().enumerate() {
                rows.write_record([layer.to_string(), unit.to_string(), group.to_string()])?;
            }
        }
        Ok(())
    })
}

/// One row per removal and function: `removed,kind,units,function,original,perplexity,percent_increase`.
pub fn write_pruning(path: &Path, pruning: &PruningTable) -> Result<(), WriteError> {
    table(path, |rows| {
        rows.write_record([
            "removed",
            "kind",
            "units",
            "function",
            "original",
            "perplexity",
            "percent_increase",
        ])?;
        for row in &pruning.rows {
            let kind = match row.kind {
                Kind::Brick { .. } => "brick",
                Kind::Random { .. } => "random",
                Kind::MeanActivation => "mean_activation",
            };
            for (nth, function) in pruning.functions.iter().enumerate() {
                rows.write_record([
                    &row.name,
                    kind,
                    &row.units.to_string(),
                    function,
                    &pruning.original[nth].to_string(),
                    &row.perplexity[nth].to_string(),
                    &row.percent_increase[nth].to_string(),
                ])?;
            }
        }
        Ok(())
    })
}

fn table(
    path: &Path,
    fill: impl FnOnce(&mut csv::Writer<&mut dyn Write>) -> Result<(), csv::Error>,
) -> Result<(), WriteError> {
    whole(path, |file| {
        let mut rows = csv::Writer::from_writer(file);
        fill(&mut rows)?;
        rows.flush()
    })
}

fn whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), WriteError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let written = NamedTempFile::new_in(folder).and_then(|file| {
        let mut buffer = BufWriter::new(file);
        fill(&mut buffer)?;
        let file = buffer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.persist(path).map_err(|failed| failed.error)?;
        Ok(())
    });
    written.map_err(|source| WriteError {
        path: path.into(),
        source,
    })
}
