//! The reference values.

use std::{fs, path::Path};

use serde::de::DeserializeOwned;
use serde_json::Value;
use widedeep::inside::bricks::{Element, Matrix};

/// A file of reference values.
pub fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data/bricks")
        .join(name);
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|failed| panic!("reference values `{}` are needed: {failed}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Any part of a file as a type.
pub fn get<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|failed| panic!("{failed} in {value}"))
}

/// Nested lists as a matrix.
pub fn matrix(value: &Value) -> Matrix<f64> {
    Matrix::from_rows(&get::<Vec<Vec<f64>>>(value)).unwrap()
}

/// Fails unless all numbers are within `tolerance` of the reference, relative to its size where it is above 1.
#[track_caller]
pub fn close<T: Element>(found: &[T], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "counts of values");
    for (nth, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let (found, size) = (found.into(), expected.abs().max_of(1.0));
        assert!(
            (found - expected).abs() <= tolerance * size,
            "value {nth}: {found} is not {expected}"
        );
    }
}

/// [`close`] for single numbers.
#[track_caller]
pub fn near(found: f64, expected: f64, tolerance: f64) {
    close(&[found], &[expected], tolerance);
}

/// [`close`] for matrices.
#[track_caller]
pub fn same<T: Element>(found: &Matrix<T>, expected: &Value, tolerance: f64) {
    let expected = matrix(expected);
    assert_eq!(
        (found.rows(), found.columns()),
        (expected.rows(), expected.columns()),
        "shapes"
    );
    close(found.values(), expected.values(), tolerance);
}

trait MaxOf {
    fn max_of(self, other: f64) -> f64;
}

impl MaxOf for f64 {
    fn max_of(self, other: f64) -> f64 {
        if self > other { self } else { other }
    }
}
