//! What a layer does to the sum that arrives at each node.

use serde::{Deserialize, Serialize};

/// An activation function, named as TOML files name it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// The sum itself.
    #[default]
    Linear,
    /// Zero below zero.
    Relu,
    /// `1 / (1 + exp(-z))`.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// Exponentials divided by their sum, over the whole layer.
    Softmax,
    /// `z / (1 + exp(-z))`.
    Silu,
}

impl Activation {
    /// Replaces a layer's sums by its activations.
    pub fn apply(self, sums: &mut [f64]) {
        match self {
            Self::Linear => {}
            Self::Relu => each_by(sums, |z| if z > 0.0 { z } else { 0.0 }),
            Self::Sigmoid => each_by(sums, logistic),
            Self::Tanh => each_by(sums, f64::tanh),
            Self::Silu => each_by(sums, |z| z * logistic(z)),
            Self::Softmax => {
                let greatest = sums.iter().copied().max_by(f64::total_cmp).unwrap_or(0.0);
                each_by(sums, |z| (z - greatest).exp());
                let total: f64 = sums.iter().sum();
                each_by(sums, |z| z / total);
            }
        }
    }
}

fn each_by(sums: &mut [f64], f: impl Fn(f64) -> f64) {
    for z in sums {
        *z = f(*z);
    }
}

fn logistic(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}
