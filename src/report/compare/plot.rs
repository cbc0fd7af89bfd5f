//! Cost against kappa, as a figure.

use kuva::plot::scatter::ScatterPlot;
use kuva::prelude::{Layout, LinePlot, Plot, ReferenceLine, TextAnnotation, render_to_svg};

use super::pareto::{Pareto, Point};

/// Above this ratio of costs, the axis is logarithmic.
const WIDE: f64 = 20.0;

const ON_FRONT: &str = "#1b6ca8";
const OFF_FRONT: &str = "#8a8a8a";

/// The points with their intervals, and the front as steps; `None` where there is no point. Points are numbered, and the legend says who they
/// are. What costs nothing is a horizontal line.
pub(super) fn svg(pareto: &Pareto) -> Option<String> {
    let placed = |point: &Point| point.cost.zip(point.kappa);
    let points: Vec<(&Point, (f64, f64))> = pareto
        .points
        .iter()
        .filter_map(|point| Some((point, placed(point)?)))
        .collect();
    let paid = || points.iter().map(|(_, (cost, _))| *cost).filter(|&cost| cost > 0.0);
    let least = paid().fold(f64::INFINITY, |least, cost| if cost < least { cost } else { least });
    let most = paid().fold(0.0, |most, cost| if cost > most { cost } else { most });
    let logarithmic = most > WIDE * least;
    if points.is_empty() {
        return None;
    }
    // What costs nothing would lie on the axis, or nowhere on a logarithmic one.
    let is_line = |cost: f64| most > 0.0 && cost == 0.0;
    let mut plots: Vec<Plot> = Vec::new();
    let steps = steps(points.iter().filter(|(_, (cost, _))| !is_line(*cost)));
    if steps.len() > 1 {
        let line = LinePlot::new().with_data(steps).with_color(ON_FRONT);
        plots.push(line.with_legend("front").into());
    }
    let (mut lines, mut numbers) = (Vec::new(), Vec::new());
    for (nth, (point, (cost, kappa))) in points.iter().enumerate() {
        let color = if point.on_front { ON_FRONT } else { OFF_FRONT };
        let name = name(point);
        if is_line(*cost) {
            let line = ReferenceLine::horizontal(*kappa).with_color(color);
            lines.push(line.with_label(format!("{name} (free)")));
            continue;
        }
        let mut plot = ScatterPlot::new()
            .with_data([(*cost, *kappa)])
            .with_color(color)
            .with_size(5.0)
            .with_legend(format!("{}  {name}", nth + 1));
        if let Some(interval) = point.interval {
            plot = plot.with_y_err_asymmetric([(kappa - interval.low, interval.high - kappa)]);
        }
        plots.push(plot.into());
        // Beside the point, where its interval does not cross it.
        let beside = if logarithmic {
            cost * (most / least).powf(0.02)
        } else {
            cost + 0.02 * most
        };
        numbers.push(TextAnnotation::new(format!("{}", nth + 1), beside, *kappa));
    }
    let mut layout = Layout::auto_from_plots(&plots)
        .with_title("Cost and agreement")
        .with_x_label(pareto.unit.name())
        .with_y_label("Cohen's kappa")
        .with_width(960.0)
        .with_height(560.0);
    // Lines have no place among the data from which the axes are made.
    let (low, high) = range(&points);
    layout = layout.with_y_axis_min(low).with_y_axis_max(high);
    layout = if logarithmic {
        layout.with_log_x()
    } else {
        layout.with_x_axis_min(0.0)
    };
    let layout = lines.into_iter().fold(layout, Layout::with_reference_line);
    let layout = numbers.into_iter().fold(layout, Layout::with_annotation);
    Some(render_to_svg(plots, layout))
}

/// A `$` would begin a formula.
fn name(point: &Point) -> String {
    point.configuration.replace('$', "\\$")
}

/// The lowest and the highest kappa, intervals included, with some room.
fn range(points: &[(&Point, (f64, f64))]) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (point, (_, kappa)) in points {
        let ends = point.interval.map_or([*kappa; 2], |interval| [interval.low, interval.high]);
        for value in ends.into_iter().chain([*kappa]) {
            low = if value < low { value } else { low };
            high = if value > high { value } else { high };
        }
    }
    let room = 0.05 * if high > low { high - low } else { 1.0 };
    (low - room, high + room)
}

/// The corners of the front, from its cheapest point to its dearest: what can be had for a cost.
fn steps<'a>(points: impl Iterator<Item = &'a (&'a Point, (f64, f64))>) -> Vec<(f64, f64)> {
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for &(_, (cost, kappa)) in points.filter(|(point, _)| point.on_front) {
        if let Some(&(_, before)) = steps.last() {
            steps.push((cost, before));
        }
        steps.push((cost, kappa));
    }
    steps
}
