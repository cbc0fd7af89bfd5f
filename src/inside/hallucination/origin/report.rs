//! Where H-units come from, for people: tables as text, units as CSV, ranks as a figure.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use comfy_table::{CellAlignment, Table, presets};
use kuva::plot::Histogram;
use kuva::prelude::{Layout, Plot, ReferenceLine, render_to_svg};

use super::{
    super::{detector::Detector, evaluate::Estimate, rule::ModelId},
    movement::Movement,
    pair::Side,
    stability::{Modules, Scaling, Stability},
    trace::{Origin, Transfer},
};
use crate::inside::language::{WriteError, files};

/// Bars of the figure.
const BINS: usize = 20;

const COLOR: &str = "#c2452d";
const LINES: &str = "#3d5a80";

/// Everything that a reader at a terminal wants to know.
pub fn text(origin: &Origin) -> String {
    let mut text = String::new();
    let units = origin.shape.units();
    let id = |model: &ModelId| format!("{} ({}, {})", model.name, model.architecture, model.quantisation);
    let _ = writeln!(
        text,
        "base   {}\ntuned  {}\ndetector of the {} model: {} H-units of {units} units",
        id(&origin.base),
        id(&origin.tuned),
        origin.detector_of,
        origin.h_units
    );
    let _ = writeln!(
        text,
        "\nWeights moved: {} of {units} units point elsewhere",
        origin.moved
    );
    if origin.moved > 0 {
        for (who, moved) in [("H-units", origin.h_units_moved), ("others", origin.others_moved)] {
            if let Some(moved) = moved {
                let _ = writeln!(text, "  mean distance 1 − cos of {who}: {}", distances(&moved));
            }
        }
    }
    if !origin.stability.is_empty() {
        let _ = writeln!(text, "{}", ranks(&origin.stability));
        let _ = writeln!(
            text,
            "Normalised ranks: 0 for the unit that changed most, 1 for the one that changed least. p is one-sided, of H-units ranking as high by chance{}.",
            if origin.draws > 0 {
                format!(
                    "; layer-matched: among {} random sets with as many units in every layer",
                    origin.draws
                )
            } else {
                String::new()
            }
        );
    }
    if !origin.transfer.is_empty() {
        let _ = writeln!(
            text,
            "\nTransfer: AUROC of the unchanged detector, with 95 % intervals over questions\n{}",
            transfers(&origin.transfer)
        );
    }
    if !origin.remarks.is_empty() {
        text.push('\n');
    }
    for remark in &origin.remarks {
        let _ = writeln!(text, "Note: {remark}.");
    }
    text
}

fn distances(moved: &Movement) -> String {
    let gate = moved.gate.map_or_else(String::new, |gate| format!("gate {gate:.2e}, "));
    format!("{gate}up {:.2e}, down {:.2e}", moved.up, moved.down)
}

/// One line per variant.
fn ranks(stability: &[Stability]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "vectors",
        "scaled over",
        "H-units' mean rank",
        "others'",
        "p, rank test",
        "p, t-test",
        "p, layer-matched",
    ]);
    for found in stability {
        table.add_row([
            match found.modules {
                Modules::UpDown => "up, down",
                Modules::GateUpDown => "gate, up, down",
            }
            .to_owned(),
            match found.scaling {
                Scaling::Model => "model",
                Scaling::Layer => "layer",
            }
            .to_owned(),
            format!("{:.3}", found.mean_rank),
            format!("{:.3}", found.others_mean_rank),
            chance(Some(found.rank_test.larger)),
            chance(found.t_test),
            chance(found.layer_matched),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn chance(p: Option<f64>) -> String {
    match p {
        None => "–".to_owned(),
        Some(p) if p < 0.0001 => "< 0.0001".to_owned(),
        Some(p) => format!("{p:.4}"),
    }
}

/// One line per data: what the base model answered beside what the tuned one did.
fn transfers(transfers: &[Transfer]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "data sets",
        "base: AUROC",
        "right/wrong",
        "left out",
        "tuned: AUROC",
        "right/wrong",
        "left out",
    ]);
    for (data, base, tuned) in beside(transfers) {
        let mut row = vec![data.clone()];
        row.extend(cells(base));
        row.extend(cells(tuned));
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn cells(transfer: Option<&Transfer>) -> [String; 3] {
    let Some(Transfer { measured, .. }) = transfer else {
        return ["–", "", ""].map(str::to_owned);
    };
    [
        shown(&measured.auroc),
        format!("{}/{}", measured.faithful, measured.hallucinated),
        measured
            .left_out
            .map_or_else(|| "not known".to_owned(), |count| count.to_string()),
    ]
}

fn shown(estimate: &Estimate) -> String {
    let interval = estimate.interval.map_or_else(String::new, |interval| {
        format!(" [{:.3}, {:.3}]", interval.low, interval.high)
    });
    format!("{:.3}{interval}", estimate.value)
}

/// Collections of both models over the same data sets, in the order given; the second of one model begins a line of its own.
fn beside(transfers: &[Transfer]) -> Vec<(String, Option<&Transfer>, Option<&Transfer>)> {
    let mut lines: Vec<(String, Option<&Transfer>, Option<&Transfer>)> = Vec::new();
    for transfer in transfers {
        let data = transfer.measured.datasets.join(", ");
        let place = |line: &mut (String, Option<&Transfer>, Option<&Transfer>)| match transfer.side {
            Side::Base => line.1.is_none(),
            Side::Tuned => line.2.is_none(),
        };
        let nth = lines
            .iter_mut()
            .position(|line| line.0 == data && place(line))
            .unwrap_or_else(|| {
                lines.push((data, None, None));
                lines.len() - 1
            });
        match transfer.side {
            Side::Base => lines[nth].1 = Some(transfer),
            Side::Tuned => lines[nth].2 = Some(transfer),
        }
    }
    lines
}

/// One line per H-unit: where it is, its weight, the distances `1 − cos` of its vectors, the mean of its standardised distances and its normalised rank, both in the
/// paper's variant. No lines where there is nothing to rank.
pub fn units_csv(path: &Path, origin: &Origin, detector: &Detector) -> Result<(), WriteError> {
    files::whole(path, |file| -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(["layer", "index", "weight", "gate", "up", "down", "change", "rank"])?;
        let weights: BTreeMap<(usize, usize), f64> = detector
            .units
            .iter()
            .map(|unit| ((unit.layer, unit.index), unit.weight))
            .collect();
        let ranked = origin.published().map_or(&[][..], |found| found.units.as_slice());
        for unit in ranked {
            let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
            writer.write_record([
                unit.layer.to_string(),
                unit.index.to_string(),
                number(weights.get(&(unit.layer, unit.index)).copied()),
                number(unit.movement.gate),
                unit.movement.up.to_string(),
                unit.movement.down.to_string(),
                unit.change.to_string(),
                unit.rank.to_string(),
            ])?;
        }
        Ok(writer.flush()?)
    })
}

/// How many H-units have which normalised rank in the paper's variant, with their mean, and the height that all bars would have by chance. `None` where there is
/// nothing to rank.
pub fn figure(origin: &Origin) -> Option<String> {
    let found = origin.published()?;
    let histogram = Histogram::new()
        .with_data(found.units.iter().map(|unit| unit.rank))
        .with_bins(BINS)
        .with_range((0.0, 1.0))
        .with_color(COLOR);
    let plots: Vec<Plot> = vec![histogram.into()];
    let layout = Layout::auto_from_plots(&plots)
        .with_title("How far tuning moved H-units")
        .with_subtitle(format!(
            "{} H-units of {}; one-sided rank test: p = {:.2e}",
            found.units.len(),
            origin.shape.units(),
            found.rank_test.larger
        ))
        .with_x_label("normalised rank: 0 changed most, 1 changed least")
        .with_y_label("H-units")
        .with_x_axis_min(0.0)
        .with_x_axis_max(1.0)
        .with_width(860.0)
        .with_height(480.0)
        .with_reference_line(
            ReferenceLine::vertical(found.mean_rank)
                .with_label(format!("mean {:.3}", found.mean_rank))
                .with_color(LINES),
        )
        .with_reference_line(
            ReferenceLine::horizontal(found.units.len() as f64 / BINS as f64)
                .with_label("chance")
                .with_color(LINES),
        );
    Some(render_to_svg(plots, layout))
}
