use serde_json::Value;
use widedeep::inside::bricks::{
    Matrix,
    lora::{Lora, LoraError, average, extract, merge_adapters, singular_values},
    merge::{Method, Weighting},
};

use crate::oracle::{close, get, matrix, near, read, same};

const TOLERANCE: f64 = 1e-9;

/// Adapters with their scales.
type Scaled = Vec<(Lora<f64>, f64)>;

fn case() -> (Value, Scaled, Matrix<f64>) {
    let oracle = read("ops.json");
    let op = oracle["ops"]["lora"].clone();
    let adapters = get::<Vec<Value>>(&op["adapters"]);
    let adapter = |value: &Value| {
        let lora = Lora::new(matrix(&value["A"]), matrix(&value["B"]), get(&value["alpha"])).unwrap();
        assert_eq!(lora.rank(), get::<usize>(&value["rank"]));
        (lora, get(&value["user_scale"]))
    };
    (op, adapters.iter().map(adapter).collect(), matrix(&oracle["base"]))
}

fn sum(left: &Matrix<f64>, right: &Matrix<f64>) -> Matrix<f64> {
    Matrix::from_fn(left.rows(), left.columns(), |row, column| {
        left.at(row, column) + right.at(row, column)
    })
}

#[test]
fn merging_joining_and_running_adapters_is_that_of_the_reference() {
    let (op, adapters, base) = case();
    let expected = &op["expected"];
    let (first, scale) = &adapters[0];
    let merged = first.merged_into(&base, *scale).unwrap();
    same(&merged, &expected["merged_first"], TOLERANCE);
    let (second, other) = &adapters[1];
    same(
        &second.merged_into(&merged, *other).unwrap(),
        &expected["merged_both"],
        TOLERANCE,
    );
    let outputs = matrix(&expected["y_runtime_first"]);
    for (x, y) in matrix(&op["x"]).each_row().zip(outputs.each_row()) {
        let added = first.output(x, *scale).unwrap();
        let found: Vec<f64> = base
            .times(x)
            .unwrap()
            .iter()
            .zip(added)
            .map(|(y, added)| y + added)
            .collect();
        close(&found, y, TOLERANCE);
    }
    let joined = Lora::joined(&[(first, *scale), (second, *other)]).unwrap();
    same(joined.a(), &expected["concat_A"], TOLERANCE);
    same(joined.b(), &expected["concat_B_scaled"], TOLERANCE);
    same(&joined.delta(1.0), &expected["concat_delta"], TOLERANCE);
    near(joined.alpha(), 5.0, 0.0);
}

#[test]
fn an_adapter_merged_and_taken_out_restores_the_tensor() {
    let (_, adapters, base) = case();
    let (adapter, _) = &adapters[0];
    let merged = adapter.merged_into(&base, 0.7).unwrap();
    close(
        adapter.merged_into(&merged, -0.7).unwrap().values(),
        base.values(),
        1e-12,
    );
    assert_eq!(adapter.merged_into(&base, 0.0).unwrap(), base);
}

#[test]
fn singular_values_and_the_loss_of_truncation_are_those_of_the_reference() {
    let (op, ..) = case();
    let oracle = read("ops.json");
    let (base, model) = (matrix(&oracle["base"]), matrix(&oracle["models"][0]));
    let delta = Matrix::<f64>::from_fn(6, 8, |row, column| model.at(row, column) - base.at(row, column));
    let expected = &op["expected"]["extract_rank"];
    close(
        &singular_values(&delta).unwrap(),
        &get::<Vec<f64>>(&expected["singular_values"]),
        TOLERANCE,
    );
    let found = extract(&delta, 2).unwrap();
    near(found.relative_error, get(&expected["rank2_relative_error"]), TOLERANCE);
    let rest = found.adapter.delta(1.0);
    let lost = Matrix::<f64>::from_fn(6, 8, |row, column| delta.at(row, column) - rest.at(row, column));
    near(lost.frobenius() / delta.frobenius(), found.relative_error, TOLERANCE);
    let whole = extract(&delta, 100).unwrap();
    assert_eq!(whole.adapter.rank(), 6);
    near(whole.relative_error, 0.0, 1e-12);
    close(whole.adapter.delta(1.0).values(), delta.values(), TOLERANCE);
}

#[test]
fn an_average_of_products_is_not_the_product_of_averages() {
    let matrix = |rows, columns, shift: usize| {
        Matrix::<f64>::from_fn(rows, columns, |row, column| {
            ((row * 5 + column * 3 + shift) % 7) as f64 - 3.0
        })
    };
    let first = Lora::new(matrix(2, 8, 0), matrix(6, 2, 1), 2.0).unwrap();
    let second = Lora::new(matrix(2, 8, 4), matrix(6, 2, 2), 2.0).unwrap();
    let wanted = sum(&first.delta(0.5), &second.delta(0.5));
    let found = average(&[(&first, 1.0), (&second, 1.0)], 4).unwrap();
    near(found.relative_error, 0.0, 1e-12);
    close(found.adapter.delta(1.0).values(), wanted.values(), TOLERANCE);
    let halves = |left: &Matrix<f64>, right: &Matrix<f64>| {
        let sum = sum(left, right);
        Matrix::<f64>::from_fn(sum.rows(), sum.columns(), |row, column| sum.at(row, column) / 2.0)
    };
    let naive = Lora::new(halves(first.a(), second.a()), halves(first.b(), second.b()), 2.0).unwrap();
    let naive = naive.delta(1.0);
    let gap = Matrix::<f64>::from_fn(6, 8, |row, column| naive.at(row, column) - wanted.at(row, column)).frobenius();
    assert!(gap > 0.1 * wanted.frobenius(), "{gap}");
    // Cut to rank 2, the loss is what the products lose, and no adapter of this rank loses less.
    let cut = average(&[(&first, 1.0), (&second, 1.0)], 2).unwrap();
    let lost = Matrix::<f64>::from_fn(6, 8, |row, column| {
        cut.adapter.delta(1.0).at(row, column) - wanted.at(row, column)
    });
    near(lost.frobenius() / wanted.frobenius(), cut.relative_error, TOLERANCE);
    near(
        cut.relative_error,
        extract(&wanted, 2).unwrap().relative_error,
        TOLERANCE,
    );
}

#[test]
fn an_adapter_merged_with_itself_by_any_method_is_itself() {
    let (_, adapters, _) = case();
    let (adapter, _) = &adapters[0];
    let weighting = Weighting::Normalised;
    for method in [
        Method::Linear { weighting },
        Method::Slerp { t: 0.4 },
        Method::Ties {
            density: 1.0,
            lambda: 1.0,
            weighting,
        },
    ] {
        let merged = merge_adapters(method, &[(adapter, 1.0), (adapter, 1.0)], None, 0).unwrap();
        assert_eq!(merged.adapter.rank(), 2);
        near(merged.relative_error, 0.0, 1e-7);
        close(merged.adapter.delta(1.0).values(), adapter.delta(1.0).values(), 1e-9);
    }
}

#[test]
fn an_alpha_of_zero_leaves_the_scale_alone() {
    let ones = |rows, columns| Matrix::<f32>::from_fn(rows, columns, |_, _| 1.0);
    let adapter = Lora::new(ones(2, 3), ones(3, 2), 0.0).unwrap();
    near(adapter.factor(0.5), 0.5, 0.0);
    near(Lora::new(ones(2, 3), ones(3, 2), 8.0).unwrap().factor(0.5), 2.0, 0.0);
}

#[test]
fn factors_that_do_not_fit_are_refused() {
    let ones = |rows, columns| Matrix::<f32>::from_fn(rows, columns, |_, _| 1.0);
    assert!(matches!(
        Lora::new(ones(2, 3), ones(3, 1), 1.0),
        Err(LoraError::Shape(_))
    ));
    assert_eq!(Lora::new(ones(0, 3), ones(3, 0), 1.0), Err(LoraError::NoRank));
    assert!(matches!(
        Lora::new(ones(1, 3), ones(3, 1), f64::NAN),
        Err(LoraError::Alpha(_))
    ));
    let adapter = Lora::new(ones(1, 3), ones(3, 1), 1.0).unwrap();
    assert!(matches!(
        adapter.merged_into(&ones(4, 3), 1.0),
        Err(LoraError::Shape(_))
    ));
}
