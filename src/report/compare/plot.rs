//! Cost against kappa, as a figure.

use kuva::plot::scatter::ScatterPlot;
use kuva::prelude::{Layout, LinePlot, Plot, ReferenceLine, render_to_svg};

use super::pareto::{Pareto, Point};

/// Above this ratio of costs, the axis is logarithmic.
const WIDE: f64 = 20.0;

const ON_FRONT: &str = "#1b6ca8";
const OFF_FRONT: &str = "#8a8a8a";

/// The points with their intervals, and the front as steps; `None` where there is no point. Points are numbered, and the legend says who they
/// are. On a logarithmic axis, what costs nothing is a horizontal line.
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
    let mut plots: Vec<Plot> = Vec::new();
    let steps = steps(&points, logarithmic);
    if steps.len() > 1 {
        plots.push(
            LinePlot::new()
                .with_data(steps)
                .with_color(ON_FRONT)
                .with_legend("front")
                .into(),
        );
    }
    let mut free = Vec::new();
    for (nth, (point, (cost, kappa))) in points.iter().enumerate() {
        let name = name(point);
        if logarithmic && *cost == 0.0 {
            free.push(
                ReferenceLine::horizontal(*kappa)
                    .with_color(OFF_FRONT)
                    .with_label(format!("{name} (free)")),
            );
            continue;
        }
        let mut plot = ScatterPlot::new()
            .with_data([(*cost, *kappa)])
            .with_color(if point.on_front { ON_FRONT } else { OFF_FRONT })
            .with_size(5.0)
            .with_labels([format!("{}", nth + 1)])
            .with_legend(format!("{}  {name}", nth + 1));
        if let Some(interval) = point.interval {
            plot = plot.with_y_err_asymmetric([(kappa - interval.low, interval.high - kappa)]);
        }
        plots.push(plot.into());
    }
    let mut layout = Layout::auto_from_plots(&plots)
        .with_title("Cost and agreement")
        .with_x_label(pareto.unit.name())
        .with_y_label("Cohen's kappa")
        .with_width(960.0)
        .with_height(560.0);
    if logarithmic {
        layout = layout.with_log_x();
    }
    let layout = free.into_iter().fold(layout, Layout::with_reference_line);
    Some(render_to_svg(plots, layout))
}

/// A `$` would begin a formula.
fn name(point: &Point) -> String {
    point.configuration.replace('$', "\\$")
}

/// The corners of the front, from its cheapest point to its dearest: what can be had for a cost.
fn steps(points: &[(&Point, (f64, f64))], logarithmic: bool) -> Vec<(f64, f64)> {
    let mut steps: Vec<(f64, f64)> = Vec::new();
    let front = points
        .iter()
        .filter(|(point, (cost, _))| point.on_front && !(logarithmic && *cost == 0.0));
    for &(_, (cost, kappa)) in front {
        if let Some(&(_, before)) = steps.last() {
            steps.push((cost, before));
        }
        steps.push((cost, kappa));
    }
    steps
}
