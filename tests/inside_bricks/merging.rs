use proptest::prelude::*;
use serde_json::Value;
use widedeep::inside::bricks::{
    Matrix,
    merge::{
        Election, MergeError, Method, Rescale, Weighted, Weighting, bernoulli_masks, dare, fisher, linear, merge,
        regmean, slerp, task_arithmetic, ties,
    },
};

use crate::oracle::{close, get, matrix, near, read};

const TOLERANCE: f64 = 1e-9;

struct Case {
    base: Matrix<f64>,
    models: Vec<Matrix<f64>>,
    ops: Value,
}

impl Case {
    fn new() -> Self {
        let oracle = read("ops.json");
        let models = get::<Vec<Value>>(&oracle["models"]).iter().map(matrix).collect();
        Self {
            base: matrix(&oracle["base"]),
            models,
            ops: oracle["ops"].clone(),
        }
    }

    fn weighted(&self, weights: &Value) -> Vec<Weighted<'_, f64>> {
        let pairs = self.models.iter().zip(get::<Vec<f64>>(weights));
        pairs
            .map(|(model, weight)| Weighted {
                values: model.values(),
                weight,
            })
            .collect()
    }

    fn tensor(&self, slerp: &Value, name: &Value) -> Matrix<f64> {
        match name.as_str().unwrap() {
            "base" => self.base.clone(),
            "models[0]" => self.models[0].clone(),
            other => matrix(&slerp[other]),
        }
    }
}

#[track_caller]
fn is(found: &[f64], expected: &Value) {
    close(found, matrix(expected).values(), TOLERANCE);
}

fn weighting(normalised: &Value) -> Weighting {
    if get(normalised) {
        Weighting::Normalised
    } else {
        Weighting::Raw
    }
}

#[test]
fn linear_merging_is_that_of_the_reference() {
    let case = Case::new();
    let op = &case.ops["linear"];
    let models = case.weighted(&op["weights"]);
    is(&linear(&models, Weighting::Normalised).unwrap(), &op["expected"]);
    is(&linear(&models, Weighting::Raw).unwrap(), &op["expected_unnormalised"]);
}

#[test]
fn slerp_is_that_of_the_reference_also_between_nearly_parallel_tensors() {
    let case = Case::new();
    let op = &case.ops["slerp"];
    let cases: Vec<Value> = get(&op["cases"]);
    assert!(cases.iter().any(|case| case["kind"] == "lerp"));
    for one in &cases {
        let (first, second) = (case.tensor(op, &one["a"]), case.tensor(op, &one["b"]));
        is(
            &slerp(first.values(), second.values(), get(&one["t"])).unwrap(),
            &one["expected"],
        );
    }
}

#[test]
fn task_arithmetic_is_that_of_the_reference() {
    let case = Case::new();
    let op = &case.ops["task_arithmetic"];
    let models = case.weighted(&op["weights"]);
    let found = task_arithmetic(
        case.base.values(),
        &models,
        get(&op["lam"]),
        weighting(&op["normalize"]),
    )
    .unwrap();
    is(&found, &op["expected"]);
}

#[test]
fn ties_is_that_of_the_reference() {
    let case = Case::new();
    for one in get::<Vec<Value>>(&case.ops["ties"]["cases"]) {
        let models = case.weighted(&one["weights"]);
        let (density, lambda) = (get(&one["density"]), get(&one["lam"]));
        let found = ties(
            case.base.values(),
            &models,
            density,
            lambda,
            weighting(&one["normalize"]),
        )
        .unwrap();
        is(&found, &one["expected"]);
    }
}

#[test]
fn dare_with_given_masks_is_that_of_the_reference_under_both_rescalings() {
    let case = Case::new();
    let op = &case.ops["dare_linear"];
    let masks: Vec<Vec<bool>> = get::<Vec<Value>>(&op["masks"])
        .iter()
        .map(|mask| matrix(mask).values().iter().map(|&bit| bit > 0.5).collect())
        .collect();
    let models = case.weighted(&op["weights"]);
    let density = get(&op["density"]);
    let merged = |rescale| {
        dare(
            case.base.values(),
            &models,
            &masks,
            density,
            1.0,
            rescale,
            Election::None,
        )
        .unwrap()
    };
    is(&merged(Rescale::Density), &op["expected"]);
    is(&merged(Rescale::Magnitude), &op["expected_l1_rescale"]);
}

#[test]
fn fisher_averages_and_regmean_are_those_of_the_reference() {
    let case = Case::new();
    let op = &case.ops["fisher_average"];
    let weights: Vec<Matrix<f64>> = get::<Vec<Value>>(&op["F"]).iter().map(matrix).collect();
    let pairs: Vec<(&[f64], &[f64])> = (0..2)
        .map(|nth| (case.models[nth].values(), weights[nth].values()))
        .collect();
    is(&fisher(&pairs).unwrap(), &op["expected"]);
    let op = &case.ops["regmean"];
    let grams: Vec<Matrix<f64>> = get::<Vec<Value>>(&op["gram"]).iter().map(matrix).collect();
    let pairs: Vec<(&Matrix<f64>, &Matrix<f64>)> = (0..2).map(|nth| (&case.models[nth], &grams[nth])).collect();
    let found = regmean(&pairs, get(&op["offdiag_alpha"])).unwrap();
    close(found.values(), matrix(&op["expected"]).values(), 1e-7);
}

fn methods() -> Vec<Method> {
    let weighting = Weighting::Normalised;
    let dare = |rescale, election| Method::Dare {
        density: 1.0,
        lambda: 1.0,
        rescale,
        election,
        seed: 3,
    };
    vec![
        Method::Linear { weighting },
        Method::Slerp { t: 0.3 },
        Method::Slerp { t: 0.7 },
        Method::TaskArithmetic { lambda: 1.0, weighting },
        Method::Ties {
            density: 1.0,
            lambda: 1.0,
            weighting,
        },
        dare(Rescale::Density, Election::None),
        dare(Rescale::Magnitude, Election::Sign),
    ]
}

proptest! {
    #[test]
    fn a_model_merged_with_itself_is_itself(
        pairs in prop::collection::vec((-8.0_f32..8.0, -8.0_f32..8.0), 1..80)
    ) {
        let (base, model): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        // Half of each: DARE sums and does not average.
        let half = Weighted { values: model.as_slice(), weight: 0.5 };
        for method in methods() {
            let merged = merge(method, Some(base.as_slice()), &[half, half], 0).unwrap();
            for (found, expected) in merged.iter().zip(&model) {
                prop_assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{:?}: {} is not {}", method, found, expected);
            }
        }
        let merged = merge(Method::Linear { weighting: Weighting::Normalised }, None, &[half, half], 0).unwrap();
        prop_assert_eq!(&merged, &model);
        let merged = merge(Method::Slerp { t: 0.3 }, None, &[half, half], 0).unwrap();
        prop_assert_eq!(&merged, &model);
    }

    #[test]
    fn slerp_gives_its_ends(
        pairs in prop::collection::vec((-8.0_f32..8.0, -8.0_f32..8.0), 1..80)
    ) {
        let (first, second): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        prop_assert_eq!(&slerp(&first, &second, 0.0).unwrap(), &first);
        prop_assert_eq!(&slerp(&first, &second, 1.0).unwrap(), &second);
    }

    #[test]
    fn a_lambda_of_zero_gives_the_base_and_full_density_gives_task_arithmetic(
        pairs in prop::collection::vec((-8.0_f64..8.0, -8.0_f64..8.0), 1..80)
    ) {
        let (base, model): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let models = [Weighted { values: model.as_slice(), weight: 1.0 }];
        prop_assert_eq!(&ties(&base, &models, 0.5, 0.0, Weighting::Normalised).unwrap(), &base);
        let plain = task_arithmetic(&base, &models, 0.7, Weighting::Raw).unwrap();
        prop_assert_eq!(&ties(&base, &models, 1.0, 0.7, Weighting::Normalised).unwrap(), &plain);
        let masks = bernoulli_masks(1, base.len(), 1.0, 0, 0).unwrap();
        let dared = dare(&base, &models, &masks, 1.0, 0.7, Rescale::Density, Election::None).unwrap();
        prop_assert_eq!(&dared, &plain);
    }
}

#[test]
fn of_equal_differences_ties_keeps_the_first() {
    let model = Weighted {
        values: &[1.0, -1.0, 1.0, 1.0][..],
        weight: 1.0,
    };
    let merged = ties(&[0.0; 4], &[model], 0.5, 1.0, Weighting::Normalised).unwrap();
    assert_eq!(merged, [1.0, -1.0, 0.0, 0.0]);
}

#[test]
fn a_sum_of_zero_elects_plus() {
    let models = [[1.0], [-1.0]];
    let models: Vec<Weighted<'_, f64>> = models
        .iter()
        .map(|model| Weighted {
            values: &model[..],
            weight: 1.0,
        })
        .collect();
    assert_eq!(ties(&[0.0], &models, 1.0, 1.0, Weighting::Normalised).unwrap(), [1.0]);
}

#[test]
fn masks_keep_about_the_density_and_differ_between_models_and_tensors() {
    let masks = bernoulli_masks(2, 10_000, 0.3, 1, 0).unwrap();
    for mask in &masks {
        near(mask.iter().filter(|&&kept| kept).count() as f64, 3000.0, 0.06);
    }
    assert_ne!(masks[0], masks[1]);
    assert_ne!(masks, bernoulli_masks(2, 10_000, 0.3, 1, 1).unwrap());
    assert_eq!(masks, bernoulli_masks(2, 10_000, 0.3, 1, 0).unwrap());
}

#[test]
fn what_does_not_merge_says_why() {
    let (short, long) = ([1.0_f32], [1.0_f32, 2.0]);
    let models = [
        Weighted {
            values: &short[..],
            weight: 1.0,
        },
        Weighted {
            values: &long[..],
            weight: -1.0,
        },
    ];
    let linear = Method::Linear {
        weighting: Weighting::Normalised,
    };
    let failed = |method, base, models: &[Weighted<'_, f32>]| merge(method, base, models, 0).unwrap_err().to_string();
    assert_eq!(
        failed(linear, None, &models),
        "failed to merge: `tensor size` is 2, but 1 is needed to fit the other tensors; check that all are of the same layer and model"
    );
    assert_eq!(
        failed(Method::Slerp { t: 0.5 }, None, &models[..1]),
        "SLERP merges exactly two models, and 1 were given"
    );
    let with = |density| Method::Ties {
        density,
        lambda: 1.0,
        weighting: Weighting::Normalised,
    };
    assert_eq!(
        failed(with(0.5), None, &models),
        "TIES works on differences from a base model; give the model that all others were tuned from"
    );
    assert_eq!(
        failed(with(1.5), Some(&short), &models[..1]),
        "density is 1.5, and must be from 0 to 1"
    );
    let opposed = [
        models[0],
        Weighted {
            values: &short[..],
            weight: -1.0,
        },
    ];
    assert_eq!(merge(linear, None, &opposed, 0).unwrap_err(), MergeError::NoWeight);
    let flat = Matrix::<f64>::from_fn(2, 2, |_, _| 1.0);
    assert_eq!(regmean(&[(&flat, &flat)], 1.0).unwrap_err(), MergeError::Singular);
}

#[test]
fn methods_are_read_from_json() {
    let method: Method =
        serde_json::from_str(r#"{"method": "ties", "density": 0.2, "lambda": 1, "weighting": "normalised"}"#).unwrap();
    assert_eq!(
        method,
        Method::Ties {
            density: 0.2,
            lambda: 1.0,
            weighting: Weighting::Normalised
        }
    );
}
