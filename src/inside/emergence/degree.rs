//! The degree of emergence E = (w_t / w_0) · ln(α0_0 / α0_t) (spec 5).
//!
//! It rises with mere growth of weights and in models that learn nothing (spec 10): never show it without its controls, and never as a score
//! of capability.

use serde::Serialize;

/// The two numbers that E is made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// The degree of irregularity.
    pub alpha0: f64,
    /// The degree of heterogeneity.
    pub width: f64,
}

/// E with its factors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Degree {
    /// w_t / w_0.
    pub heterogeneity_ratio: f64,
    /// ln(α0_0 / α0_t), the natural logarithm.
    pub regularity_log: f64,
    /// Their product; negative where α0 rose.
    pub e: f64,
}

/// Below it, a width is rounding noise and no ratio can be formed.
const ONE_POINT: f64 = 1e-12;

/// The degree of emergence at `at` against `baseline`.
pub fn degree(baseline: Metrics, at: Metrics) -> Result<Degree, DegreeError> {
    for (alpha0, place) in [(baseline.alpha0, Place::Baseline), (at.alpha0, Place::Checkpoint)] {
        if alpha0.is_nan() || alpha0 <= 0.0 {
            return Err(DegreeError::NonPositiveAlpha0 { alpha0, place });
        }
    }
    if baseline.width.is_nan() || baseline.width <= ONE_POINT {
        return Err(DegreeError::ZeroBaselineWidth { width: baseline.width });
    }
    let heterogeneity_ratio = at.width / baseline.width;
    let regularity_log = (baseline.alpha0 / at.alpha0).ln();
    Ok(Degree {
        heterogeneity_ratio,
        regularity_log,
        e: heterogeneity_ratio * regularity_log,
    })
}

/// Where a number was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the baseline.
    Baseline,
    /// At the checkpoint.
    Checkpoint,
}

/// Why there is no E.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq)]
pub enum DegreeError {
    /// α0 has no logarithm.
    #[error("α0 is {alpha0} at the {}, and E needs its logarithm", match place { Place::Baseline => "baseline", Place::Checkpoint => "checkpoint" })]
    NonPositiveAlpha0 {
        /// Its value.
        alpha0: f64,
        /// Where.
        place: Place,
    },
    /// The relative width is undefined.
    #[error(
        "the baseline's spectrum is one point (width {width}), so that no width can be relative to it; take another baseline"
    )]
    ZeroBaselineWidth {
        /// The width.
        width: f64,
    },
}
