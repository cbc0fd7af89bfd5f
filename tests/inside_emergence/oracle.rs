//! Reading the oracle files, and comparing a spectrum with what they expect within their own tolerances.

use serde_json::Value;
use widedeep::inside::emergence::{Analysis, Sample, SampledMatrix, ScalingRule, Spectrum};

/// The oracle file whose name starts with this number.
pub fn file(number: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/emergence");
    let listed = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("oracles are read from `{folder}`: {error}"));
    let path = listed
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with(number))
        .unwrap_or_else(|| panic!("no oracle {number} in `{folder}`"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("`{value}` is no number"))
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("`{value}` is no list"))
        .iter()
        .map(number)
        .collect()
}

pub fn indices(value: &Value) -> Vec<usize> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|index| usize::try_from(index.as_u64().unwrap()).unwrap())
        .collect()
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("`{value}` is no list"))
}

/// Weights in millionths, source by source.
pub fn micro(value: &Value) -> Vec<Vec<f64>> {
    list(value)
        .iter()
        .map(|row| numbers(row).iter().map(|w| w * 1e-6).collect())
        .collect()
}

/// Oracles are numbers, whatever the quality of their fit.
pub fn analysis() -> Analysis {
    Analysis {
        scaling: ScalingRule::ReportAnyway,
        ..Analysis::default()
    }
}

pub fn matrix(block: usize, group: widedeep::inside::emergence::Group, weights: &Value) -> SampledMatrix {
    let weights = micro(weights);
    SampledMatrix::new(block, group, vec![weights[0].len()], weights.concat()).unwrap()
}

/// The sampled networks of one block each, or of several: matrices in the order X, O, M, F.
pub fn network(matrices: &[&Value]) -> Sample {
    use widedeep::inside::emergence::Group;
    let matrices = matrices
        .iter()
        .enumerate()
        .map(|(nth, weights)| matrix(nth / 4, Group::ALL[nth % 4], weights));
    Sample {
        matrices: matrices.collect(),
    }
}

#[track_caller]
pub fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: {found} against {expected}, further apart than {tolerance}"
    );
}

#[track_caller]
pub fn all_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what} has another length");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        close(*found, *expected, tolerance, &format!("{what}[{place}]"));
    }
}

/// Everything that `expected` says of a spectrum.
#[track_caller]
pub fn matches(spectrum: &Spectrum, expected: &Value, tolerance: &Value) {
    let within = |key: &str| number(&tolerance[key]);
    for (key, found, name) in [
        ("tau", &spectrum.tau, "tau_abs"),
        ("alpha", &spectrum.curve.alpha, "alpha_abs"),
        ("f", &spectrum.curve.f, "f_abs"),
    ] {
        if !expected[key].is_null() {
            all_close(found, &numbers(&expected[key]), within(name), key);
        }
    }
    for (key, found, name) in [
        ("alpha0", spectrum.alpha0, "alpha0_abs"),
        ("alpha0_minus", spectrum.alpha0_minus, "alpha0_abs"),
        ("alpha0_plus", spectrum.alpha0_plus, "alpha0_abs"),
        ("alpha_min", spectrum.alpha_min, "alpha_abs"),
        ("alpha_max", spectrum.alpha_max, "alpha_abs"),
        ("width", spectrum.width, "width_abs"),
    ] {
        close(found, number(&expected[key]), within(name), key);
    }
    if let Some(exact) = expected["alpha0_exact"].as_f64() {
        close(
            spectrum.alpha0_exact.unwrap(),
            exact,
            within("alpha0_abs"),
            "alpha0_exact",
        );
    }
    if let Some(asymmetry) = expected.get("asymmetry") {
        match asymmetry.as_f64() {
            Some(value) => close(spectrum.asymmetry.unwrap(), value, 1e-6, "asymmetry"),
            None => assert_eq!(spectrum.asymmetry, None, "a one-point spectrum has no asymmetry"),
        }
    }
    for (key, found) in [
        ("n_nodes_used", spectrum.scaling.nodes),
        ("n_radii", spectrum.scaling.radii),
    ] {
        if let Some(expected) = expected[key].as_u64() {
            assert_eq!(found as u64, expected, "{key}");
        }
    }
    for (key, found) in [("r_min", spectrum.scaling.r_min), ("r_max", spectrum.scaling.r_max)] {
        if let Some(expected) = expected[key].as_f64() {
            close(found, expected, 1e-9, key);
        }
    }
    if let Some(r2) = expected["r2_at_q"].as_object() {
        for (q, expected) in r2 {
            let place = at(spectrum, q);
            // A line through points without any spread has none to explain.
            let found = spectrum.r2[place].unwrap_or(1.0);
            close(found, number(expected), 1e-8, &format!("R² at {q}"));
        }
    }
}

/// The place of a q that is written out.
pub fn at(spectrum: &Spectrum, q: &str) -> usize {
    let q: f64 = q.parse().unwrap();
    spectrum.q.iter().position(|value| (value - q).abs() < 1e-9).unwrap()
}
