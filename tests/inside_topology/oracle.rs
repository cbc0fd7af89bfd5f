//! Reading oracle files, and saying where a value departs from them.

use serde_json::Value;
use widedeep::inside::topology::{Activation, Matrix, Summary};

/// An oracle file of `../shared/data/topology`.
pub fn file(name: &str) -> Value {
    let path = format!("{}/../shared/data/topology/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("this test reads `../shared/data/topology/{name}` beside the project: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// The cases of a file, each with its name.
pub fn cases(name: &str) -> Vec<(String, Value)> {
    let cases = file(name)["cases"].as_array().unwrap().clone();
    cases
        .into_iter()
        .map(|case| (case["name"].as_str().unwrap().to_owned(), case))
        .collect()
}

/// All numbers below a value, in order: a tensor in row-major order.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        Value::Null => Vec::new(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// Lengths along each axis.
pub fn shape(value: &Value) -> Vec<usize> {
    value.as_array().map_or_else(Vec::new, |values| {
        std::iter::once(values.len())
            .chain(values.first().map(shape).unwrap_or_default())
            .collect()
    })
}

/// A matrix `[out][in]`.
pub fn matrix(value: &Value) -> Matrix {
    let shape = shape(value);
    Matrix::new(shape[0], shape[1], numbers(value)).unwrap()
}

/// A bias, where there is one.
pub fn bias(value: &Value) -> Option<Vec<f64>> {
    (!value.is_null()).then(|| numbers(value))
}

/// An activation function by its name.
pub fn activation(value: &Value) -> Activation {
    serde_json::from_value(value.clone()).unwrap()
}

/// Tolerances: relative, and absolute beside it.
#[derive(Clone, Copy)]
pub struct Within(pub f64, pub f64);

/// What the README of the oracles asks for of small networks.
pub const SMALL: Within = Within(1e-8, 1e-9);

impl Within {
    /// Fails unless all values agree.
    #[track_caller]
    pub fn all(self, what: &str, found: &[f64], expected: &Value) {
        let expected = numbers(expected);
        assert_eq!(found.len(), expected.len(), "{what}: number of values");
        assert!(!expected.is_empty(), "{what}: the oracle has no values");
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            let room = self.0 * expected.abs() + self.1;
            assert!(
                (found - expected).abs() <= room,
                "{what}[{at}]: {found} where the oracle has {expected}"
            );
        }
    }

    /// Fails unless two numbers agree.
    #[track_caller]
    pub fn one(self, what: &str, found: f64, expected: &Value) {
        self.all(what, &[found], expected);
    }

    /// Fails unless a summary agrees in all that the oracle gives.
    #[track_caller]
    pub fn summary(self, what: &str, found: &Summary, expected: &Value) {
        assert_eq!(found.n, expected["n"].as_u64().unwrap(), "{what}: n");
        let figures = [
            ("mean", Some(found.mean)),
            ("std", Some(found.std)),
            ("var", Some(found.variance())),
            ("min", Some(found.min)),
            ("max", Some(found.max)),
            ("l1", Some(found.l1)),
            ("l2", Some(found.l2)),
            ("skew", found.skew),
            ("kurtosis_excess", found.kurtosis_excess),
        ];
        for (name, figure) in figures {
            let what = format!("{what}: {name}");
            match figure {
                Some(figure) => self.one(&what, figure, &expected[name]),
                None => assert!(expected[name].is_null(), "{what}"),
            }
        }
        if let Some(quantiles) = expected.get("quantiles_1_5_25_50_75_95_99") {
            self.all(&format!("{what}: quantiles"), &found.quantiles, quantiles);
        }
    }
}
