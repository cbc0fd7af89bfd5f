//! E and series of checkpoints: the oracles that hold weights or numbers (14, 15, 16, 18 to 22).

use serde_json::Value;

use widedeep::inside::emergence::{
    Config, Curve, Degree, DegreeError, Derivative, Estimate, Metrics, Place, Sample, SplitMix64, degree, dissect,
};

use super::oracle::{self, all_close, analysis, close, indices, list, matches, number, numbers};

fn modes() -> [(&'static str, Config); 4] {
    let modes = [
        ("compat", Config::compat()),
        ("compat_rms", Config::compat().with_rms()),
        ("fixed_grid", Config::fixed_grid()),
        ("fixed_grid_rms", Config::fixed_grid().with_rms()),
    ];
    modes.map(|(name, config)| {
        (
            name,
            Config {
                analysis: analysis(),
                ..config
            },
        )
    })
}

fn e_of(metrics: &[Metrics]) -> Vec<f64> {
    metrics.iter().map(|at| degree(metrics[0], *at).unwrap().e).collect()
}

#[test]
fn e_follows_the_formula_of_the_oracle() {
    let oracle = oracle::file("14");
    let metrics = |case: &Value| -> Vec<Metrics> {
        let pairs = numbers(&case["alpha0"]).into_iter().zip(numbers(&case["width"]));
        pairs.map(|(alpha0, width)| Metrics { alpha0, width }).collect()
    };
    let given = metrics(&oracle["input"]);
    let found: Vec<Degree> = given.iter().map(|at| degree(given[0], *at).unwrap()).collect();
    let tolerance = number(&oracle["tolerance"]["abs"]);
    let of = |value: fn(&Degree) -> f64| found.iter().map(value).collect::<Vec<f64>>();
    for (key, found) in [
        ("E", of(|d| d.e)),
        ("heterogeneity_ratio", of(|d| d.heterogeneity_ratio)),
        ("regularity_log", of(|d| d.regularity_log)),
    ] {
        for (found, expected) in found.iter().zip(numbers(&oracle["expected"][key])) {
            // The file's numbers are rounded to 12 digits, which is more than the tolerance for those above 1.
            close(*found, expected, tolerance + 5e-12 * expected.abs(), key);
        }
    }
    let cases = list(&oracle["error_cases"]);
    let [zero, flat, risen] = [&cases[0], &cases[1], &cases[2]].map(metrics);
    let error = degree(zero[0], zero[1]).unwrap_err();
    assert!(matches!(
        error,
        DegreeError::NonPositiveAlpha0 {
            place: Place::Checkpoint,
            ..
        }
    ));
    let error = degree(zero[1], zero[0]).unwrap_err();
    assert!(matches!(
        error,
        DegreeError::NonPositiveAlpha0 {
            place: Place::Baseline,
            ..
        }
    ));
    assert!(matches!(
        degree(flat[0], flat[1]).unwrap_err(),
        DegreeError::ZeroBaselineWidth { .. }
    ));
    all_close(&e_of(&risen), &numbers(&cases[2]["expect_E"]), tolerance, "negative E");
}

#[test]
fn synthetic_checkpoints_have_the_spectra_and_the_e_of_the_oracle_in_every_mode() {
    let oracle = oracle::file("15");
    let groups = ["X", "O", "M", "F"];
    let samples: Vec<Sample> = list(&oracle["input"]["checkpoints"])
        .iter()
        .map(|checkpoint| oracle::network(&groups.map(|group| &checkpoint[group])))
        .collect();
    let expected = &oracle["expected"];
    let rms: Vec<f64> = samples.iter().map(Sample::rms).collect();
    all_close(&rms, &numbers(&expected["rms"]), 1e-12, "rms");
    let keys = [
        ("absolute", "E_absolute"),
        ("rms_normalised_to_0_02", "E_rms_normalised"),
        ("fixed_grid_absolute", "E_fixed_grid_absolute"),
        ("fixed_grid_rms", "E_fixed_grid_rms"),
    ];
    for ((_, config), (spectra, e)) in modes().iter().zip(keys) {
        let mut metrics = Vec::new();
        for (sample, expected) in samples.iter().zip(list(&expected[spectra])) {
            let found = dissect(sample, config).unwrap().whole;
            matches(&found, expected, &oracle["tolerance"]);
            metrics.push(Metrics {
                alpha0: found.alpha0,
                width: found.width,
            });
        }
        all_close(&e_of(&metrics), &numbers(&expected[e]), 1e-7, e);
    }
}

#[test]
fn a_self_trained_series_has_the_spectra_and_the_e_of_the_oracle_in_every_mode() {
    let oracle = oracle::file("22");
    let samples: Vec<Sample> = list(&oracle["input"]["checkpoints"])
        .iter()
        .map(|checkpoint| oracle::network(&list(&checkpoint["matrices"]).iter().collect::<Vec<_>>()))
        .collect();
    for (name, config) in modes() {
        let mut metrics = Vec::new();
        for (sample, expected) in samples.iter().zip(list(&oracle["expected"])) {
            assert_eq!(sample.matrices.len(), 12);
            close(sample.rms(), number(&expected["rms"]), 1e-12, "rms");
            let found = dissect(sample, &config).unwrap().whole;
            matches(&found, &expected[name], &oracle["tolerance"]);
            metrics.push(Metrics {
                alpha0: found.alpha0,
                width: found.width,
            });
        }
        all_close(&e_of(&metrics), &numbers(&oracle["expected_E"][name]), 1e-7, name);
    }
}

#[test]
fn the_sampler_draws_what_the_oracle_lists() {
    let oracle = oracle::file("16");
    for (seed, key) in [(0, "seed_0"), (1, "seed_1")] {
        let mut sampler = SplitMix64::new(seed);
        for expected in list(&oracle["raw_u64"][key]) {
            assert_eq!(sampler.next_u64().to_string(), expected.as_str().unwrap());
        }
    }
    for (seed, key) in [(0, "seed_0"), (3, "seed_3")] {
        let mut sampler = SplitMix64::new(seed);
        for draw in list(&oracle["draws"][key]) {
            let count = |key: &str| usize::try_from(draw[key].as_u64().unwrap()).unwrap();
            assert_eq!(sampler.draw(count("population"), count("k")), indices(&draw["indices"]));
        }
    }
}

/// What file 18 says without the model's weights: means and deviations over repetitions, and the Legendre step.
#[test]
fn the_reference_model_s_repetitions_join_to_its_means_and_its_exponents_to_its_spectrum() {
    let oracle = oracle::file("18");
    let expected = &oracle["expected"];
    for mode in [
        "absolute",
        "rms_normalised_0_02",
        "fixed_grid_absolute",
        "fixed_grid_rms_0_02",
    ] {
        let of = |key: &str| -> Estimate {
            let each = list(&expected[mode]["per_repetition"])
                .iter()
                .map(|one| number(&one[key]));
            Estimate::of(&each.collect::<Vec<f64>>())
        };
        for (key, found) in [("alpha0", of("alpha0")), ("width", of("width"))] {
            close(found.mean, number(&expected[mode][format!("{key}_mean")]), 1e-10, key);
            close(found.sd, number(&expected[mode][format!("{key}_sd")]), 1e-9, key);
            close(found.se, found.sd / 10.0_f64.sqrt(), 1e-15, key);
        }
    }
    let q: Vec<f64> = (-30..=30).map(|k| f64::from(k) / 10.0).collect();
    let curve = Curve::of(&q, &numbers(&expected["rep0_full_tau"]), Derivative::Forward);
    all_close(&curve.alpha, &numbers(&expected["rep0_full_alpha"]), 1e-9, "α");
    all_close(&curve.f, &numbers(&expected["rep0_full_f"]), 1e-9, "f");
    let (least, most) = curve.range();
    let first = &expected["absolute"]["per_repetition"][0];
    close(most - least, number(&first["width"]), 1e-9, "width");
}

/// Files 19 to 21 are information; what can be recomputed from the numbers in them must come out the same.
#[test]
fn e_of_the_published_and_measured_numbers_comes_out_as_written() {
    let metrics = |of: &Value| Metrics {
        alpha0: number(&of["alpha0"]),
        width: number(&of["width"]),
    };
    let quantised = oracle::file("19");
    for model in quantised["results"].as_object().unwrap().values() {
        for kind in model.as_object().unwrap().values() {
            let found = degree(metrics(&model["F32"]), metrics(kind)).unwrap().e;
            close(found, number(&kind["E_vs_F32"]), 1e-9, "E against F32");
            assert!(found.abs() <= 0.005, "quantisation moves E by no more than 0.005");
        }
    }
    let published = oracle::file("20");
    let range = |key: &str| {
        let of = &published[key];
        Metrics {
            alpha0: number(&of["alpha0"]),
            width: number(&of["alpha_max"]) - number(&of["alpha_min"]),
        }
    };
    for (model, expected) in [("6_9b", 0.32), ("12b", 0.27)] {
        let first = range(&format!("earliest_spectrum_pythia_{model}"));
        let last = range(&format!("final_spectrum_pythia_{model}"));
        close(degree(first, last).unwrap().e, expected, 0.01, model);
    }
    let runs = oracle::file("21")["self_trained_series"]["runs"].clone();
    for run in runs.as_object().unwrap().values() {
        let own = |row: &Value| metrics(row);
        let shuffled = |row: &Value| Metrics {
            alpha0: number(&row["alpha0_shuffled"]),
            width: number(&row["width_shuffled"]),
        };
        let rows = list(run);
        for row in rows {
            let e = degree(own(&rows[0]), own(row)).unwrap().e;
            let e_shuffled = degree(shuffled(&rows[0]), shuffled(row)).unwrap().e;
            close(e, number(&row["E_compat"]), 1e-8, "E");
            close(e_shuffled, number(&row["E_shuffle"]), 2e-3, "E of the shuffle");
            close(e - e_shuffled, number(&row["E_excess"]), 2e-3, "excess");
        }
    }
}
