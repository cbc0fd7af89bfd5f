//! Figures as SVG.

use kuva::plot::Heatmap;
use kuva::prelude::{Layout, LinePlot, Plot, render_to_svg};

use super::histogram::{Histogram, range};
use super::kde::{Kde, grid};

const COLORS: [&str; 8] = [
    "#1b6ca8", "#d1495b", "#2e8b57", "#8e6c8a", "#edae49", "#3d5a80", "#7a7a7a", "#b5651d",
];
/// Points of a density curve: enough for the eye.
const POINTS: usize = 4;

/// One curve of a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What the legend calls it.
    pub name: String,
    /// Its points, by x.
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// Values over 0, 1, 2 and so on: fluctuation against depth. Values that are not finite are left out.
    pub fn over_depth(name: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let points = values
            .into_iter()
            .enumerate()
            .map(|(depth, value)| (depth as f64, value));
        Self {
            name: name.into(),
            points: points.filter(|(_, value)| value.is_finite()).collect(),
        }
    }

    /// The density of a histogram, without the outermost bins that a figure would show as zero: a few extreme weights would otherwise squeeze all
    /// others into a needle. Their size is in the tables.
    #[must_use]
    pub fn of_histogram(name: impl Into<String>, histogram: &Histogram) -> Self {
        Self {
            name: name.into(),
            points: without_tails(histogram.density()),
        }
    }

    /// The kernel density of a sample, over its range; `None` where it has none.
    #[must_use]
    pub fn of_sample(name: impl Into<String>, values: &[f64]) -> Option<Self> {
        let (kde, (low, high)) = (Kde::scott(values)?, range(values)?);
        Some(Self {
            name: name.into(),
            points: grid(low, high).step_by(POINTS).map(|x| (x, kde.at(x))).collect(),
        })
    }
}

/// The points between the first and the last that are at least a thousandth of the highest.
fn without_tails(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let highest = points.iter().map(|point| point.1).max_by(f64::total_cmp).unwrap_or(0.0);
    let seen = |point: &(f64, f64)| point.1 >= 1e-3 * highest;
    let (first, last) = (points.iter().position(seen), points.iter().rposition(seen));
    match first.zip(last) {
        Some((first, last)) => points[first..=last].to_vec(),
        None => points,
    }
}

/// What a figure and its axes are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Titles<'a> {
    /// Above the figure.
    pub title: &'a str,
    /// Below the x axis.
    pub x: &'a str,
    /// Beside the y axis.
    pub y: &'a str,
}

/// Curves in one figure; `None` where there are no points.
#[must_use]
pub fn curves(titles: Titles<'_>, curves: &[Curve]) -> Option<String> {
    let drawn = curves.iter().filter(|curve| !curve.points.is_empty());
    let plots: Vec<Plot> = drawn
        .enumerate()
        .map(|(nth, curve)| {
            let line = LinePlot::new().with_data(curve.points.iter().copied());
            // Colours come round again with another stroke.
            let line = line.with_color(COLORS[nth % COLORS.len()]);
            let line = if nth / COLORS.len() % 2 == 1 {
                line.with_dashed()
            } else {
                line
            };
            line.with_legend(plain(&curve.name)).into()
        })
        .collect();
    if plots.is_empty() {
        return None;
    }
    let layout = titled(Layout::auto_from_plots(&plots), titles);
    Some(render_to_svg(plots, layout))
}

/// A matrix of values, row 0 at the bottom, as depth is drawn upwards; `None` where it has no cells. Rows and columns have the same names.
#[must_use]
pub fn heat_map(titles: Titles<'_>, names: &[String], cells: &[Vec<f64>]) -> Option<String> {
    if cells.is_empty() || cells.iter().any(Vec::is_empty) {
        return None;
    }
    let finite = cells
        .iter()
        .map(|row| row.iter().map(|&cell| if cell.is_finite() { cell } else { 0.0 }));
    let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
    let plots: Vec<Plot> = vec![Heatmap::new().with_data(finite).with_legend(plain(titles.title)).into()];
    let layout = titled(Layout::auto_from_plots(&plots), titles)
        .with_x_categories(names.clone())
        .with_y_categories(names);
    Some(render_to_svg(plots, layout))
}

fn titled(layout: Layout, titles: Titles<'_>) -> Layout {
    layout
        .with_title(plain(titles.title))
        .with_x_label(plain(titles.x))
        .with_y_label(plain(titles.y))
        .with_width(960.0)
        .with_height(560.0)
}

/// A `$` would begin a formula.
fn plain(text: &str) -> String {
    text.replace('$', "\\$")
}
