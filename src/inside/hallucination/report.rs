//! An evaluation for people: tables as text, everything as CSV and JSON.

use std::{fmt::Write as _, path::Path};

use comfy_table::{CellAlignment, Table, presets};

use super::{
    evaluate::Estimate,
    evaluation::{Evaluation, Row, Set},
    study::Record,
};
use crate::inside::language::{WriteError, files};

/// Decimals of measures: one answer of a thousand.
const DECIMALS: usize = 3;

/// Everything that a reader at a terminal wants to know.
pub fn text(evaluation: &Evaluation) -> String {
    let mut text = String::new();
    let model = &evaluation.model;
    let (own, weighted) = (evaluation.h_units, evaluation.weighted_units);
    let _ = writeln!(
        text,
        "{} ({}), {}, trained {}\n{} H-units of {} ({:.3} ‰), {} units with a weight",
        model.name,
        model.quantisation,
        evaluation.rule,
        evaluation.mode,
        own.count,
        own.of,
        own.per_mille(),
        weighted.count
    );
    for set in std::iter::once(&evaluation.test).chain(&evaluation.transfer) {
        let _ = writeln!(
            text,
            "\n{}: {} faithful and {} hallucinated answers{}; 95 % intervals over questions; {} of each are length-matched",
            set.name,
            set.faithful,
            set.hallucinated,
            if set.seen > 0 {
                format!(" ({} known from training left out)", set.seen)
            } else {
                String::new()
            },
            set.matched
        );
        let _ = writeln!(text, "{}", table(set));
    }
    let reliability = &evaluation.reliability;
    let _ = writeln!(
        text,
        "\nThe detector's probabilities on the test questions: Brier score {:.3}, expected calibration error {:.3}",
        reliability.brier, reliability.ece
    );
    if let Some(permutation) = &evaluation.permutation {
        let _ = writeln!(
            text,
            "Labels shuffled {} times: AUROC {:.3} on average, p = {:.4}",
            permutation.permuted.len(),
            permutation.mean().unwrap_or(0.5),
            permutation.p_value
        );
    }
    let right = evaluation.units.iter().filter(|unit| unit.effect.auroc > 0.5).count();
    let sure = evaluation
        .units
        .iter()
        .filter(|unit| unit.effect.auroc > 0.5 && unit.adjusted <= 0.05)
        .count();
    let _ = writeln!(
        text,
        "{right} of {} H-units are larger on hallucinated test answers by themselves, {sure} of them at a false discovery rate of 5 %",
        evaluation.units.len()
    );
    text
}

/// One line per scorer.
fn table(set: &Set) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "scores by",
        "units",
        "AUROC",
        "accuracy",
        "F1",
        "AUROC, matched",
        "detector's lead",
        "p",
    ]);
    for row in &set.rows {
        table.add_row(cells(row));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn cells(row: &Row) -> [String; 8] {
    let is_reference = row.gap.difference.value == 0.0 && row.scorer == super::evaluation::Scorer::Detector;
    let name = match &row.draws {
        Some(draws) => format!(
            "{} (median of {}; {:.DECIMALS$} ± {:.DECIMALS$})",
            row.scorer.name(),
            draws.aurocs.len(),
            draws.mean,
            draws.sd
        ),
        None => row.scorer.name().to_owned(),
    };
    [
        name,
        if row.units > 0 {
            row.units.to_string()
        } else {
            String::new()
        },
        shown(&row.measures.auroc),
        shown(&row.measures.accuracy),
        shown(&row.measures.f1),
        row.matched
            .as_ref()
            .map_or_else(String::new, |matched| shown(&matched.auroc)),
        if is_reference {
            String::new()
        } else {
            signed(&row.gap.difference)
        },
        if is_reference {
            String::new()
        } else {
            format!("{:.4}", row.gap.p_value)
        },
    ]
}

fn shown(estimate: &Estimate) -> String {
    let interval = estimate.interval.map_or_else(String::new, |interval| {
        format!(" [{:.DECIMALS$}, {:.DECIMALS$}]", interval.low, interval.high)
    });
    format!("{:.DECIMALS$}{interval}", estimate.value)
}

fn signed(estimate: &Estimate) -> String {
    let interval = estimate.interval.map_or_else(String::new, |interval| {
        format!(" [{:+.DECIMALS$}, {:+.DECIMALS$}]", interval.low, interval.high)
    });
    format!("{:+.DECIMALS$}{interval}", estimate.value)
}

/// The path of the cross-validation as a table, the chosen C marked.
pub fn path_text(record: &Record) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["C", "AUROC", "± s.e.", "accuracy", "units", "H-units", "stability", ""]);
    for at in &record.cross_validation.path {
        let chosen = (at.c - record.chosen.c).abs() <= f64::EPSILON * at.c;
        table.add_row([
            format!("{:.4}", at.c),
            format!("{:.DECIMALS$}", at.auroc),
            format!("{:.DECIMALS$}", at.auroc_se),
            format!("{:.DECIMALS$}", at.accuracy),
            format!("{:.1}", at.nonzero),
            format!("{:.1}", at.positive),
            at.stability
                .map_or_else(String::new, |stability| format!("{stability:.2}")),
            if chosen { "chosen".to_owned() } else { String::new() },
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// One line per set and scorer; empty cells where something is not known.
pub fn csv(path: &Path, evaluation: &Evaluation) -> Result<(), WriteError> {
    files::whole(path, |file| -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(HEADER)?;
        for set in std::iter::once(&evaluation.test).chain(&evaluation.transfer) {
            for row in &set.rows {
                writer.write_record(record(set, row))?;
            }
        }
        Ok(writer.flush()?)
    })
}

const HEADER: [&str; 26] = [
    "set",
    "faithful",
    "hallucinated",
    "scorer",
    "units",
    "auroc",
    "auroc_low",
    "auroc_high",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "f1",
    "f1_low",
    "f1_high",
    "official_accuracy",
    "lead",
    "lead_low",
    "lead_high",
    "lead_p",
    "matched_per_class",
    "matched_auroc",
    "matched_auroc_low",
    "matched_auroc_high",
    "within_length_auroc",
    "draws_auroc_mean",
    "draws_p",
];

fn record(set: &Set, row: &Row) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let three = |estimate: Option<&Estimate>| {
        let interval = estimate.and_then(|estimate| estimate.interval);
        [
            number(estimate.map(|estimate| estimate.value)),
            number(interval.map(|interval| interval.low)),
            number(interval.map(|interval| interval.high)),
        ]
    };
    let mut cells = vec![
        set.name.clone(),
        set.faithful.to_string(),
        set.hallucinated.to_string(),
        row.scorer.name().to_owned(),
        row.units.to_string(),
    ];
    cells.extend(three(Some(&row.measures.auroc)));
    cells.extend(three(Some(&row.measures.accuracy)));
    cells.extend(three(Some(&row.measures.f1)));
    cells.push(number(row.official_accuracy));
    cells.extend(three(Some(&row.gap.difference)));
    cells.push(row.gap.p_value.to_string());
    cells.push(set.matched.to_string());
    cells.extend(three(row.matched.as_ref().map(|matched| &matched.auroc)));
    cells.push(number(row.within_length));
    cells.push(number(row.draws.as_ref().map(|draws| draws.mean)));
    cells.push(number(row.draws.as_ref().map(|draws| draws.p_value)));
    cells
}

/// One line per H-unit: where it is, its weight, and what it says by itself.
pub fn units_csv(path: &Path, evaluation: &Evaluation) -> Result<(), WriteError> {
    files::whole(path, |file| -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(["layer", "index", "weight", "auroc", "cohens_d", "p", "p_adjusted"])?;
        for unit in &evaluation.units {
            writer.write_record([
                unit.layer.to_string(),
                unit.index.to_string(),
                unit.weight.to_string(),
                unit.effect.auroc.to_string(),
                unit.effect.cohens_d.to_string(),
                unit.effect.p_value.to_string(),
                unit.adjusted.to_string(),
            ])?;
        }
        Ok(writer.flush()?)
    })
}

/// Everything, as JSON.
pub fn json(path: &Path, evaluation: &Evaluation) -> Result<(), WriteError> {
    files::json(path, evaluation)
}
