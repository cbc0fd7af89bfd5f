//! What must hold for any network.

use widedeep::inside::emergence::{
    Analysis, Config, Derivative, Group, Lengths, Line, Measure, Metrics, Normaliser, QGrid, Reject, Sample,
    SampledMatrix, ScalingRule, Spectrum, SpectrumError, SplitMix64, TARGET_RMS, Window, degree, dissect,
    network::spectrum, rescaled,
};

use super::oracle::{all_close, analysis, close};

fn gaussian(seed: u64, sources: usize, targets: usize, sigma: f64) -> Vec<Vec<f64>> {
    let mut sampler = SplitMix64::new(seed);
    (0..sources)
        .map(|_| (0..targets).map(|_| sigma * sampler.gaussian()).collect())
        .collect()
}

fn of(weights: &[Vec<f64>], measure: &Measure) -> Spectrum {
    let lengths = Lengths::of_weights(measure, 1.0, weights.iter().map(Vec::as_slice));
    spectrum(&lengths, measure, &analysis()).unwrap()
}

fn sample(weights: &[Vec<f64>]) -> Sample {
    let matrix = SampledMatrix::new(0, Group::BlockInput, vec![weights[0].len()], weights.concat()).unwrap();
    Sample { matrices: vec![matrix] }
}

#[test]
fn signs_and_the_order_of_targets_and_of_sources_do_not_matter() {
    let weights = gaussian(1, 50, 64, 0.03);
    let mut changed = weights.clone();
    let mut sampler = SplitMix64::new(2);
    sampler.shuffle(&mut changed);
    for row in &mut changed {
        sampler.shuffle(row);
        row.iter_mut().step_by(3).for_each(|weight| *weight = -*weight);
    }
    for measure in [Measure::default(), Measure::fixed_grid()] {
        all_close(&of(&weights, &measure).tau, &of(&changed, &measure).tau, 1e-12, "τ");
    }
}

#[test]
fn twice_the_same_nodes_have_the_same_exponents() {
    let weights = gaussian(3, 40, 64, 0.03);
    let twice = [weights.clone(), weights.clone()].concat();
    let measure = Measure::default();
    all_close(&of(&weights, &measure).tau, &of(&twice, &measure).tau, 1e-12, "τ");
}

#[test]
fn the_mass_exponent_of_zero_is_zero() {
    let found = of(&gaussian(4, 37, 64, 0.02), &Measure::default());
    assert!(found.tau[30].abs() < 1e-12 && found.q[30] == 0.0 && found.r2[30].is_none());
}

#[test]
fn scaled_weights_have_the_same_spectrum_at_one_root_mean_square() {
    let base = sample(&gaussian(5, 60, 96, 0.02));
    let grown = rescaled(&base, 3.7);
    close(grown.rms(), 3.7 * base.rms(), 1e-12, "rms");
    let with = |config: Config, sample: &Sample| {
        let config = Config {
            analysis: analysis(),
            ..config
        };
        dissect(sample, &config).unwrap().whole
    };
    let fixed = Config::fixed_grid().with_rms();
    all_close(&with(fixed.clone(), &base).tau, &with(fixed, &grown).tau, 1e-9, "τ");
    let compat = Config::compat().with_rms();
    close(
        with(compat.clone(), &base).alpha0,
        with(compat, &grown).alpha0,
        1e-3,
        "α0 up to ties",
    );
    let absolute = Config::compat();
    assert!(
        with(absolute.clone(), &base).alpha0 > 1.5 * with(absolute, &grown).alpha0,
        "growth alone lowers α0"
    );
    assert!((TARGET_RMS - 0.02).abs() < 1e-15);
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let sample = sample(&gaussian(6, 64, 128, 0.02));
    let config = Config {
        analysis: analysis(),
        ..Config::default()
    };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| dissect(&sample, &config).unwrap().whole.tau)
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn the_normaliser_moves_no_slope_and_the_exact_derivative_agrees_with_differences() {
    let weights = gaussian(7, 50, 64, 0.03);
    let own = of(&weights, &Measure::default());
    let total = of(
        &weights,
        &Measure {
            normaliser: Normaliser::TotalNodes,
            ..Measure::default()
        },
    );
    // A mass divided by one number for all nodes weighs large nodes more, which changes τ, but no part of the fit goes wrong.
    assert!((own.alpha0 - total.alpha0).abs() < 0.2);
    let measure = Measure::default();
    let lengths = Lengths::of_weights(&measure, 1.0, weights.iter().map(Vec::as_slice));
    for derivative in [Derivative::Central, Derivative::Exact] {
        let found = spectrum(
            &lengths,
            &measure,
            &Analysis {
                derivative,
                ..analysis()
            },
        )
        .unwrap();
        close(found.width, own.width, 0.02 * own.width, "width");
        close(found.alpha0, own.alpha0, 1e-12, "α0");
    }
    close(own.alpha0_exact.unwrap(), own.alpha0, 2e-4 * own.alpha0, "exact α0");
}

#[test]
fn a_window_restricts_the_radii_of_the_fit() {
    let weights = gaussian(8, 50, 64, 0.03);
    let measure = Measure::default();
    let lengths = Lengths::of_weights(&measure, 1.0, weights.iter().map(Vec::as_slice));
    let window = Some(Window { low: 30.0, high: 100.0 });
    let found = spectrum(&lengths, &measure, &Analysis { window, ..analysis() }).unwrap();
    assert!(found.scaling.r_min >= 30.0 && found.scaling.r_max <= 100.0 && found.scaling.radii == 71);
    let nowhere = Some(Window {
        low: 1000.0,
        high: 2000.0,
    });
    let error = spectrum(
        &lengths,
        &measure,
        &Analysis {
            window: nowhere,
            ..analysis()
        },
    )
    .unwrap_err();
    assert_eq!(error, SpectrumError::DegenerateRadii { radii: 0 });
}

#[test]
fn a_spectrum_is_refused_where_masses_do_not_scale() {
    // Weights ten times those that the limits were made for.
    let found = of(&gaussian(9, 64, 128, 0.2), &Measure::default());
    let error = found.scaling.check(ScalingRule::default()).unwrap_err();
    assert!(matches!(error, SpectrumError::NoScaling { .. }));
    assert!(error.to_string().contains("one root mean square"), "{error}");
    assert!(
        of(&gaussian(9, 64, 128, 0.02), &Measure::default())
            .scaling
            .check(ScalingRule::default())
            .is_ok()
    );
    assert!(found.scaling.check(ScalingRule::ReportAnyway).is_ok());
}

#[test]
fn choices_that_contradict_each_other_are_refused() {
    let origin = Config {
        analysis: Analysis {
            line: Line::ThroughOrigin,
            ..Analysis::default()
        },
        ..Config::default()
    };
    let empty = Config::default().with_sample(0, 1);
    let backwards = Config {
        analysis: Analysis {
            window: Some(Window { low: 3.0, high: 2.0 }),
            ..Analysis::default()
        },
        ..Config::default()
    };
    for config in [origin, empty, backwards] {
        assert!(config.check().is_err(), "{config:?}");
    }
    assert!(QGrid::new(0, 10, 10).is_err() && QGrid::new(-210, 10, 10).is_err());
    assert_eq!(QGrid::new(-200, 200, 10).unwrap().count(), 401);
}

#[test]
fn masses_to_the_power_of_twenty_stay_finite() {
    let measure = Measure::default();
    let weights = gaussian(10, 30, 512, 0.02);
    let lengths = Lengths::of_weights(&measure, 1.0, weights.iter().map(Vec::as_slice));
    let wide = Analysis {
        q: QGrid::new(-200, 200, 10).unwrap(),
        ..analysis()
    };
    let found = spectrum(&lengths, &measure, &wide).unwrap();
    assert!(found.tau.iter().all(|tau| tau.is_finite()));
    let narrow = spectrum(&lengths, &measure, &analysis()).unwrap();
    all_close(&found.tau[170..231], &narrow.tau, 1e-11, "the middle of the wider grid");
}

#[test]
fn the_filters_of_the_authors_reject_what_they_name() {
    let mut found = of(&gaussian(11, 50, 64, 0.03), &Measure::default());
    found.curve.f.iter_mut().for_each(|f| *f = -1.0);
    let first = found.curve.alpha[0];
    found.alpha_max = first;
    assert!(!found.is_rejected(Reject::Both));
    found.alpha_max = first + 0.02;
    assert!(found.is_rejected(Reject::NonMonotone) && found.is_rejected(Reject::Both));
    assert!(!found.is_rejected(Reject::PositiveF) && !found.is_rejected(Reject::None));
    found.curve.f[3] = 0.1;
    assert!(found.is_rejected(Reject::PositiveF));
}

#[test]
fn a_checkpoint_has_no_emergence_against_itself() {
    let metrics = Metrics {
        alpha0: 1.3,
        width: 0.4,
    };
    assert_eq!(degree(metrics, metrics).unwrap().e.to_bits(), 0.0_f64.to_bits());
}
