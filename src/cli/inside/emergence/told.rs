//! Results as text.

use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};
use widedeep::inside::emergence::{Beside, Estimate, Group, Measurement, Report, Row, Scaling, Shape, Trace};

pub(super) fn reading(shape: &Shape) -> String {
    format!("reading {} blocks of `{}`", shape.blocks().len(), shape.architecture())
}

pub(super) fn written(files: &[PathBuf]) -> String {
    let files: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    format!("wrote {}", files.join(", "))
}

pub(super) fn row_done(row: &Row, done: usize, total: usize) -> String {
    let what = match (&row.emergence, &row.refused) {
        (Some(e), _) => format!("E {:.3}", e.degree.e),
        (None, Some(reason)) => format!("no E: {reason}"),
        (None, None) => "no E".to_owned(),
    };
    format!("{done}/{total} step {}: {what}", row.label)
}

/// One model.
pub(super) fn report(name: &str, report: &Report) -> String {
    let measurement = &report.measurement;
    let sample = match report.size {
        Some(size) => format!("{size} nodes per group, {} repetitions", measurement.repetitions.len()),
        None => "the full network".to_owned(),
    };
    let (architecture, blocks) = (&report.architecture, report.blocks);
    let mut paragraphs = vec![
        format!("{name}: {architecture} with {blocks} blocks; {sample}"),
        spectrum(measurement),
    ];
    if !report.surrogates.is_empty() {
        let mut table = table(["beside it", "α0", "width", "E_surrogate"]);
        for one in &report.surrogates {
            let e = number(one.e_surrogate);
            table.add_row([one.name.to_owned(), estimate(one.alpha0), estimate(one.width), e]);
        }
        paragraphs.push(format!(
            "{table}\n(E_surrogate is the model against its control; a single model has no E)"
        ));
    }
    let mut parts = table(["part", "α0", "width", "R²"]);
    for part in report.parts.iter().filter(|part| part.block.is_none()) {
        let name = part.group.map_or("all", Group::name);
        let cells = [part.alpha0, part.width, part.worst_r2].map(|one| one.map_or_else(dash, estimate));
        parts.add_row(std::iter::once(name.to_owned()).chain(cells));
    }
    paragraphs.push(parts.to_string());
    paragraphs.join("\n\n")
}

fn spectrum(measurement: &Measurement) -> String {
    let (scaling, fate) = (measurement.scaling, measurement.fate);
    let asymmetry = number(measurement.asymmetry);
    let rejected = match measurement.rejected {
        0 => String::new(),
        count => format!("\nrejected         {count} repetitions"),
    };
    format!(
        "irregularity α0  {}\nheterogeneity w  {}\nasymmetry        {asymmetry}\nfit              R² {:.3} at its worst (q = {}), {} radii from {:.3} to {:.3}, {} nodes\nweights          root mean square {:.4}, {:.1} % kept, {:.1} % zero{rejected}",
        estimate(measurement.alpha0),
        estimate(measurement.width),
        scaling.worst_r2,
        scaling.worst_q,
        scaling.radii,
        scaling.r_min,
        scaling.r_max,
        scaling.nodes,
        measurement.rms.mean,
        100.0 * fate.kept_fraction(),
        100.0 * fate.zero_fraction(),
    )
}

/// A series.
pub(super) fn trace(trace: &Trace, measures: &[Beside]) -> String {
    let fixed = [
        "step",
        "α0",
        "width",
        "E",
        "95 %",
        "shuffled",
        "excess",
        "growth",
        "one scale",
        "rms",
        "R²",
        "radii",
    ];
    let header = fixed
        .into_iter()
        .chain(measures.iter().map(|measure| measure.name.as_str()));
    let mut series = table(header);
    for row in &trace.rows {
        let (measurement, e, beside) = (row.measurement.as_ref(), row.emergence, row.controls);
        let mut cells = vec![
            row.label.clone(),
            measurement.map_or_else(dash, |one| estimate(one.alpha0)),
            measurement.map_or_else(dash, |one| estimate(one.width)),
            number(e.map(|e| e.degree.e)),
            e.map_or_else(dash, |e| format!("{:.3} to {:.3}", e.interval.0, e.interval.1)),
            number(beside.shuffled),
            number(beside.excess),
            number(beside.growth),
            number(beside.one_scale),
            format!("{:.4}", row.rms.mean),
            number(measurement.map(|one| one.scaling.worst_r2)),
            measurement.map_or_else(dash, |one| {
                let Scaling { r_min, r_max, .. } = one.scaling;
                format!("{r_min:.0}–{r_max:.0}")
            }),
        ];
        cells.extend(measures.iter().map(|measure| number(measure.at(row.step))));
        series.add_row(cells);
    }
    let mut remarks: Vec<String> = Vec::new();
    if let Some(floor) = trace.noise_floor() {
        remarks.push(format!(
            "changes of E below {floor:.3} (3 sd between repetitions) are noise"
        ));
    }
    if let Some(curve) = trace.saturation() {
        remarks.push(format!(
            "a guide for the eye: E rises to {:.3} with a time of {:.0} steps (R² {:.3})",
            curve.limit, curve.time, curve.r2
        ));
    }
    let mut relations = table(["E beside", "Spearman's ρ", "n", "p"]);
    for relation in trace.relations(measures) {
        let found = relation.correlation;
        let count = found.map_or_else(dash, |one| one.n.to_string());
        let p = found.and_then(|one| one.p).map_or_else(dash, chance);
        relations.add_row([relation.name, number(found.map(|one| one.rho)), count, p]);
    }
    let (architecture, count, size) = (&trace.architecture, trace.rows.len(), trace.size);
    let mut paragraphs = vec![
        format!("{architecture}: {count} checkpoints; {size} nodes per group"),
        series.to_string(),
    ];
    if !remarks.is_empty() {
        paragraphs.push(remarks.join("\n"));
    }
    paragraphs.extend([relations.to_string(), MEANING.to_owned()]);
    paragraphs.join("\n\n")
}

const MEANING: &str = "E is an index of structure, no score of capability: it rises with the growth of weights and in models that learn nothing.
shuffled: E with weights permuted in each matrix; excess: E less that; growth: E of the baseline's weights grown to the same root mean square;
one scale: E with weights brought to one root mean square.";

fn table<T: Into<comfy_table::Cell>>(header: impl IntoIterator<Item = T>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A mean and its standard error.
fn estimate(of: Estimate) -> String {
    if of.n > 1 {
        format!("{:.3} ± {:.3}", of.mean, of.se)
    } else {
        format!("{:.3}", of.mean)
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(dash, |value| format!("{value:.3}"))
}

/// A p-value; that of ranks which agree entirely is below what a formula for many ranks can tell.
fn chance(p: f64) -> String {
    if p < 1e-9 {
        "< 1e-9".to_owned()
    } else {
        format!("{p:.1e}")
    }
}

fn dash() -> String {
    "–".to_owned()
}
