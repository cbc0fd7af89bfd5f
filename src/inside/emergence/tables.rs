//! Results as CSV and JSON. Cells without a value are empty; in JSON they are null.

use std::io::{self, Write};

use serde::Serialize;

use super::{
    beside::{Beside, Relation},
    companion::Companion,
    dimension::{Convention, generalised_dimensions, specific_heat},
    measurement::Measurement,
    origin::Origin,
    relate::Saturation,
    report::Report,
    trace::Trace,
};

/// One checkpoint per row: α0, width, E and everything that stands beside it, then the measures given.
pub fn trace_csv(trace: &Trace, measures: &[Beside], to: impl Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    let mut header: Vec<&str> = TRACE.to_vec();
    header.extend(measures.iter().map(|measure| measure.name.as_str()));
    csv.write_record(&header)?;
    for row in &trace.rows {
        let measurement = row.measurement.as_ref();
        let of = |value: fn(&Measurement) -> f64| measurement.map(value);
        let e = row.emergence;
        let cells = [
            Some(row.step),
            of(|m| m.alpha0.mean),
            of(|m| m.alpha0.se),
            of(|m| m.width.mean),
            of(|m| m.width.se),
            measurement.and_then(|m| m.asymmetry),
            e.map(|e| e.degree.e),
            e.map(|e| e.by_repetition.sd),
            e.map(|e| e.by_repetition.se),
            e.map(|e| e.interval.0),
            e.map(|e| e.interval.1),
            e.map(|e| e.degree.heterogeneity_ratio),
            e.map(|e| e.degree.regularity_log),
            row.controls.shuffled,
            row.controls.excess,
            row.controls.growth,
            row.controls.one_scale,
            row.controls.grid,
            row.controls.grid_one_scale,
            row.controls.against_gaussian,
            Some(row.rms.mean),
            of(|m| m.scaling.worst_r2),
            of(|m| m.scaling.radii as f64),
            of(|m| m.scaling.r_min),
            of(|m| m.scaling.r_max),
            of(|m| m.scaling.nodes as f64),
            of(|m| m.fate.kept_fraction()),
            of(|m| m.fate.zero_fraction()),
            of(|m| m.repetitions.len() as f64),
            of(|m| m.rejected as f64),
        ];
        let mut record = vec![row.label.clone()];
        record.extend(cells.map(cell));
        record.push(row.refused.clone().unwrap_or_default());
        record.extend(measures.iter().map(|measure| cell(measure.at(row.step))));
        csv.write_record(&record)?;
    }
    csv.flush()
}

const TRACE: [&str; 32] = [
    "label",
    "step",
    "alpha0",
    "alpha0_se",
    "width",
    "width_se",
    "asymmetry",
    "e",
    "e_sd",
    "e_se",
    "e_low",
    "e_high",
    "heterogeneity_ratio",
    "regularity_log",
    "e_shuffled",
    "e_excess",
    "e_growth",
    "e_one_scale",
    "e_grid",
    "e_grid_one_scale",
    "e_against_gaussian",
    "rms",
    "r2",
    "radii",
    "r_min",
    "r_max",
    "nodes",
    "kept_fraction",
    "zero_fraction",
    "repetitions",
    "rejected",
    "refused",
];

fn cell(value: Option<f64>) -> String {
    value
        .filter(|value| value.is_finite())
        .map_or_else(String::new, |value| value.to_string())
}

/// One q per row and spectrum: the mean α and f with their deviations, the mean τ and R², and what follows from the mean τ, the generalised dimension
/// D(q) = τ(q) / q and the specific heat C(q) = −τ″(q).
pub fn spectra_csv<'a>(
    spectra: impl IntoIterator<Item = (&'a str, &'a Measurement)>,
    to: impl Write,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(SPECTRA)?;
    for (label, measurement) in spectra {
        let Some(first) = measurement.repetitions.first() else {
            continue;
        };
        let spectra = || measurement.repetitions.iter().map(|one| &one.spectrum);
        let mean = |values: Vec<f64>| (!values.is_empty()).then(|| super::moments::mean(&values));
        let grid = &first.spectrum.q;
        let tau_at = |place: usize| super::moments::mean(&spectra().map(|one| one.tau[place]).collect::<Vec<_>>());
        let tau: Vec<f64> = (0..grid.len()).map(tau_at).collect();
        let dimensions = generalised_dimensions(grid, &tau, Convention::Nodes, measurement.alpha0.mean);
        let heat = specific_heat(grid, &tau);
        for (place, q) in grid.iter().enumerate() {
            let curve = &measurement.curve;
            // Differences have no α at an end of the grid.
            #[expect(clippy::float_cmp, reason = "both are the same grid's values")]
            let at = curve.mean.q.iter().position(|one| one == q);
            let of = |values: &[f64]| at.map(|at| values[at]);
            let mut record = vec![label.to_owned()];
            record.extend(
                [
                    Some(*q),
                    Some(tau[place]),
                    mean(spectra().filter_map(|one| one.r2[place]).collect()),
                    of(&curve.mean.alpha),
                    of(&curve.alpha_sd),
                    of(&curve.mean.f),
                    of(&curve.f_sd),
                    Some(dimensions[place]),
                    // The second difference is of the q in its middle.
                    place.checked_sub(1).and_then(|place| heat.get(place).copied()),
                ]
                .map(cell),
            );
            csv.write_record(&record)?;
        }
    }
    csv.flush()
}

const SPECTRA: [&str; 10] = [
    "label",
    "q",
    "tau",
    "r2",
    "alpha",
    "alpha_sd",
    "f",
    "f_sd",
    "dimension",
    "specific_heat",
];

/// One group or block per row.
pub fn parts_csv(report: &Report, to: impl Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(["block", "group", "alpha0", "alpha0_se", "width", "width_se", "r2"])?;
    for part in &report.parts {
        let mut record = vec![
            part.block.map_or_else(String::new, |block| block.to_string()),
            part.group.map_or_else(String::new, |group| group.name().to_owned()),
        ];
        let (alpha0, width) = (part.alpha0, part.width);
        let cells = [
            alpha0.map(|e| e.mean),
            alpha0.map(|e| e.se),
            width.map(|e| e.mean),
            width.map(|e| e.se),
        ];
        record.extend(cells.map(cell));
        record.push(cell(part.worst_r2.map(|e| e.mean)));
        csv.write_record(&record)?;
    }
    csv.flush()
}

/// The controls of a single model, one per row.
pub fn surrogates_csv(report: &Report, to: impl Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(["control", "alpha0", "alpha0_se", "width", "width_se", "e_surrogate"])?;
    for one in &report.surrogates {
        let (alpha0, width) = (one.alpha0, one.width);
        let cells = [alpha0.mean, alpha0.se, width.mean, width.se].map(Some);
        let mut record = vec![one.name.to_owned()];
        record.extend(cells.map(cell));
        record.push(cell(one.e_surrogate));
        csv.write_record(&record)?;
    }
    csv.flush()
}

/// One sampled matrix per row and label: plain statistics and the nodes' own dimensions.
pub fn companions_csv<'a>(
    companions: impl IntoIterator<Item = (&'a str, &'a [Companion])>,
    to: impl Write,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record([
        "label",
        "block",
        "group",
        "rms",
        "kurtosis",
        "strength_gini",
        "log_strength_variance",
        "stable_rank",
        "dimension_mean",
        "dimension_median",
        "dimension_sd",
        "dimension_min",
        "dimension_max",
    ])?;
    for (label, companions) in companions {
        for one in companions {
            let mut record = vec![label.to_owned(), one.block.to_string(), one.group.name().to_owned()];
            let of = one.dimension;
            let cells = [
                one.rms,
                one.kurtosis,
                one.strength_gini,
                one.log_strength_variance,
                one.stable_rank,
                of.mean,
                of.median,
                of.sd,
                of.min,
                of.max,
            ];
            record.extend(cells.map(|value| cell(Some(value))));
            csv.write_record(&record)?;
        }
    }
    csv.flush()
}

/// A series with everything that belongs to it.
#[derive(Serialize)]
struct TraceDocument<'a> {
    format: u32,
    #[serde(flatten)]
    trace: &'a Trace,
    noise_floor: Option<f64>,
    saturation: Option<Saturation>,
    relations: Vec<Relation>,
    beside: &'a [Beside],
    origins: &'a [Origin],
}

#[derive(Serialize)]
struct ReportDocument<'a> {
    format: u32,
    #[serde(flatten)]
    report: &'a Report,
    origin: &'a Origin,
}

/// The version of the documents; readers refuse a newer one.
pub const FORMAT: u32 = 1;

/// A series as one JSON document.
pub fn trace_json(trace: &Trace, beside: &[Beside], origins: &[Origin], to: impl Write) -> io::Result<()> {
    let document = TraceDocument {
        format: FORMAT,
        trace,
        noise_floor: trace.noise_floor(),
        saturation: trace.saturation(),
        relations: trace.relations(beside),
        beside,
        origins,
    };
    Ok(serde_json::to_writer_pretty(to, &document)?)
}

/// A single model as one JSON document.
pub fn report_json(report: &Report, origin: &Origin, to: impl Write) -> io::Result<()> {
    let document = ReportDocument {
        format: FORMAT,
        report,
        origin,
    };
    Ok(serde_json::to_writer_pretty(to, &document)?)
}
