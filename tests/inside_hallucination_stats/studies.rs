//! The whole way from features to tables.

use std::fs;

use widedeep::inside::hallucination::{
    Detector, Evaluation, Mode,
    evaluation::Scorer,
    figure,
    logistic::{Penalty, Stopped},
    report,
    study::{Choice, Event, Plan, Record, Stage, StudyError, evaluate, fit},
};

use super::synthetic::{PLANTED, SHAPE, Signal, features};

fn plan() -> Plan {
    Plan {
        permutations: 0,
        random_draws: 9,
        ..Plan::default()
    }
}

#[test]
fn planted_units_are_found_and_beat_chance_and_random_units() {
    let folder = tempfile::tempdir().unwrap();
    let own = features(&folder.path().join("own"), 400, Signal::Clear, 1);
    let other = features(&folder.path().join("other"), 120, Signal::Clear, 5);
    for mode in [Mode::OneVsOne, Mode::ThreeVsOne] {
        let plan = Plan { mode, ..plan() };
        let mut stages = Vec::new();
        let (detector, record) = fit(&own, &plan, &mut |event: Event| stages.push(event.stage)).unwrap();
        assert_eq!(record.solver.stopped, Stopped::Converged);
        let found = detector.h_units();
        assert!(PLANTED.iter().all(|unit| found.contains(unit)), "{found:?}");
        assert!(stages.contains(&Stage::Choosing));
        detector.check().unwrap();
        assert_eq!(
            detector.training.rows,
            record
                .split
                .roles
                .iter()
                .filter(|a| a.role == widedeep::inside::hallucination::split::Role::Train)
                .count()
                * if mode == Mode::OneVsOne { 1 } else { 2 }
        );

        let found = evaluate(&own, &detector, &record, &[("other", &other)], &mut |_| ()).unwrap();
        let of = |scorer: Scorer| found.test.rows.iter().find(|row| row.scorer == scorer).unwrap();
        let detector_row = of(Scorer::Detector);
        assert_eq!(found.test.rows[0].scorer, Scorer::Detector);
        assert!(
            detector_row.measures.auroc.value > 0.9 && detector_row.measures.accuracy.value > 0.75,
            "{detector_row:?}"
        );
        assert!(of(Scorer::AllUnits).measures.auroc.value > 0.75);
        for scorer in [Scorer::RandomUnits, Scorer::RandomInLayers] {
            let row = of(scorer);
            assert!(
                (0.3..0.7).contains(&row.measures.auroc.value) && row.gap.difference.interval.unwrap().low > 0.0,
                "{row:?}"
            );
            assert_eq!(row.draws.as_ref().unwrap().aurocs.len(), 9);
            assert!((row.draws.as_ref().unwrap().p_value - 0.1).abs() < 1e-12);
            assert_eq!(row.units, found.h_units.count);
        }
        // Length was made without regard to truth, log-probability with little.
        assert!((0.3..0.7).contains(&of(Scorer::Length).measures.auroc.value));
        assert!(of(Scorer::ConfidenceAndDetector).measures.auroc.value > of(Scorer::Confidence).measures.auroc.value);
        assert!(detector_row.matched.unwrap().auroc.value > 0.85 && detector_row.within_length.unwrap() > 0.85);
        assert!(found.reliability.ece < 0.25, "{:?}", found.reliability);
        for unit in PLANTED {
            let effect = found
                .units
                .iter()
                .find(|row| (row.layer, row.index) == (unit.layer, unit.index))
                .unwrap();
            assert!(effect.effect.auroc > 0.7 && effect.adjusted < 0.01, "{effect:?}");
        }
        // The other set asks the same questions under the same names: what training saw is left out.
        assert!(found.transfer[0].seen > 0 && found.transfer[0].rows[0].measures.auroc.value > 0.8);
    }
}

#[test]
fn the_same_plan_gives_the_same_files_and_they_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let own = features(&folder.path().join("own"), 200, Signal::Clear, 1);
    let run = || {
        let (detector, record) = fit(&own, &plan(), &mut |_| ()).unwrap();
        let evaluation = evaluate(&own, &detector, &record, &[], &mut |_| ()).unwrap();
        (detector, record, evaluation)
    };
    let (detector, record, evaluation) = run();
    assert_eq!((&detector, &record, &evaluation), (&run().0, &run().1, &run().2));

    let path = |name: &str| folder.path().join(name);
    detector.write(&path("detector.json")).unwrap();
    assert_eq!(Detector::read(&path("detector.json")).unwrap(), detector);
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    report::json(&path("evaluation.json"), &evaluation).unwrap();
    let text = fs::read_to_string(path("evaluation.json")).unwrap();
    assert_eq!(serde_json::from_str::<Evaluation>(&text).unwrap(), evaluation);

    report::csv(&path("evaluation.csv"), &evaluation).unwrap();
    let mut table = csv::Reader::from_path(path("evaluation.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), evaluation.test.rows.len());
    assert_eq!(
        rows[0][5].parse::<f64>().unwrap(),
        evaluation.test.rows[0].measures.auroc.value
    );
    report::units_csv(&path("units.csv"), &evaluation).unwrap();
    assert_eq!(
        fs::read_to_string(path("units.csv")).unwrap().lines().count(),
        1 + evaluation.units.len()
    );

    let shown = report::text(&evaluation);
    for part in [
        "H-unit detector",
        "answer length",
        "random units",
        "all units, L2",
        "AUROC",
        "calibration error",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(report::path_text(&record).contains("chosen"));
    let roc = figure::roc("Test", &evaluation.test).unwrap();
    let reliability = figure::reliability("Test", &evaluation.reliability).unwrap();
    for svg in [roc, reliability] {
        assert!(svg.starts_with("<svg") && svg.contains("</svg>"));
    }
}

#[test]
fn where_nothing_is_to_be_found_nothing_is_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let own = features(&folder.path().join("own"), 260, Signal::None, 11);
    let plan = Plan {
        penalty: Penalty::L2,
        permutations: 40,
        random_draws: 0,
        mode: Mode::OneVsOne,
        ..plan()
    };
    let (detector, record) = fit(&own, &plan, &mut |_| ()).unwrap();
    let found = evaluate(&own, &detector, &record, &[], &mut |_| ()).unwrap();
    let row = &found.test.rows[0];
    assert!(
        row.measures.auroc.interval.unwrap().contains(0.5),
        "{:?}",
        row.measures.auroc
    );
    let permutation = found.permutation.unwrap();
    assert_eq!(permutation.permuted.len(), 40);
    assert!(permutation.p_value > 0.05, "{}", permutation.p_value);
    assert!(
        (permutation.mean().unwrap() - 0.5).abs() < 0.06,
        "{:?}",
        permutation.mean()
    );
}

#[test]
fn shuffled_labels_show_that_a_found_signal_is_real() {
    let folder = tempfile::tempdir().unwrap();
    let own = features(&folder.path().join("own"), 200, Signal::Clear, 21);
    let plan = Plan {
        permutations: 19,
        random_draws: 0,
        mode: Mode::OneVsOne,
        ..plan()
    };
    let (detector, record) = fit(&own, &plan, &mut |_| ()).unwrap();
    let found = evaluate(&own, &detector, &record, &[], &mut |_| ()).unwrap();
    assert!((found.permutation.unwrap().p_value - 0.05).abs() < 1e-12);
}

#[test]
fn a_sparse_choice_keeps_to_its_budget_and_a_fixed_one_to_its_c() {
    let folder = tempfile::tempdir().unwrap();
    let own = features(&folder.path().join("own"), 400, Signal::Clear, 1);
    let sparse = Plan {
        choice: Choice::Sparse { per_mille: 20.0 },
        ..plan()
    };
    let (_, record) = fit(&own, &sparse, &mut |_| ()).unwrap();
    assert!(record.chosen.positive <= 0.02 * SHAPE.units() as f64);
    let fixed = Plan {
        choice: Choice::Fixed(1.0),
        ..plan()
    };
    let (detector, record) = fit(&own, &fixed, &mut |_| ()).unwrap();
    assert_eq!((detector.training.c, record.cross_validation.path.len()), (1.0, 1));
    let nothing = Plan {
        choice: Choice::Fixed(1e-6),
        ..plan()
    };
    assert!(matches!(fit(&own, &nothing, &mut |_| ()), Err(StudyError::NoUnits)));
}
