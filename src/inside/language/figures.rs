//! Results as SVG figures.

use std::{io::Write, path::Path, sync::Arc};

use kuva::plot::{BarPlot, ColorMap, Heatmap};
use kuva::prelude::{Layout, Plot, render_to_svg};

use super::{
    classes::Classes,
    files::{WriteError, whole},
    matrix::Matrix,
    overlap::Overlap,
    parts::Parts,
};

type Rgb = [f64; 3];

const WHITE: Rgb = [255.0, 255.0, 255.0];
const BLUE: Rgb = [91.0, 155.0, 213.0];
const RED: Rgb = [226.0, 106.0, 92.0];

const SPECIFIC: &str = "#c2452d";
const RELATED: &str = "#e8a33d";
const AGNOSTIC: &str = "#1b6ca8";

/// Pixels per cell of a heat map: two decimals fit.
const CELL: f64 = 46.0;

/// Writes a figure.
pub fn write(path: &Path, svg: &str) -> Result<(), WriteError> {
    whole(path, |file| file.write_all(svg.as_bytes()))
}

/// Specific, related and agnostic units in every layer as stacked bars; `None` without layers.
pub fn layers(classes: &Classes, parts: Option<&Parts>) -> Option<String> {
    if classes.layers.is_empty() {
        return None;
    }
    let mut bars = BarPlot::new().with_stacked();
    for (nth, layer) in classes.layers.iter().enumerate() {
        let stack = [
            (layer.specific, SPECIFIC),
            (layer.related, RELATED),
            (layer.agnostic, AGNOSTIC),
        ];
        bars = bars.with_group(nth.to_string(), stack.map(|(units, color)| (units as f64, color)));
    }
    let bars = bars.with_legend(vec!["specific", "related", "agnostic"]);
    let plots = vec![Plot::from(bars)];
    let mut layout = Layout::auto_from_plots(&plots)
        .with_title("Language units per layer")
        .with_x_label("layer")
        .with_y_label("units")
        .with_width(1040.0)
        .with_height(460.0);
    if let Some(parts) = parts {
        layout = layout.with_subtitle(parts.to_string()).with_subtitle_wrap(110);
    }
    Some(render_to_svg(plots, layout))
}

/// The units of each language's set in every layer; `None` without languages or layers.
pub fn layers_by_language(classes: &Classes) -> Option<String> {
    let cells: Vec<Vec<f64>> = classes
        .languages
        .iter()
        .map(|language| language.layers.iter().map(|&units| units as f64).collect())
        .collect();
    let rows: Vec<&str> = classes
        .languages
        .iter()
        .map(|language| language.language.as_str())
        .collect();
    let columns: Vec<String> = (0..classes.layers.len()).map(|layer| layer.to_string()).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let map = Map {
        title: "Units of each language per layer",
        x: "layer",
        y: "language",
        rows: &rows,
        columns: &columns,
        cells,
        colors: Colors::FromZero,
        cell: (26.0, 32.0),
    };
    map.draw()
}

/// The share of each row's set that is in each column's set; `None` without languages.
pub fn overlap(overlap: &Overlap) -> Option<String> {
    let share = |row: usize| {
        (0..overlap.columns.len())
            .map(move |column| overlap.share(row, column).unwrap_or(0.0))
            .collect()
    };
    let labels: Vec<String> = overlap
        .rows
        .iter()
        .zip(&overlap.sizes)
        .map(|(language, size)| format!("{language} ({size})"))
        .collect();
    let rows: Vec<&str> = labels.iter().map(String::as_str).collect();
    let columns: Vec<&str> = overlap.columns.iter().map(String::as_str).collect();
    let map = Map {
        title: "Share of a language's units that another language has",
        x: "also units of",
        y: "units of (number)",
        rows: &rows,
        columns: &columns,
        cells: (0..rows.len()).map(share).collect(),
        colors: Colors::FromZero,
        cell: (CELL, CELL),
    };
    map.draw()
}

/// The change of loss that silencing each row's units brings to each column's language; `None` without languages.
pub fn matrix(matrix: &Matrix) -> Option<String> {
    let labels: Vec<String> = matrix
        .languages
        .iter()
        .zip(&matrix.units)
        .map(|(language, units)| format!("{language} ({units})"))
        .collect();
    let rows: Vec<&str> = labels.iter().map(String::as_str).collect();
    let columns: Vec<&str> = matrix.languages.iter().map(String::as_str).collect();
    // Cells show two decimals.
    let small = matrix.nll.iter().flatten().all(|change| change.abs() < 0.1);
    let (factor, unit) = if small {
        (1000.0, "thousandths of a nat")
    } else {
        (1.0, "nats")
    };
    let scaled = |row: &Vec<f64>| row.iter().map(|change| factor * change).collect();
    let map = Map {
        title: &format!("Change of loss where a language's units are silenced ({unit} per token)"),
        x: "evaluated",
        y: "silenced (units)",
        rows: &rows,
        columns: &columns,
        cells: matrix.nll.iter().map(scaled).collect(),
        colors: Colors::AroundZero,
        cell: (CELL, CELL),
    };
    map.draw()
}

/// What a heat map's colours stand for.
#[derive(Clone, Copy)]
enum Colors {
    /// White is 0, full colour the largest value.
    FromZero,
    /// White is 0, red above it, blue below; equal distances have equal strength.
    AroundZero,
}

/// A heat map with values in its cells, the first row on top.
struct Map<'a> {
    title: &'a str,
    x: &'a str,
    y: &'a str,
    rows: &'a [&'a str],
    columns: &'a [&'a str],
    cells: Vec<Vec<f64>>,
    colors: Colors,
    /// Pixels, width and height.
    cell: (f64, f64),
}

impl Map<'_> {
    fn draw(self) -> Option<String> {
        if self.rows.is_empty() || self.columns.is_empty() {
            return None;
        }
        // A `$` would begin a formula.
        let plain = |labels: &[&str]| labels.iter().map(|label| label.replace('$', "\\$")).collect::<Vec<_>>();
        let whole = self.cells.iter().flatten().all(|value| value.fract() == 0.0);
        let color = colors(&self.cells, self.colors);
        // The first row is drawn at the bottom.
        let (mut rows, mut cells) = (plain(self.rows), self.cells);
        rows.reverse();
        cells.reverse();
        let width = 230.0 + self.cell.0 * self.columns.len() as f64;
        let height = 150.0 + self.cell.1 * rows.len() as f64;
        let map = Heatmap::new()
            .with_data(cells)
            .with_color_map(color)
            .with_labels(rows.clone(), plain(self.columns));
        // Values are shown with two decimals, which whole numbers do without; a pointer over a cell shows them.
        let map = if whole {
            map.with_tooltips()
        } else {
            map.with_values().with_tooltips()
        };
        let plots = vec![Plot::from(map)];
        let layout = Layout::auto_from_plots(&plots)
            .with_title(self.title)
            .with_x_label(self.x)
            .with_y_label(self.y)
            .with_x_categories(plain(self.columns))
            .with_y_categories(rows)
            .with_width(width)
            .with_height(height);
        Some(render_to_svg(plots, layout))
    }
}

/// A map from the data's range, which the renderer scales to 0..1, to colours that mean something at 0.
fn colors(cells: &[Vec<f64>], kind: Colors) -> ColorMap {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for &value in cells.iter().flatten() {
        low = if value < low { value } else { low };
        high = if value > high { value } else { high };
    }
    let strongest = if high > -low { high } else { -low };
    ColorMap::Custom(Arc::new(move |place| {
        let value = low + place * (high - low);
        let strength = if strongest > 0.0 {
            (value.abs() / strongest).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let full = match kind {
            Colors::FromZero => BLUE,
            Colors::AroundZero if value < 0.0 => BLUE,
            Colors::AroundZero => RED,
        };
        let [red, green, blue] =
            [0, 1, 2].map(|channel| (WHITE[channel] + strength * (full[channel] - WHITE[channel])).round());
        format!("rgb({red},{green},{blue})")
    }))
}
