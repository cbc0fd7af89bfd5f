//! The statistics of hallucination detection against reference values from scikit-learn and SciPy, and against their own properties.

#![expect(clippy::float_cmp, reason = "exact values are what is tested")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod calibrating;
mod detectors;
mod features;
mod logistic;
mod measures;
mod origin;
mod splits;
mod studies;
mod synthetic;
