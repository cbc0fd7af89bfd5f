use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;
use widedeep::inside::bricks::{
    Matrix,
    specialise::{
        Aggregate, Aggregation, FunctionScores, LabelError, Labels, Predictivity, Ties, average_precision, chance,
        function_scores, halves, held_out, jaccard, mean_scores, overlap, residents, top, top_by_mean,
    },
};

use crate::oracle::{close, get, matrix, near, read, same};

const TOLERANCE: f64 = 1e-9;

fn instance_scores(oracle: &Value, aggregation: Aggregation) -> Matrix<f64> {
    let instances: Vec<Vec<Vec<f64>>> = get(&oracle["activations_per_instance_token_neuron"]);
    let rows: Vec<Vec<f64>> = instances
        .iter()
        .map(|tokens| {
            let mut aggregate = Aggregate::new(aggregation, tokens[0].len());
            for token in tokens {
                aggregate.push(token).unwrap();
            }
            aggregate.finish().unwrap()
        })
        .collect();
    Matrix::from_rows(&rows).unwrap()
}

fn labels(oracle: &Value) -> Labels {
    Labels::new(get(&oracle["functions"]), get(&oracle["labels"])).unwrap()
}

#[test]
fn instance_scores_and_average_precision_are_those_of_the_reference() {
    let oracle = read("scores.json");
    let labels = labels(&oracle);
    for (name, aggregation) in [
        ("mean_abs", Aggregation::MeanAbsolute),
        ("max_relu", Aggregation::MaximumPositive),
        ("last_abs", Aggregation::LastAbsolute),
    ] {
        let expected = &oracle["expected"][name];
        let scores = instance_scores(&oracle, aggregation);
        same(&scores, &expected["instance_scores"], TOLERANCE);
        let found = function_scores(&scores, &labels, Predictivity::Precision).unwrap();
        same(&found.0, &expected["average_precision"], TOLERANCE);
        let either = function_scores(&scores, &labels, Predictivity::EitherSide).unwrap();
        same(&either.0, &expected["predictivity_max_ap_and_complement"], TOLERANCE);
        let summaries = found.summaries(labels.functions());
        for (nth, summary) in summaries.iter().enumerate() {
            near(summary.best, get(&expected["best_per_function"][nth]), TOLERANCE);
            assert_eq!(summary.best_unit, get::<usize>(&expected["best_neuron"][nth]));
            near(summary.mean, get(&expected["mean_per_function"][nth]), TOLERANCE);
        }
    }
    close(&labels.prevalences(), &[get(&oracle["prevalence"]); 7], TOLERANCE);
}

#[test]
fn planted_units_lead_their_functions() {
    let oracle = read("scores.json");
    let scores = function_scores(
        &instance_scores(&oracle, Aggregation::MeanAbsolute),
        &labels(&oracle),
        Predictivity::Precision,
    )
    .unwrap();
    for function in 0..7 {
        let planted: Vec<usize> = get(&oracle["planted_neurons"][function.to_string()]);
        let means = Matrix::from_fn(24, 7, |_, _| 0.0);
        assert_eq!(
            top(
                &scores,
                function,
                2.0 / 24.0,
                Ties::LowerIndex,
                &means,
                &BTreeSet::new()
            ),
            planted
        );
    }
}

#[test]
fn equal_scores_are_one_threshold() {
    for case in get::<Vec<Value>>(&read("scores.json")["tie_cases"]) {
        let positive: Vec<bool> = get::<Vec<u8>>(&case["labels"])
            .into_iter()
            .map(|label| label == 1)
            .collect();
        let found = average_precision(&get::<Vec<f64>>(&case["scores"]), &positive).unwrap();
        near(found, get(&case["average_precision"]), TOLERANCE);
    }
}

#[test]
fn zero_of_either_sign_is_one_score() {
    near(average_precision(&[0.0, -0.0], &[true, false]).unwrap(), 0.5, 1e-15);
}

proptest! {
    #[test]
    fn average_precision_does_not_change_under_growing_transforms(
        pairs in prop::collection::vec((0_u8..20, any::<bool>()), 1..60)
    ) {
        let positive: Vec<bool> = pairs.iter().map(|pair| pair.1).collect();
        let scores: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.0)).collect();
        let grown: Vec<f64> = scores.iter().map(|score| (score / 3.0).exp() - 7.0).collect();
        prop_assert_eq!(average_precision(&scores, &positive), average_precision(&grown, &positive));
    }
}

#[test]
fn a_dead_unit_scores_the_prevalence() {
    let oracle = read("scores.json");
    let labels = labels(&oracle);
    let scores = function_scores(
        &instance_scores(&oracle, Aggregation::MeanAbsolute),
        &labels,
        Predictivity::Precision,
    );
    let dead = get::<usize>(&oracle["special"]["dead"]);
    close(scores.unwrap().0.row(dead), &labels.prevalences(), 1e-12);
}

#[test]
fn chance_lies_near_the_estimate_of_the_reference_and_below_planted_units() {
    let oracle = read("scores.json");
    let labels = labels(&oracle);
    let scores = instance_scores(&oracle, Aggregation::MeanAbsolute);
    let found = chance(&scores, &labels, 400, 1).unwrap();
    let mean = found.mean.iter().sum::<f64>() / 7.0;
    near(mean, get(&oracle["random_score_mean_ap_estimate"]), 0.02);
    near(found.p_value(0, 1.0), 1.0 / 401.0, 1e-12);
    assert!(found.p_value(0, 0.2) > 0.9, "a mean score is no surprise as a maximum");
    assert_eq!(found, chance(&scores, &labels, 400, 1).unwrap());
}

#[test]
fn units_chosen_on_one_half_still_lead_on_the_other_where_they_are_planted() {
    let oracle = read("scores.json");
    let labels = labels(&oracle);
    let scores = instance_scores(&oracle, Aggregation::MeanAbsolute);
    let halves = halves(&labels, 3);
    assert_eq!((halves.choosing.len(), halves.measuring.len()), (28, 28));
    for found in held_out(&scores, &labels, &halves, 2.0 / 24.0).unwrap() {
        assert!(found.held_out > 2.0 * found.all_units, "{found:?}");
        assert!(found.chosen_on >= found.held_out - 0.2, "{found:?}");
    }
}

#[test]
fn top_sets_and_their_overlap_are_those_of_the_reference() {
    let oracle = read("overlap.json");
    let fraction: f64 = get(&oracle["fraction"]);
    let expected = &oracle["expected"];
    let mut sets: Vec<Vec<Vec<usize>>> = Vec::new();
    for layer in get::<Vec<Value>>(&oracle["func_scores_layer_neuron_function"]) {
        let scores = FunctionScores(matrix(&layer));
        let means = Matrix::from_fn(scores.units(), 7, |_, _| 0.0);
        let set = |function| top(&scores, function, fraction, Ties::LowerIndex, &means, &BTreeSet::new());
        sets.push((0..7).map(set).collect());
    }
    assert_eq!(sets, get::<Vec<Vec<Vec<usize>>>>(&expected["top_sets"]));
    let found = overlap(&sets);
    for (layer, expected) in found.per_layer.iter().zip(get::<Vec<Value>>(&expected["per_layer"])) {
        same(&Matrix::from_rows(layer).unwrap(), &expected, TOLERANCE);
    }
    same(
        &Matrix::from_rows(&found.mean).unwrap(),
        &expected["mean_over_layers"],
        TOLERANCE,
    );
    let each = |left: &Vec<usize>| sets[0].iter().map(|right| jaccard(left, right)).collect::<Vec<f64>>();
    let found: Vec<Vec<f64>> = sets[0].iter().map(each).collect();
    same(
        &Matrix::from_rows(&found).unwrap(),
        &expected["jaccard_layer0"],
        TOLERANCE,
    );
}

#[test]
fn a_resident_unit_is_found_and_left_out_of_a_brick() {
    // Unit 7 of 100 is active everywhere; unit 3 for function 0 alone.
    let labels = Labels::new(vec!["a".into(), "b".into(), "c".into()], vec![0, 0, 1, 1, 2, 2]).unwrap();
    let scores = Matrix::<f32>::from_fn(6, 100, |instance, unit| match unit {
        7 => 100.0 - instance as f64,
        3 if instance < 2 => 50.0,
        _ => (unit % 5) as f64 * 0.1,
    });
    let means = mean_scores(&scores, &labels);
    let resident = residents(&means);
    assert_eq!(resident, BTreeSet::from([7]));
    let found = function_scores(&scores, &labels, Predictivity::Precision).unwrap();
    assert_eq!(top(&found, 0, 0.02, Ties::LargerMean, &means, &BTreeSet::new()), [3, 7]);
    assert!(!top(&found, 0, 0.02, Ties::LargerMean, &means, &resident).contains(&7));
    assert_eq!(top_by_mean(&means, 0.01), [7]);
}

#[test]
fn labels_that_define_no_score_are_refused() {
    let names = || vec!["code".to_string(), "prose".to_string()];
    assert_eq!(Labels::new(names(), vec![0, 0]), Err(LabelError::Empty("prose".into())));
    assert_eq!(Labels::new(names()[..1].to_vec(), vec![0]), Err(LabelError::TooFew(1)));
    let labels = Labels::new(names(), vec![0, 1]).unwrap();
    let scores = Matrix::new(2, 1, vec![f32::NAN, 1.0]).unwrap();
    let refused = function_scores(&scores, &labels, Predictivity::Precision).unwrap_err();
    assert_eq!(refused, LabelError::NotFinite { instance: 0, unit: 0 });
}
