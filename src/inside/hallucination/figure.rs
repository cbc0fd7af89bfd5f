//! Results as SVG figures.

use kuva::plot::ScatterPlot;
use kuva::prelude::{Layout, LinePlot, Plot, render_to_svg};

use super::{
    evaluate::Reliability,
    evaluation::{Scorer, Set},
    intervention,
};

const COLORS: [&str; 8] = [
    "#c2452d", "#1b6ca8", "#2e8b57", "#8e6c8a", "#edae49", "#3d5a80", "#7a7a7a", "#b5651d",
];
const CHANCE: &str = "#bbbbbb";

/// The scorers that a figure has room for.
const DRAWN: [Scorer; 7] = [
    Scorer::Detector,
    Scorer::AllUnits,
    Scorer::RandomUnits,
    Scorer::LogProbability,
    Scorer::Entropy,
    Scorer::Length,
    Scorer::ConfidenceAndDetector,
];

/// ROC curves of a set: the detector, the most telling baselines, and chance. `None` without rows.
pub fn roc(title: &str, set: &Set) -> Option<String> {
    let rows = set
        .rows
        .iter()
        .filter(|row| DRAWN.contains(&row.scorer) && !row.roc.is_empty());
    let mut plots: Vec<Plot> = rows
        .zip(COLORS.iter().cycle())
        .map(|(row, color)| {
            let name = format!("{} ({:.3})", row.scorer.name(), row.measures.auroc.value);
            LinePlot::new()
                .with_data(row.roc.iter().copied())
                .with_color(*color)
                .with_legend(name)
                .into()
        })
        .collect();
    if plots.is_empty() {
        return None;
    }
    plots.push(diagonal("chance (0.500)"));
    let layout = square(&plots)
        .with_title(plain(title))
        .with_subtitle(format!(
            "{} faithful and {} hallucinated answers; AUROC in brackets",
            set.faithful, set.hallucinated
        ))
        .with_x_label("faithful answers called hallucinated")
        .with_y_label("hallucinated answers called so")
        .with_width(860.0)
        .with_height(560.0);
    Some(render_to_svg(plots, layout))
}

/// Frequency of hallucinations against the detector's probability. `None` without bins.
pub fn reliability(title: &str, reliability: &Reliability) -> Option<String> {
    if reliability.bins.is_empty() {
        return None;
    }
    let points = reliability.bins.iter().map(|bin| (bin.probability, bin.frequency));
    let bins = ScatterPlot::new()
        .with_data(points)
        .with_color(COLORS[0])
        .with_size(6.0)
        .with_legend("answers in bins of 0.1");
    let plots: Vec<Plot> = vec![bins.into(), diagonal("calibrated")];
    let layout = square(&plots)
        .with_title(plain(title))
        .with_subtitle(format!(
            "expected calibration error {:.3}, Brier score {:.3}",
            reliability.ece, reliability.brier
        ))
        .with_x_label("probability by the detector")
        .with_y_label("share of hallucinated answers")
        .with_width(760.0)
        .with_height(520.0);
    Some(render_to_svg(plots, layout))
}

/// Rates of a task by strength: the H-units and every set of random units. `None` where the task was not asked.
pub fn intervention(found: &intervention::Found, task: intervention::Task) -> Option<String> {
    let curves = found.curves.iter().filter(|curve| curve.task == task);
    let mut random = 0;
    let mut plots: Vec<Plot> = Vec::new();
    // The last one drawn lies on top.
    for curve in curves.rev() {
        let points = curve
            .rates
            .iter()
            .map(|rate| (f64::from(rate.scale), 100.0 * rate.share.value));
        let line = LinePlot::new().with_data(points);
        let line = if curve.units == intervention::Units::Detector {
            line.with_color(COLORS[0]).with_legend("H-units")
        } else {
            random += 1;
            let line = line.with_color(CHANCE);
            if random == 1 {
                line.with_legend("random units")
            } else {
                line
            }
        };
        plots.push(line.into());
    }
    if plots.is_empty() {
        return None;
    }
    let layout = Layout::auto_from_plots(&plots)
        .with_title(plain(&format!("{}: {}", found.model, task.counts())))
        .with_x_label("α")
        .with_y_label("%")
        .with_y_axis_min(0.0)
        .with_y_axis_max(100.0)
        .with_width(820.0)
        .with_height(460.0);
    Some(render_to_svg(plots, layout))
}

fn diagonal(name: &str) -> Plot {
    LinePlot::new()
        .with_data([(0.0, 0.0), (1.0, 1.0)])
        .with_color(CHANCE)
        .with_dashed()
        .with_legend(name)
        .into()
}

/// From 0 to 1 on both axes.
fn square(plots: &[Plot]) -> Layout {
    Layout::auto_from_plots(plots)
        .with_x_axis_min(0.0)
        .with_x_axis_max(1.0)
        .with_y_axis_min(0.0)
        .with_y_axis_max(1.0)
}

/// A `$` would begin a formula.
fn plain(text: &str) -> String {
    text.replace('$', "\\$")
}
