//! Detector files.

use std::{collections::BTreeMap, fs};

use widedeep::inside::{
    hallucination::{
        Aggregation, Detector, DetectorError, Mode, Refusal, Region, Truth,
        detector::{Fault, Training, Weighted},
        evaluate::Platt,
        logistic::Penalty,
    },
    language::Unit,
};

use super::synthetic::{SHAPE, provenance};

fn detector() -> Detector {
    let made = provenance(0xab);
    Detector {
        model: made.model,
        shape: SHAPE,
        rule: made.rule,
        prompt: made.prompt,
        units: vec![
            Weighted {
                layer: 0,
                index: 7,
                weight: 2.0,
            },
            Weighted {
                layer: 2,
                index: 1,
                weight: -1.0,
            },
            Weighted {
                layer: 2,
                index: 31,
                weight: 4.0,
            },
        ],
        bias: -0.5,
        threshold: 0.25,
        calibration: Platt {
            slope: 2.0,
            intercept: 0.1,
        },
        training: Training {
            mode: Mode::ThreeVsOne,
            penalty: Penalty::L1,
            c: 3.0,
            tolerance: 1e-5,
            rows: 400,
            faithful: 100,
            hallucinated: 100,
            validation: 40,
            test: 40,
            prevalence: 0.5,
            longest: 6,
            cross_validated_auroc: 0.8,
            seed: 42,
            datasets: vec!["made".to_owned()],
            notes: BTreeMap::new(),
        },
    }
}

#[test]
fn a_detector_is_the_same_after_a_round_through_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("detector.json");
    detector().write(&path).unwrap();
    assert_eq!(Detector::read(&path).unwrap(), detector());
    assert!(fs::read_to_string(&path).unwrap().contains("\"format\": 1"));
}

#[test]
fn scores_are_sums_of_contributions_and_means_of_token_scores() {
    let detector = detector();
    let tokens = [[0.1, 0.2, 0.3], [0.5, 0.0, 0.1]];
    let mean: Vec<f64> = (0..3)
        .map(|unit| f64::midpoint(tokens[0][unit], tokens[1][unit]))
        .collect();
    let score = detector.score(&mean);
    assert!((score.logit - (-0.5 + 2.0 * 0.3 - 0.1 + 4.0 * 0.2)).abs() < 1e-12);
    let added: f64 = detector.contributions(&mean).iter().sum();
    assert!((added - 0.5 - score.logit).abs() < 1e-12);
    assert!((score.probability - 1.0 / (1.0 + (-(2.0 * score.logit + 0.1)).exp())).abs() < 1e-12);
    assert_eq!(score.verdict(&detector), Truth::Hallucinated);

    let each = tokens.map(|token| detector.score(&token));
    let together = detector.of_tokens(&each).unwrap();
    assert!((together.logit - score.logit).abs() < 1e-12);
    assert_eq!(detector.of_tokens(&[]), None);
    let mut maxima = detector.clone();
    maxima.rule.aggregation = Aggregation::Max;
    assert_eq!(maxima.of_tokens(&each), None);

    assert_eq!(
        detector.h_units(),
        [Unit { layer: 0, index: 7 }, Unit { layer: 2, index: 31 }]
    );
}

#[test]
fn another_model_file_rule_or_length_is_refused() {
    let detector = detector();
    detector.admit_features(&provenance(0xab)).unwrap();
    let other = detector.admit_features(&provenance(0xcd)).unwrap_err();
    assert!(matches!(other, Refusal::OtherModel { .. }));
    let told = other.to_string();
    assert!(
        told.contains(&"ab".repeat(32)) && told.contains(&"cd".repeat(32)) && told.contains("fit a detector"),
        "{told}"
    );
    let mut made = provenance(0xab);
    made.rule.region = Region::Output;
    assert!(matches!(detector.admit_features(&made), Err(Refusal::OtherRule { .. })));
    detector.admit_length(18).unwrap();
    assert_eq!(detector.admit_length(0), Err(Refusal::Empty));
    assert_eq!(
        detector.admit_length(19),
        Err(Refusal::TooLong { found: 19, longest: 6 })
    );
}

#[test]
fn files_that_are_no_detectors_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("detector.json");
    assert!(matches!(Detector::read(&path), Err(DetectorError::Io { .. })));
    detector().write(&path).unwrap();
    let good = fs::read_to_string(&path).unwrap();

    fs::write(&path, good.replace("\"format\": 1", "\"format\": 9")).unwrap();
    assert!(matches!(
        Detector::read(&path),
        Err(DetectorError::Newer { found: 9, .. })
    ));
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert!(matches!(Detector::read(&path), Err(DetectorError::Json { .. })));
    fs::write(&path, good.replace("\"bias\"", "\"basis\"")).unwrap();
    let told = Detector::read(&path).unwrap_err().to_string();
    assert!(told.contains("basis"), "{told}");

    let faulty = |change: &dyn Fn(&mut Detector)| {
        let mut detector = detector();
        change(&mut detector);
        detector.write(&path).unwrap();
        match Detector::read(&path) {
            Err(DetectorError::Invalid { fault, .. }) => fault,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        faulty(&|d| d.units[2].index = 60),
        Fault::UnknownUnit {
            layer: 2,
            index: 60,
            shape: SHAPE
        }
    );
    assert_eq!(faulty(&|d| d.units[2].index = 1), Fault::Order { layer: 2, index: 1 });
    let infinite = {
        let mut detector = detector();
        detector.bias = f64::INFINITY;
        detector.check()
    };
    assert_eq!(infinite, Err(Fault::NotFinite { what: "the bias" }));
}
