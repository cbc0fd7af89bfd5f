//! A sweep for people: a table per task, and everything as CSV.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::super::evaluate::Estimate;
use super::rates::{Curve, Slope};
use super::record::{Found, Judging};
use super::{Task, Units};

/// Columns of the widest table: rates stay on one line, whatever the terminal.
const WIDE: u16 = 200;

/// Every rate and slope, its random sets as their mean.
pub fn table(found: &Found) -> String {
    let mut text = format!("{}: {} H-units scaled by α", found.model, found.h_units);
    for task in Task::ALL {
        let curves: Vec<&Curve> = found.curves.iter().filter(|curve| curve.task == task).collect();
        let Some(own) = curves.iter().find(|curve| curve.units == Units::Detector) else {
            continue;
        };
        let of = |pick: &dyn Fn(&super::Rate) -> usize| {
            let counts: BTreeSet<usize> = own.rates.iter().map(pick).collect();
            match (counts.first(), counts.last()) {
                (Some(low), Some(high)) if low < high => format!("{low} to {high}"),
                (Some(one), _) => one.to_string(),
                _ => "0".to_owned(),
            }
        };
        let judged = match (&found.judged_by, task) {
            (Judging::Rule, Task::FalsePremise) => ", judged by their words".to_owned(),
            (Judging::Model(identity), Task::FalsePremise) => format!(", judged by {}", identity.name),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "\n\n% of {}: of {}{judged}; unclear with H-units: {}",
            task.counts(),
            of(&|rate| rate.of),
            of(&|rate| rate.unclear)
        );
        let _ = write!(text, "{}", rates(&curves, own));
        if let Some(lead) = found.leads.iter().find(|lead| lead.task == task) {
            let _ = write!(
                text,
                "\nslope beyond random units: {} points per unit of α (slopes of {} random sets: {} to {})",
                points(&lead.difference),
                lead.draws,
                signed(lead.lowest),
                signed(lead.highest)
            );
        }
    }
    if !found.fluency.is_empty() {
        let tokens = found.fluency.iter().map(|fluency| fluency.tokens).max().unwrap_or(0);
        let _ = write!(text, "\n\nperplexity of a text of {tokens} tokens\n{}", fluency(found));
    }
    text
}

fn rates(curves: &[&Curve], own: &Curve) -> Table {
    let mut table = plain();
    let mut header = vec!["units".to_owned()];
    header.extend(own.rates.iter().map(|rate| format!("α = {}", rate.scale)));
    header.extend(["slope per α".into(), "up to 1".into(), "from 1 on".into()]);
    table.set_header(header);
    let mut row = vec!["H-units".to_owned()];
    row.extend(own.rates.iter().map(|rate| format!("{:.1}", 100.0 * rate.share.value)));
    row.extend(slopes(own.slope.as_ref()));
    table.add_row(row);
    let mut row = vec!["  95 %".to_owned()];
    row.extend(own.rates.iter().map(|rate| {
        rate.share.interval.map_or_else(String::new, |interval| {
            format!("{:.0}–{:.0}", 100.0 * interval.low, 100.0 * interval.high)
        })
    }));
    table.add_row(row);
    let random: Vec<&&Curve> = curves.iter().filter(|curve| curve.units != Units::Detector).collect();
    if !random.is_empty() {
        let mut row = vec![format!("random, mean of {}", random.len())];
        row.extend(own.rates.iter().map(|at| {
            let shares: Vec<f64> = random
                .iter()
                .flat_map(|curve| &curve.rates)
                .filter(|rate| rate.scale.total_cmp(&at.scale).is_eq())
                .map(|rate| rate.share.value)
                .collect();
            if shares.is_empty() {
                return "–".to_owned();
            }
            format!("{:.1}", 100.0 * shares.iter().sum::<f64>() / shares.len() as f64)
        }));
        let means = random.iter().filter_map(|curve| Some(curve.slope?.per_unit.value));
        let means: Vec<f64> = means.collect();
        row.push(if means.is_empty() {
            "–".to_owned()
        } else {
            signed(means.iter().sum::<f64>() / means.len() as f64)
        });
        table.add_row(row);
    }
    right(&mut table);
    table
}

fn slopes(slope: Option<&Slope>) -> [String; 3] {
    let shown = |estimate: Option<&Estimate>| estimate.map_or_else(|| "–".to_owned(), points);
    [
        shown(slope.map(|slope| &slope.per_unit)),
        shown(slope.and_then(|slope| slope.to_one.as_ref())),
        shown(slope.and_then(|slope| slope.from_one.as_ref())),
    ]
}

fn points(estimate: &Estimate) -> String {
    match estimate.interval {
        Some(interval) => format!(
            "{} [{}, {}]",
            signed(estimate.value),
            signed(interval.low),
            signed(interval.high)
        ),
        None => signed(estimate.value),
    }
}

/// With its sign, of which zero has none: sums of floats end a little beside it.
fn signed(points: f64) -> String {
    let text = format!("{points:+.2}");
    if text.ends_with("0.00") && points.abs() < 0.005 {
        "0.00".to_owned()
    } else {
        text
    }
}

fn fluency(found: &Found) -> Table {
    let mut scales: Vec<f32> = found.fluency.iter().map(|fluency| fluency.scale).collect();
    scales.sort_by(f32::total_cmp);
    scales.dedup_by(|a, b| a.total_cmp(b).is_eq());
    let mut table = plain();
    let mut header = vec!["units".to_owned()];
    header.extend(scales.iter().map(|scale| format!("α = {scale}")));
    table.set_header(header);
    let row = |name: String, is_own: bool| {
        let mut row = vec![name];
        row.extend(scales.iter().map(|scale| {
            let values: Vec<f64> = found
                .fluency
                .iter()
                .filter(|one| one.scale.total_cmp(scale).is_eq())
                .filter(|one| (one.units == Units::Detector) == is_own)
                .map(|one| one.perplexity)
                .collect();
            if values.is_empty() {
                return "–".to_owned();
            }
            format!("{:.2}", values.iter().sum::<f64>() / values.len() as f64)
        }));
        row
    };
    table.add_row(row("H-units".into(), true));
    let sets: BTreeSet<Units> = found.fluency.iter().map(|one| one.units).collect();
    if sets.len() > 1 {
        table.add_row(row(format!("random, mean of {}", sets.len() - 1), false));
    }
    right(&mut table);
    table
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_width(WIDE);
    table
}

fn right(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// A line per task, set of units and strength: shares and their intervals.
pub fn csv(found: &Found) -> String {
    let mut text = "task,units,scale,asked,counted,unclear,share,low,high\n".to_owned();
    for curve in &found.curves {
        for rate in &curve.rates {
            let interval = rate.share.interval;
            let end = |end: Option<f64>| end.map_or_else(String::new, |end| format!("{end:.6}"));
            let _ = writeln!(
                text,
                "{},{},{},{},{},{},{:.6},{},{}",
                curve.task.name(),
                curve.units,
                rate.scale,
                rate.of,
                rate.counted,
                rate.unclear,
                rate.share.value,
                end(interval.map(|interval| interval.low)),
                end(interval.map(|interval| interval.high))
            );
        }
    }
    text
}
