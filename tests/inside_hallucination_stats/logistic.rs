//! Logistic regression against scikit-learn 1.9.1: `logreg_oracle.json` of the shared data, whose README says how it was made.

use std::{fs, path::Path};

use proptest::prelude::*;
use serde::Deserialize;
use widedeep::inside::hallucination::{
    Columns,
    evaluate::{Binary, auroc},
    logistic::{
        Class, Fit, Folds, Grid, Intercept, Labels, Penalty, Rows, Settings, Stopped, cross_validate, fit,
        largest_c_without_weights, path,
    },
};

#[derive(Deserialize)]
#[expect(non_snake_case, reason = "the file's own names")]
struct Oracle {
    X_train: Vec<Vec<f64>>,
    y_train: Vec<u8>,
    X_test: Vec<Vec<f64>>,
    y_test: Vec<u8>,
    n_features: usize,
    l1_min_c: LeastC,
    solutions: Vec<Solution>,
}

/// The largest C at which no column has a weight.
#[derive(Deserialize)]
struct LeastC {
    with_intercept: f64,
    without_intercept: f64,
}

#[derive(Deserialize)]
struct Solution {
    penalty: String,
    #[serde(rename = "C")]
    c: f64,
    fit_intercept: bool,
    class_weight: Option<String>,
    objective: f64,
    intercept: f64,
    n_nonzero: usize,
    n_positive: usize,
    coef_sparse: Option<Vec<(usize, f64)>>,
    coef: Option<Vec<f64>>,
    train: Metrics,
    test: Metrics,
    decision_test_first8: Vec<f64>,
}

#[derive(Deserialize)]
struct Metrics {
    accuracy: f64,
    precision: f64,
    recall: f64,
    f1: f64,
    auroc: f64,
    confusion_tn_fp_fn_tp: [u64; 4],
}

fn oracle() -> Oracle {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/h_neurons/logreg_oracle.json");
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|failed| panic!("reference values `{}` are needed: {failed}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn classes(y: &[u8]) -> Vec<Class> {
    y.iter()
        .map(|&y| if y == 1 { Class::Positive } else { Class::Negative })
        .collect()
}

fn tight(solution: &Solution) -> (Penalty, Settings) {
    let penalty = if solution.penalty == "l1" {
        Penalty::L1
    } else {
        Penalty::L2
    };
    let intercept = if solution.fit_intercept {
        Intercept::Penalised
    } else {
        Intercept::Absent
    };
    (
        penalty,
        Settings {
            intercept,
            tolerance: 1e-7,
            rounds: 2000,
        },
    )
}

fn labels(solution: &Solution, classes: &[Class]) -> Labels {
    match solution.class_weight.as_deref() {
        None => Labels::equal(classes),
        Some("balanced") => Labels::balanced(classes),
        Some(other) => panic!("class weights `{other}`"),
    }
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: {found} is not {expected}"
    );
}

#[track_caller]
fn check(found: &Fit, solution: &Solution, oracle: &Oracle) {
    let name = format!(
        "{} C={} intercept={}",
        solution.penalty, solution.c, solution.fit_intercept
    );
    assert_eq!(
        found.stopped,
        Stopped::Converged,
        "{name}: violation {}",
        found.violation
    );
    near(
        found.objective,
        solution.objective,
        1e-8 * solution.objective,
        &format!("{name}: objective"),
    );
    assert_eq!(found.nonzero().count(), solution.n_nonzero, "{name}: support");
    assert_eq!(found.positive().len(), solution.n_positive, "{name}: positive weights");
    let (expected, tolerance) = match (&solution.coef_sparse, &solution.coef) {
        // Features 17 and 18 leave a flat direction: two tight fits of the reference differ by 2.5e-3.
        (Some(sparse), _) => {
            let mut dense = vec![0.0; oracle.n_features];
            for &(column, weight) in sparse {
                dense[column] = weight;
            }
            (dense, 5e-3)
        }
        (None, Some(dense)) => (dense.clone(), 1e-6),
        (None, None) => panic!("{name} has no weights"),
    };
    for (column, (&found, &expected)) in found.weights.iter().zip(&expected).enumerate() {
        near(found, expected, tolerance, &format!("{name}: weight {column}"));
        assert_eq!(found == 0.0, expected == 0.0, "{name}: support at {column}");
    }
    near(found.bias, solution.intercept, tolerance, &format!("{name}: intercept"));
}

fn check_metrics(found: &Fit, x: &Columns<f64>, y: &[u8], expected: &Metrics) {
    let (decisions, classes) = (found.decisions(x), classes(y));
    near(auroc(&decisions, &classes).unwrap(), expected.auroc, 1e-9, "AUROC");
    let table = Binary::at(f64::MIN_POSITIVE, &decisions, &classes);
    let cells = [
        table.true_negative,
        table.false_positive,
        table.false_negative,
        table.true_positive,
    ];
    assert_eq!(cells, expected.confusion_tn_fp_fn_tp);
    near(table.accuracy().unwrap(), expected.accuracy, 1e-12, "accuracy");
    near(table.precision().unwrap_or(0.0), expected.precision, 1e-12, "precision");
    near(table.recall().unwrap_or(0.0), expected.recall, 1e-12, "recall");
    near(table.f1().unwrap_or(0.0), expected.f1, 1e-12, "F1");
}

#[test]
fn all_twelve_solutions_of_scikit_learn_are_found() {
    let oracle = oracle();
    assert_eq!(oracle.solutions.len(), 12);
    let (x, test) = (
        Columns::from_rows(&oracle.X_train).unwrap(),
        Columns::from_rows(&oracle.X_test).unwrap(),
    );
    let classes = classes(&oracle.y_train);
    for solution in &oracle.solutions {
        let (penalty, settings) = tight(solution);
        let found = fit(&x, &labels(solution, &classes), solution.c, penalty, &settings).unwrap();
        check(&found, solution, &oracle);
        check_metrics(&found, &x, &oracle.y_train, &solution.train);
        check_metrics(&found, &test, &oracle.y_test, &solution.test);
        let tolerance = if penalty == Penalty::L1 { 5e-3 } else { 1e-5 };
        for (found, expected) in found.decisions(&test).iter().zip(&solution.decision_test_first8) {
            near(*found, *expected, tolerance * expected.abs().max_with_one(), "decision");
        }
    }
}

trait MaxWithOne {
    fn max_with_one(self) -> f64;
}

impl MaxWithOne for f64 {
    fn max_with_one(self) -> f64 {
        if self > 1.0 { self } else { 1.0 }
    }
}

#[test]
fn a_path_with_warm_starts_ends_where_single_fits_end() {
    let oracle = oracle();
    let x = Columns::from_rows(&oracle.X_train).unwrap();
    let classes = classes(&oracle.y_train);
    for penalty in ["l1", "l2"] {
        let chosen: Vec<&Solution> = oracle
            .solutions
            .iter()
            .filter(|solution| solution.penalty == penalty && solution.fit_intercept && solution.class_weight.is_none())
            .collect();
        let cs: Vec<f64> = chosen.iter().map(|solution| solution.c).collect();
        assert!(cs.is_sorted() && cs.len() >= 4);
        let (penalty, settings) = tight(chosen[0]);
        let fits = path(&x, &Labels::equal(&classes), &cs, penalty, &settings).unwrap();
        for (found, solution) in fits.iter().zip(chosen) {
            check(found, solution, &oracle);
        }
    }
}

#[test]
fn features_in_single_precision_give_the_same_units() {
    let oracle = oracle();
    let rows: Vec<Vec<f32>> = oracle
        .X_train
        .iter()
        .map(|row| {
            #[expect(clippy::cast_possible_truncation, reason = "that is the point")]
            row.iter().map(|&x| x as f32).collect()
        })
        .collect();
    let (exact, single) = (
        Columns::from_rows(&oracle.X_train).unwrap(),
        Columns::from_rows(&rows).unwrap(),
    );
    let labels = Labels::equal(&classes(&oracle.y_train));
    let settings = Settings::default();
    let one = fit(&exact, &labels, 3.0, Penalty::L1, &settings).unwrap();
    let other = fit(&single, &labels, 3.0, Penalty::L1, &settings).unwrap();
    assert_eq!(one.positive(), other.positive());
    near(one.objective, other.objective, 1e-6 * one.objective, "objective");
}

#[test]
fn the_largest_c_without_weights_is_scikit_learns() {
    let oracle = oracle();
    let x = Columns::from_rows(&oracle.X_train).unwrap();
    let labels = Labels::equal(&classes(&oracle.y_train));
    let bound = largest_c_without_weights(&x, &labels, Intercept::Penalised).unwrap();
    near(bound, oracle.l1_min_c.with_intercept, 1e-9, "bound");
    let below = fit(&x, &labels, 0.999 * bound, Penalty::L1, &Settings::default()).unwrap();
    assert_eq!((below.nonzero().count(), below.bias), (0, 0.0));

    // Over the features alone, without an intercept, the first weight appears just above.
    let bound = largest_c_without_weights(&x, &labels, Intercept::Absent).unwrap();
    near(bound, oracle.l1_min_c.without_intercept, 1e-9, "bound");
    let settings = Settings {
        intercept: Intercept::Absent,
        tolerance: 1e-9,
        ..Settings::default()
    };
    let at = |factor: f64| {
        fit(&x, &labels, factor * bound, Penalty::L1, &settings)
            .unwrap()
            .nonzero()
            .count()
    };
    assert_eq!((at(0.999), at(1.01) > 0), (0, true));
}

#[test]
fn rows_without_importance_are_as_good_as_absent() {
    let oracle = oracle();
    let classes = classes(&oracle.y_train);
    let kept: Vec<usize> = (0..classes.len()).filter(|row| row % 4 != 1).collect();
    let out: Vec<usize> = (0..classes.len()).filter(|row| row % 4 == 1).collect();
    let all = Columns::from_rows(&oracle.X_train).unwrap();
    let part = Columns::from_rows(&kept.iter().map(|&row| oracle.X_train[row].clone()).collect::<Vec<_>>()).unwrap();
    let part_labels = Labels::equal(&kept.iter().map(|&row| classes[row]).collect::<Vec<_>>());
    let settings = Settings {
        tolerance: 1e-7,
        ..Settings::default()
    };
    for penalty in [Penalty::L1, Penalty::L2] {
        let without = fit(
            &all,
            &Labels::equal(&classes).without(out.iter().copied()),
            3.0,
            penalty,
            &settings,
        )
        .unwrap();
        let absent = fit(&part, &part_labels, 3.0, penalty, &settings).unwrap();
        near(
            without.objective,
            absent.objective,
            1e-9 * absent.objective,
            "objective",
        );
        for (one, other) in without.weights.iter().zip(&absent.weights) {
            near(*one, *other, 1e-3, "weight");
        }
    }
}

#[test]
fn few_columns_and_many_give_one_solution_under_l2() {
    // The first 100 columns go over the weights, all 400 over the rows; padding with zeros turns one into the other.
    let oracle = oracle();
    let classes = classes(&oracle.y_train);
    let narrow: Vec<Vec<f64>> = oracle.X_train.iter().map(|row| row[..100].to_vec()).collect();
    let padded: Vec<Vec<f64>> = oracle
        .X_train
        .iter()
        .map(|row| {
            row[..100]
                .iter()
                .copied()
                .chain(std::iter::repeat_n(0.0, 100))
                .collect()
        })
        .collect();
    let (narrow, padded) = (
        Columns::from_rows(&narrow).unwrap(),
        Columns::from_rows(&padded).unwrap(),
    );
    let labels = Labels::equal(&classes);
    let settings = Settings {
        tolerance: 1e-8,
        ..Settings::default()
    };
    for c in [0.1, 10.0, 1000.0] {
        let one = fit(&narrow, &labels, c, Penalty::L2, &settings).unwrap();
        let other = fit(&padded, &labels, c, Penalty::L2, &settings).unwrap();
        near(one.objective, other.objective, 1e-10 * one.objective, "objective");
        for (one, other) in one.weights.iter().zip(&other.weights) {
            near(*one, *other, 1e-7, "weight");
        }
        assert!(other.weights[100..].iter().all(|&weight| weight == 0.0));
    }
}

#[test]
fn folds_keep_groups_together_and_cross_validation_finds_the_signal() {
    let oracle = oracle();
    let x = Columns::from_rows(&oracle.X_train).unwrap();
    let classes = classes(&oracle.y_train);
    // Pairs of rows of one class share a group.
    let mut groups = vec![0; classes.len()];
    let mut count = 0;
    for class in [Class::Positive, Class::Negative] {
        for (nth, row) in (0..classes.len()).filter(|&row| classes[row] == class).enumerate() {
            groups[row] = count + nth / 2;
        }
        count = groups.iter().max().unwrap() + 1;
    }
    let folds = Folds::by_group(&groups, &classes, 5, 1).unwrap();
    assert_eq!(folds, Folds::by_group(&groups, &classes, 5, 1).unwrap());
    assert_ne!(folds, Folds::by_group(&groups, &classes, 5, 2).unwrap());
    let mut seen = vec![None; count];
    let mut rows = 0;
    for fold in 0..folds.count() {
        for row in folds.held_out(fold) {
            rows += 1;
            assert!(seen[groups[row]].replace(fold).is_none_or(|before| before == fold));
        }
    }
    assert_eq!(rows, classes.len());

    let labels = Labels::equal(&classes);
    let scored: Vec<usize> = (0..classes.len()).collect();
    let cs = Grid {
        points: 6,
        from: 1.2,
        to: 100.0,
    }
    .values(&x, &labels)
    .unwrap();
    let own = Rows {
        classes: &classes,
        labels: &labels,
        scored: &scored,
        folds: &folds,
    };
    let found = cross_validate(&x, None, own, &cs, Penalty::L1, &Settings::default()).unwrap();
    let best = found.best().unwrap();
    assert!(best.auroc > 0.6 && best.short == 0, "{best:?}");
    assert!(found.path.iter().map(|at| at.nonzero).is_sorted());
    assert!(Folds::by_group(&groups, &classes, 40, 1).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the data, the optimality conditions hold: checked here from their definition, not by the solver's own word.
    #[test]
    fn solutions_satisfy_the_optimality_conditions(
        rows in prop::collection::vec(prop::collection::vec(-1.0_f64..1.0, 12), 8..30),
        c in 0.05_f64..50.0,
        seed in any::<u64>(),
    ) {
        let mut classes: Vec<Class> = (0..rows.len())
            .map(|row| if seed >> (row % 64) & 1 == 1 { Class::Positive } else { Class::Negative })
            .collect();
        classes[0] = Class::Positive;
        classes[1] = Class::Negative;
        let x = Columns::from_rows(&rows).unwrap();
        for penalty in [Penalty::L1, Penalty::L2] {
            let found = fit(&x, &Labels::equal(&classes), c, penalty, &Settings::default()).unwrap();
            prop_assert_eq!(found.stopped, Stopped::Converged);
            let slopes: Vec<f64> = found
                .decisions(&x)
                .iter()
                .zip(&classes)
                .map(|(f, class)| -c * class.sign() / (1.0 + (class.sign() * f).exp()))
                .collect();
            let off = |gradient: f64, weight: f64| match penalty {
                Penalty::L2 => (gradient + weight).abs(),
                Penalty::L1 if weight == 0.0 => (gradient.abs() - 1.0).clamp(0.0, f64::INFINITY),
                Penalty::L1 => (gradient + weight.signum()).abs(),
            };
            for column in 0..12 {
                let gradient: f64 = rows.iter().zip(&slopes).map(|(row, slope)| row[column] * slope).sum();
                prop_assert!(off(gradient, found.weights[column]) <= 1.1e-5);
            }
            prop_assert!(off(slopes.iter().sum(), found.bias) <= 1.1e-5);
        }
    }
}
