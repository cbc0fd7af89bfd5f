//! Figures as SVG: spectra over time, α0 and width against steps, E beside its controls and beside a measure.

use kuva::backend::svg::SvgBackend;
use kuva::prelude::{Layout, LegendPosition, LinePlot, Plot, ReferenceLine, render_to_svg};
use kuva::render::render::render_twin_y;

use super::{
    beside::Beside,
    measurement::{Estimate, Measurement},
    report::Report,
    trace::{Row, Trace},
};

/// Above this ratio of steps, the axis is logarithmic.
const WIDE: f64 = 20.0;

const MAIN: &str = "#1b6ca8";
const SECOND: &str = "#c2571a";

/// How steps become places on an axis. A logarithmic axis has no place for step 0, so it shows log10(1 + step).
#[derive(Clone, Copy)]
enum Axis {
    Linear,
    Logarithmic,
}

impl Axis {
    fn of(trace: &Trace) -> Self {
        let steps = || trace.rows.iter().map(|row| row.step).filter(|step| *step > 0.0);
        let (least, most) = (steps().min_by(f64::total_cmp), steps().max_by(f64::total_cmp));
        let positive = trace.rows.iter().all(|row| row.step >= 0.0);
        match least.zip(most) {
            Some((least, most)) if positive && most > WIDE * least => Self::Logarithmic,
            _ => Self::Linear,
        }
    }

    fn place(self, step: f64) -> f64 {
        match self {
            Self::Linear => step,
            Self::Logarithmic => step.ln_1p() / std::f64::consts::LN_10,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Linear => "step",
            Self::Logarithmic => "log10(1 + step)",
        }
    }
}

/// f over α, one curve per spectrum, from blue (first) to red (last). `None` without spectra.
pub fn spectra_figure<'a>(spectra: impl IntoIterator<Item = (String, &'a Measurement)>) -> Option<String> {
    let spectra: Vec<(String, &Measurement)> = spectra.into_iter().collect();
    let last = spectra.len().saturating_sub(1);
    let curve = |(nth, (label, measurement)): (usize, &(String, &Measurement))| -> Plot {
        let mean = &measurement.curve.mean;
        let points = mean.alpha.iter().copied().zip(mean.f.iter().copied());
        let line = LinePlot::new()
            .with_data(points.collect::<Vec<(f64, f64)>>())
            .with_color(shade(nth, last));
        line.with_stroke_width(2.0).with_legend(plain(label)).into()
    };
    let plots: Vec<Plot> = spectra.iter().enumerate().map(curve).collect();
    (!plots.is_empty()).then(|| {
        let layout = layout(&plots, "Multifractal spectra of the weights", "α", "f(α)");
        render_to_svg(plots, layout)
    })
}

/// The spectra of a series that were not refused.
pub fn trace_spectra_figure(trace: &Trace) -> Option<String> {
    spectra_figure(
        trace
            .rows
            .iter()
            .filter_map(|row| Some((row.label.clone(), row.measurement.as_ref()?))),
    )
}

/// α0 (left axis) and width (right axis) against steps, each with its standard error. `None` without spectra.
pub fn metrics_figure(trace: &Trace) -> Option<String> {
    let axis = Axis::of(trace);
    let line = |of: fn(&Measurement) -> Estimate, name: &str, color: &str| {
        let points = trace.rows.iter().filter_map(|row| {
            let estimate = of(row.measurement.as_ref()?);
            Some((
                axis.place(row.step),
                estimate.mean,
                estimate.mean - estimate.se,
                estimate.mean + estimate.se,
            ))
        });
        banded(&points.collect::<Vec<_>>(), name, color)
    };
    let alpha0 = line(|m| m.alpha0, "α0 (irregularity, left)", MAIN)?;
    let width = line(|m| m.width, "width (heterogeneity, right)", SECOND)?;
    Some(twin(
        axis.name(),
        "Irregularity and heterogeneity",
        vec![alpha0],
        "α0",
        width,
        "width",
    ))
}

/// α0 (left axis) and width (right axis) of every block of one model, each with its standard error. `None` for a single block.
pub fn blocks_figure(report: &Report) -> Option<String> {
    let line = |of: fn(&super::Part) -> Option<Estimate>, name: &str, color: &str| {
        let points = report.parts.iter().filter_map(|part| {
            let Estimate { mean, se, .. } = of(part)?;
            Some((part.block? as f64, mean, mean - se, mean + se))
        });
        let points: Vec<_> = points.collect();
        (points.len() > 1).then(|| banded(&points, name, color)).flatten()
    };
    let alpha0 = line(|part| part.alpha0, "α0 (irregularity, left)", MAIN)?;
    let width = line(|part| part.width, "width (heterogeneity, right)", SECOND)?;
    let title = "Irregularity and heterogeneity by block";
    Some(twin("block", title, vec![alpha0], "α0", width, "width"))
}

/// A control's name, its colour, and its value in a row.
type Control = (&'static str, &'static str, fn(&Row) -> Option<f64>);

/// The controls, the two that matter most first.
const CONTROLS: [Control; 6] = [
    ("E, weights shuffled in each matrix", "#7a7a7a", |row| {
        row.controls.shuffled
    }),
    ("E of growth alone", "#d98b2b", |row| row.controls.growth),
    ("E beyond the shuffle", "#2f8f4e", |row| row.controls.excess),
    ("E at one root mean square", "#8a4fb0", |row| row.controls.one_scale),
    ("E, fixed grid", "#5aa9d6", |row| row.controls.grid),
    ("E, fixed grid at one root mean square", "#c79bd8", |row| {
        row.controls.grid_one_scale
    }),
];

/// E with its 95 % interval, its controls, and the floor below which it is noise. `None` without E.
pub fn emergence_figure(trace: &Trace) -> Option<String> {
    let axis = Axis::of(trace);
    let mut plots: Vec<Plot> = vec![e_line(trace, axis, "E")?];
    plots.extend(CONTROLS.iter().filter_map(|control| dashed(trace, axis, control)));
    let mut layout = layout(
        &plots,
        "Structural self-organisation E and its controls",
        axis.name(),
        "E",
    );
    if let Some(floor) = trace.noise_floor() {
        let line = ReferenceLine::horizontal(floor).with_color("#b0b0b0");
        layout = layout.with_reference_line(line.with_label("3 sd between repetitions"));
    }
    Some(render_to_svg(plots, layout))
}

/// E with its shuffled and growth controls (left axis) beside a measure (right axis). `None` where the two have no step in common.
pub fn beside_figure(trace: &Trace, measure: &Beside) -> Option<String> {
    let axis = Axis::of(trace);
    let mut own = vec![e_line(trace, axis, "E (left)")?];
    own.extend(CONTROLS[..2].iter().filter_map(|control| dashed(trace, axis, control)));
    let points = trace.rows.iter().filter_map(|row| {
        let value = measure.at(row.step)?;
        Some((axis.place(row.step), value, value, value))
    });
    let name = plain(&measure.name);
    let other = banded(&points.collect::<Vec<_>>(), &format!("{name} (right)"), SECOND)?;
    Some(twin(axis.name(), &format!("E beside {name}"), own, "E", other, &name))
}

/// The root mean square of the sampled weights against steps: what mere growth looks like.
pub fn rms_figure(trace: &Trace) -> Option<String> {
    let axis = Axis::of(trace);
    let points = trace.rows.iter().map(|row| {
        let Estimate { mean, se, .. } = row.rms;
        (axis.place(row.step), mean, mean - se, mean + se)
    });
    let plots = vec![banded(&points.collect::<Vec<_>>(), "root mean square", MAIN)?];
    let layout = layout(&plots, "Scale of the sampled weights", axis.name(), "root mean square");
    Some(render_to_svg(plots, layout))
}

/// A control's line; `None` where no row has it.
fn dashed(trace: &Trace, axis: Axis, (name, color, of): &Control) -> Option<Plot> {
    let points = trace
        .rows
        .iter()
        .filter_map(|row| Some((axis.place(row.step), of(row)?)));
    let points: Vec<(f64, f64)> = points.collect();
    let line = || {
        LinePlot::new()
            .with_data(points.clone())
            .with_color(*color)
            .with_dashed()
            .with_legend(*name)
            .into()
    };
    (!points.is_empty()).then(line)
}

fn e_line(trace: &Trace, axis: Axis, name: &str) -> Option<Plot> {
    let points = trace.rows.iter().filter_map(|row| {
        let e = row.emergence?;
        Some((axis.place(row.step), e.degree.e, e.interval.0, e.interval.1))
    });
    banded(&points.collect::<Vec<_>>(), name, MAIN)
}

/// A line through (x, y) with a band from low to high; `None` without points.
fn banded(points: &[(f64, f64, f64, f64)], name: &str, color: &str) -> Option<Plot> {
    if points.is_empty() {
        return None;
    }
    let line = LinePlot::new()
        .with_data(points.iter().map(|(x, y, ..)| (*x, *y)).collect::<Vec<(f64, f64)>>())
        .with_band(
            points.iter().map(|point| point.2).collect::<Vec<f64>>(),
            points.iter().map(|point| point.3).collect::<Vec<f64>>(),
        );
    Some(line.with_color(color).with_stroke_width(2.0).with_legend(name).into())
}

fn layout(plots: &[Plot], title: &str, x: &str, y: &str) -> Layout {
    Layout::auto_from_plots(plots)
        .with_title(title)
        .with_x_label(x)
        .with_y_label(y)
        .with_width(960.0)
        .with_height(560.0)
}

fn twin(x_name: &str, title: &str, left: Vec<Plot>, left_name: &str, right: Plot, right_name: &str) -> String {
    let right = vec![right];
    let layout = Layout::auto_from_twin_y_plots(&left, &right)
        .with_title(title)
        .with_x_label(x_name)
        .with_y_label(left_name)
        .with_y2_label(right_name)
        .with_legend_position(LegendPosition::OutsideBottomCenter)
        .with_width(960.0)
        .with_height(560.0);
    SvgBackend.render_scene(&render_twin_y(left, right, layout))
}

/// A `$` would begin a formula.
fn plain(name: &str) -> String {
    name.replace('$', "\\$")
}

/// From blue through grey to red.
fn shade(nth: usize, last: usize) -> String {
    let share = if last == 0 { 0.0 } else { nth as f64 / last as f64 };
    let (low, middle, high) = ([31.0, 78.0, 161.0], [150.0, 140.0, 150.0], [190.0, 40.0, 40.0]);
    let (from, to, within) = if share < 0.5 {
        (low, middle, 2.0 * share)
    } else {
        (middle, high, 2.0 * share - 1.0)
    };
    let part = |k: usize| {
        let value: f64 = from[k] + (to[k] - from[k]) * within;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 255"
        )]
        let byte = value as u8;
        byte
    };
    format!("#{:02x}{:02x}{:02x}", part(0), part(1), part(2))
}
