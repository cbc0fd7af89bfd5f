//! SVG figures that a page can embed.

use kuva::plot::{Heatmap, Histogram};
use kuva::prelude::{ColorMap, Layout, Plot, ReferenceLine, TextAnnotation, render_to_svg};

use super::{
    Element,
    partition::{Graph, Groups},
    prune::PruningTable,
};

/// Blocks of units are averaged into as many cells a side at the most, so that a figure stays small whatever the layer's width.
const CELLS: usize = 64;

const COLORS: [&str; 8] = [
    "#1b6ca8", "#c8553d", "#588b8b", "#8a5a9e", "#c98b1b", "#3f7d3f", "#a23b72", "#555555",
];

/// How many units have which score, one outline per function, with chance as a line. `None` without scores.
pub fn specialisation_histogram(title: &str, functions: &[(String, Vec<f64>)], chance: Option<f64>) -> Option<String> {
    let all = || functions.iter().flat_map(|(_, scores)| scores.iter().copied());
    let (low, high) = (all().min_by(f64::total_cmp)?, all().max_by(f64::total_cmp)?);
    let high = if high > low { high } else { low + 1.0 };
    let plots: Vec<Plot> = functions
        .iter()
        .zip(COLORS.iter().cycle())
        .map(|((name, scores), color)| {
            let histogram = Histogram::new()
                .with_data(scores.iter().copied())
                .with_bins(40)
                .with_range((low, high))
                .with_color(*color)
                .with_step(true);
            histogram.with_legend(plain(name)).into()
        })
        .collect();
    let mut layout = Layout::auto_from_plots(&plots)
        .with_title(plain(title))
        .with_x_label("score (average precision)")
        .with_y_label("units")
        .with_width(900.0)
        .with_height(480.0);
    if let Some(chance) = chance {
        layout = layout.with_reference_line(ReferenceLine::vertical(chance).with_label("chance"));
    }
    Some(render_to_svg(plots, layout))
}

/// The graph with units in order of their groups, averaged over blocks: groups stand out as squares on the diagonal. `None` where there are no units or the groups are of another count.
pub fn coactivation_blocks<W: Element>(title: &str, graph: &Graph<W>, groups: &Groups) -> Option<String> {
    let units = graph.units();
    if units == 0 || groups.of_unit().len() != units {
        return None;
    }
    let mut order: Vec<usize> = (0..units).collect();
    order.sort_by_key(|&unit| groups.of_unit()[unit]);
    let cells = units.min(CELLS);
    let cell = |place: usize| place * cells / units;
    let mut sums = vec![vec![(0.0, 0_usize); cells]; cells];
    for (row, &left) in order.iter().enumerate() {
        for (column, &right) in order.iter().enumerate() {
            if left != right {
                let (sum, count) = &mut sums[cell(row)][cell(column)];
                *sum += graph.weights().at(left, right);
                *count += 1;
            }
        }
    }
    let mean = |(sum, count): (f64, usize)| sum / count.max(1) as f64;
    let rows = sums.into_iter().map(|row| row.into_iter().map(mean).collect());
    // Cells are counted from below, and matrices are read from above.
    let mut data: Vec<Vec<f64>> = rows.collect();
    data.reverse();
    let heatmap = Heatmap::new()
        .with_data(data)
        .with_color_map(ColorMap::Viridis)
        .with_cell_size(1.0);
    let plots = vec![Plot::Heatmap(heatmap)];
    // Ticks would count cells.
    let names = || vec![String::new(); cells];
    let layout = Layout::auto_from_plots(&plots)
        .with_title(plain(title))
        .with_subtitle(format!(
            "mean weight between {units} units in {} groups",
            groups.count()
        ))
        .with_x_label("units by group")
        .with_y_label("units by group")
        .with_x_categories(names())
        .with_y_categories(names())
        .with_tick_length(0.0)
        .with_width(640.0)
        .with_height(600.0);
    Some(render_to_svg(plots, layout))
}

/// Removals against functions, the first removal on top: percent by which perplexity rises, coloured on a logarithmic scale, as rises go from some percent to thousands. `None` without rows or functions.
pub fn pruning_heat_map(title: &str, table: &PruningTable) -> Option<String> {
    if table.rows.is_empty() || table.functions.is_empty() {
        return None;
    }
    // Both cells and names are counted from below.
    let rows = || table.rows.iter().rev();
    let shades: Vec<Vec<f64>> = rows()
        .map(|row| row.percent_increase.iter().map(|&percent| shade(percent)).collect())
        .collect();
    let mut figures = Vec::new();
    for (row, pruned) in (1..).zip(rows()) {
        for (column, percent) in (1..).zip(&pruned.percent_increase) {
            let (x, y) = (f64::from(column), f64::from(row) - 0.1);
            figures.push(TextAnnotation::new(format!("{percent:.0}"), x, y));
        }
    }
    // A map from white on: figures in black must be readable.
    let heatmap = Heatmap::new().with_data(shades).with_color_map(ColorMap::Oranges);
    let plots = vec![Plot::Heatmap(heatmap)];
    let layout = Layout::auto_from_plots(&plots)
        .with_title(plain(title))
        .with_subtitle("% rise of perplexity; colour: log10(1 + %)")
        .with_x_label("function measured")
        .with_y_label("units removed")
        .with_x_categories(table.functions.iter().map(|name| plain(name)).collect())
        .with_y_categories(rows().map(|row| plain(&row.name)).collect())
        .with_width(300.0 + 90.0 * table.functions.len() as f64)
        .with_height(180.0 + 42.0 * table.rows.len() as f64);
    Some(render_to_svg(
        plots,
        figures.into_iter().fold(layout, Layout::with_annotation),
    ))
}

/// Falls of perplexity (a few percent) and what is infinite have no place on a logarithmic scale.
fn shade(percent: f64) -> f64 {
    percent.clamp(0.0, 1e9).ln_1p() / std::f64::consts::LN_10
}

/// A `$` would begin a formula.
fn plain(text: &str) -> String {
    text.replace('$', "\\$")
}
