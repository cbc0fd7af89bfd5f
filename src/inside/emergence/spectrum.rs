//! The multifractal spectrum: τ(q), α(q), f(α), α0 and the width (spec 4 to 6).

use serde::Serialize;

use super::{
    config::{Analysis, Derivative, Peak, Reject, ScalingRule},
    moments::{Fit, Moments},
};

/// One spectrum, with what is needed to judge it.
#[derive(Clone, Debug, Serialize)]
pub struct Spectrum {
    /// The distortion exponents.
    pub q: Vec<f64>,
    /// The mass exponent at every q.
    pub tau: Vec<f64>,
    /// R² of the fit at every q; `None` where ln Z does not vary, as at q = 0.
    pub r2: Vec<Option<f64>>,
    /// α and f, with the q they belong to.
    pub curve: Curve,
    /// α at the top of f, by the rule chosen: the degree of irregularity.
    pub alpha0: f64,
    /// (τ(h) − τ(−h)) / 2h.
    pub alpha0_centred: f64,
    /// (τ(0) − τ(−h)) / h.
    pub alpha0_minus: f64,
    /// (τ(h) − τ(0)) / h.
    pub alpha0_plus: f64,
    /// The slope of the mean of ln u(r); `None` for measures that are not node-centred.
    pub alpha0_exact: Option<f64>,
    /// τ''(0): the slope of the variance of ln u(r) between nodes.
    pub curvature: Option<f64>,
    /// The least α.
    pub alpha_min: f64,
    /// The greatest α.
    pub alpha_max: f64,
    /// `alpha_max − alpha_min`: the degree of heterogeneity.
    pub width: f64,
    /// ln[(α0 − α_min) / (α_max − α0)]; `None` for a one-point spectrum, or where α0 is an end.
    pub asymmetry: Option<f64>,
    /// How well, and over what, ln Z is a line.
    pub scaling: Scaling,
}

/// α(q) and f(α(q)).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curve {
    /// The exponents that have an α.
    pub q: Vec<f64>,
    /// dτ/dq.
    pub alpha: Vec<f64>,
    /// qα − τ.
    pub f: Vec<f64>,
}

/// How well, and over what, ln Z is a line in ln r.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scaling {
    /// Nodes with enough lengths.
    pub nodes: usize,
    /// Radii in the fit.
    pub radii: usize,
    /// The smallest of them.
    pub r_min: f64,
    /// The greatest of them.
    pub r_max: f64,
    /// The least R² over all q at which ln Z varies; 1 where it varies at none.
    pub worst_r2: f64,
    /// The q at which it is least.
    pub worst_q: f64,
}

/// Below it, a width is rounding noise.
const ONE_POINT: f64 = 1e-9;

/// How far α may exceed that of the smallest q (the authors' filter).
const MONOTONE: f64 = 0.01;

impl Curve {
    /// The Legendre step by differences of τ.
    pub fn of(q: &[f64], tau: &[f64], derivative: Derivative) -> Self {
        let last = q.len().saturating_sub(1);
        let slope = |a: usize, b: usize| (tau[b] - tau[a]) / (q[b] - q[a]);
        match derivative {
            Derivative::Central => Self::legendre(q, tau, (1..last).map(|k| (k, slope(k - 1, k + 1)))),
            Derivative::Forward | Derivative::Exact => Self::legendre(q, tau, (0..last).map(|k| (k, slope(k, k + 1)))),
        }
    }

    /// The curve with these α, given with the places of their q.
    fn legendre(q: &[f64], tau: &[f64], alphas: impl Iterator<Item = (usize, f64)>) -> Self {
        let mut curve = Self::default();
        for (place, alpha) in alphas {
            curve.q.push(q[place]);
            curve.alpha.push(alpha);
            curve.f.push(q[place] * alpha - tau[place]);
        }
        curve
    }

    /// α where f is greatest; the first of equals.
    pub fn peak(&self) -> f64 {
        let mut peak = (f64::NAN, f64::NEG_INFINITY);
        for (alpha, f) in self.alpha.iter().zip(&self.f) {
            if *f > peak.1 {
                peak = (*alpha, *f);
            }
        }
        peak.0
    }

    /// The least and the greatest α.
    pub fn range(&self) -> (f64, f64) {
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for &alpha in &self.alpha {
            least = if alpha < least { alpha } else { least };
            most = if alpha > most { alpha } else { most };
        }
        (least, most)
    }
}

impl Spectrum {
    /// Lays the lines and takes the Legendre step. It judges nothing: see [`Scaling::check`].
    pub fn fit(moments: &Moments, analysis: &Analysis) -> Result<Self, SpectrumError> {
        let moments = &moments.within(analysis.window);
        let (&[first, .., last], q) = (moments.radii.as_slice(), moments.q.values()) else {
            return Err(SpectrumError::DegenerateRadii {
                radii: moments.radii.len(),
            });
        };
        let fit = Fit::on(&moments.radii, analysis.line);
        let tau: Vec<f64> = moments.ln_z.iter().map(|y| fit.slope(y)).collect();
        let r2: Vec<Option<f64>> = moments.ln_z.iter().zip(&tau).map(|(y, tau)| fit.r2(y, *tau)).collect();
        let curve = match (analysis.derivative, &moments.d_ln_z) {
            (Derivative::Exact, Some(slopes)) => {
                Curve::legendre(&q, &tau, slopes.iter().map(|y| fit.slope(y)).enumerate())
            }
            _ => Curve::of(&q, &tau, analysis.derivative),
        };
        let (zero, step) = (moments.q.below(), moments.q.step());
        let alpha0_minus = (tau[zero] - tau[zero - 1]) / step;
        let alpha0_plus = (tau[zero + 1] - tau[zero]) / step;
        let alpha0_centred = f64::midpoint(alpha0_minus, alpha0_plus);
        let alpha0_exact = moments.mean_ln_u.as_ref().map(|y| fit.slope(y));
        let alpha0 = match analysis.peak {
            Peak::Centred => alpha0_centred,
            Peak::Exact => alpha0_exact.unwrap_or(alpha0_centred),
            Peak::ArgMax => curve.peak(),
        };
        let (alpha_min, alpha_max) = curve.range();
        let width = alpha_max - alpha_min;
        let (worst_r2, worst_q) = worst(&q, &r2);
        Ok(Self {
            alpha0,
            alpha0_centred,
            alpha0_minus,
            alpha0_plus,
            alpha0_exact,
            curvature: moments.variance_ln_u.as_ref().map(|y| fit.slope(y)),
            alpha_min,
            alpha_max,
            width,
            asymmetry: asymmetry(alpha0, alpha_min, alpha_max),
            scaling: Scaling {
                nodes: moments.nodes,
                radii: moments.radii.len(),
                r_min: first,
                r_max: last,
                worst_r2,
                worst_q,
            },
            q,
            tau,
            r2,
            curve,
        })
    }

    /// Whether the authors' optional filters throw this repetition away.
    pub fn is_rejected(&self, rule: Reject) -> bool {
        let positive = self.curve.f.iter().any(|f| *f > 0.0);
        let bent = self
            .curve
            .alpha
            .first()
            .is_some_and(|first| self.alpha_max - first > MONOTONE);
        match rule {
            Reject::None => false,
            Reject::PositiveF => positive,
            Reject::NonMonotone => bent,
            Reject::Both => positive || bent,
        }
    }
}

/// ln[(α0 − α_min) / (α_max − α0)], where all three differ by more than rounding noise.
pub(super) fn asymmetry(alpha0: f64, alpha_min: f64, alpha_max: f64) -> Option<f64> {
    let (left, right) = (alpha0 - alpha_min, alpha_max - alpha0);
    (left > ONE_POINT && right > ONE_POINT).then(|| (left / right).ln())
}

fn worst(q: &[f64], r2: &[Option<f64>]) -> (f64, f64) {
    let mut worst = (1.0, 0.0);
    for (q, r2) in q.iter().zip(r2) {
        if let Some(r2) = r2
            && *r2 < worst.0
        {
            worst = (*r2, *q);
        }
    }
    worst
}

impl Scaling {
    /// Refuses what is not a power law over enough radii.
    pub fn check(&self, rule: ScalingRule) -> Result<(), SpectrumError> {
        let ScalingRule::Require { r2, radii, span } = rule else {
            return Ok(());
        };
        let enough = self.radii >= radii && self.r_max >= span * self.r_min;
        if enough && self.worst_r2 >= r2 {
            Ok(())
        } else {
            Err(SpectrumError::NoScaling {
                found: *self,
                least_r2: r2,
                least_radii: radii,
                least_span: span,
            })
        }
    }
}

/// Why there is no spectrum.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum SpectrumError {
    /// No node has enough lengths.
    #[error(
        "none of {sources} nodes has more than {more_than} edge lengths within the limits; look at the scale of the weights, and bring them to one root mean square or widen the limits"
    )]
    NoUsableNode {
        /// Nodes looked at.
        sources: usize,
        /// How many lengths are not enough.
        more_than: usize,
    },
    /// No line can be laid.
    #[error("{radii} different radius(es) are left, and a line needs two; lengths that do not differ have no spectrum")]
    DegenerateRadii {
        /// Radii left.
        radii: usize,
    },
    /// Masses do not grow as a power of the radius.
    #[error(
        "masses do not scale as a power of the radius: R² is {:.3} at q = {} over {} radii from {:.3} to {:.3} (at least R² {least_r2}, {least_radii} radii and a span of {least_span} are asked for); bring the weights to one root mean square, or ask for the spectrum all the same",
        found.worst_r2, found.worst_q, found.radii, found.r_min, found.r_max
    )]
    NoScaling {
        /// What was found.
        found: Scaling,
        /// The least R² asked for.
        least_r2: f64,
        /// The fewest radii asked for.
        least_radii: usize,
        /// The least ratio of the greatest to the smallest radius asked for.
        least_span: f64,
    },
}
