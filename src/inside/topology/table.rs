//! The rows of a record as CSV.

use serde::Serialize;

use super::record::{LinkRow, NodeRow, Record};
use super::sets::Mode;
use super::summary::Summary;

const FIGURES: [&str; 16] = [
    "n",
    "mean",
    "std",
    "min",
    "max",
    "l1",
    "l2",
    "skew",
    "kurtosis_excess",
    "q01",
    "q05",
    "q25",
    "q50",
    "q75",
    "q95",
    "q99",
];

/// Which rows of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Link statistics.
    Links,
    /// Node sets.
    Nodes,
    /// Data-dependent metrics, without their counts.
    Dynamic,
    /// Against another model.
    Divergences,
}

/// A table of a record as CSV with a header. Numbers have all their digits, so that they read back as they were.
pub fn csv(record: &Record, table: Table) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    match table {
        Table::Links => {
            writer.write_record(["block", "expert", "tensor"].iter().chain(&FIGURES))?;
            for LinkRow {
                block,
                expert,
                tensor,
                summary,
                ..
            } in &record.links
            {
                let place = [optional(*block), optional(*expert), tensor.clone()];
                writer.write_record(place.into_iter().chain(figures(summary)))?;
            }
        }
        Table::Nodes => {
            let place = ["block", "expert", "set", "side", "mode"];
            writer.write_record(place.iter().chain(&FIGURES).chain(&["argmin", "argmax"]))?;
            for row in &record.nodes {
                let extremes = [row.argmin.to_string(), row.argmax.to_string()];
                writer.write_record(place_of(row).into_iter().chain(figures(&row.summary)).chain(extremes))?;
            }
        }
        Table::Dynamic => {
            let names = [
                "block",
                "set",
                "metric",
                "reconstruction",
                "n_inputs",
                "mean",
                "std",
                "sem",
                "std_over_inputs",
                "abs_mean",
                "rms",
                "positive",
                "min",
                "max",
            ];
            writer.write_record(names)?;
            for row in &record.dynamic {
                let place = [row.block.to_string(), row.set.clone(), row.metric.clone()];
                let counts = [row.reconstruction.to_string(), row.n_inputs.to_string()];
                let figures = [
                    row.mean,
                    row.std,
                    row.sem,
                    row.std_over_inputs,
                    row.abs_mean,
                    row.rms,
                    row.positive,
                    row.min,
                    row.max,
                ];
                writer.write_record(
                    place
                        .into_iter()
                        .chain(counts)
                        .chain(figures.map(|figure| figure.to_string())),
                )?;
            }
        }
        Table::Divergences => {
            if record.divergences.is_empty() {
                let names = [
                    "a", "b", "block", "block_b", "expert", "what", "measure", "value", "p", "p_holm",
                ];
                writer.write_record(names)?;
            }
            serialize(&mut writer, &record.divergences)?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// Rows that are flat, such as [`Baseline`](super::Baseline), as CSV with a header.
pub fn flat_csv<R: Serialize>(rows: &[R]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    serialize(&mut writer, rows)?;
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn serialize<R: Serialize>(writer: &mut csv::Writer<Vec<u8>>, rows: &[R]) -> Result<(), csv::Error> {
    rows.iter().try_for_each(|row| writer.serialize(row))
}

fn place_of(row: &NodeRow) -> [String; 5] {
    let mode = match row.mode {
        Some(Mode::Raw) => "raw",
        Some(Mode::Folded) => "folded",
        None => "",
    };
    [
        row.block.to_string(),
        optional(row.expert),
        row.set.clone(),
        row.side.clone(),
        mode.to_owned(),
    ]
}

fn figures(summary: &Summary) -> impl Iterator<Item = String> {
    let some = [
        summary.mean,
        summary.std,
        summary.min,
        summary.max,
        summary.l1,
        summary.l2,
    ]
    .map(Some);
    let shape = [summary.skew, summary.kurtosis_excess];
    let figures = some.into_iter().chain(shape).chain(summary.quantiles.map(Some));
    std::iter::once(summary.n.to_string()).chain(figures.map(optional).collect::<Vec<_>>())
}

/// Nothing, where there is nothing.
fn optional<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}
