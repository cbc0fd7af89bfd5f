//! Probabilities from scores, and how good they are.

use serde::{Deserialize, Serialize};

use super::super::logistic::{Class, sigmoid};

/// Platt's scaling: `P(hallucinated) = σ(slope · s + intercept)` (spec 12).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platt {
    /// What the score is multiplied by; never below zero.
    pub slope: f64,
    /// What is added.
    pub intercept: f64,
}

impl Platt {
    /// Fits to held-out scores by maximum likelihood against Platt's smoothed targets, `(N₊ + 1)/(N₊ + 2)` and `1/(N₋ + 2)`, which keep it finite where
    /// the classes do not overlap. Where a higher score goes with fewer hallucinations the slope is 0: every response gets the prevalence.
    /// `None` where one class is missing.
    pub fn fit(scores: &[f64], classes: &[Class]) -> Option<Self> {
        let of = |class: Class| classes.iter().filter(|&&other| other == class).count() as f64;
        let (positive, negative) = (of(Class::Positive), of(Class::Negative));
        if positive == 0.0 || negative == 0.0 || scores.iter().any(|score| !score.is_finite()) {
            return None;
        }
        let prevalence = Self {
            slope: 0.0,
            intercept: ((positive + 1.0) / (negative + 1.0)).ln(),
        };
        // Centred and scaled, so that Newton's step is well conditioned whatever the scores' unit is.
        let n = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / n;
        let deviation = (scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / n).sqrt();
        if deviation <= 1e-12 * mean.abs() || deviation == 0.0 {
            return Some(prevalence);
        }
        let rows: Vec<(f64, f64)> = scores
            .iter()
            .zip(classes)
            .map(|(score, class)| {
                let target = match class {
                    Class::Positive => (positive + 1.0) / (positive + 2.0),
                    Class::Negative => 1.0 / (negative + 2.0),
                };
                ((score - mean) / deviation, target)
            })
            .collect();
        let (slope, intercept) = maximum_likelihood(&rows, prevalence.intercept);
        if slope <= 0.0 {
            return Some(prevalence);
        }
        Some(Self {
            slope: slope / deviation,
            intercept: intercept - slope * mean / deviation,
        })
    }

    /// The probability that a response with this score is hallucinated.
    pub fn probability(self, score: f64) -> f64 {
        sigmoid(self.slope * score + self.intercept)
    }
}

/// Newton's method with halved steps on the cross-entropy of (x, target) rows.
fn maximum_likelihood(rows: &[(f64, f64)], intercept: f64) -> (f64, f64) {
    let loss = |(a, b): (f64, f64)| -> f64 {
        rows.iter()
            .map(|&(x, target)| {
                let f = a * x + b;
                // log(1 + e^f) − target · f
                let softplus = if f > 0.0 {
                    f + (-f).exp().ln_1p()
                } else {
                    f.exp().ln_1p()
                };
                softplus - target * f
            })
            .sum()
    };
    let mut at = (0.0, intercept);
    let mut reached = loss(at);
    for _ in 0..100 {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-12, 0.0, 1e-12);
        for &(x, target) in rows {
            let p = sigmoid(at.0 * x + at.1);
            let (off, weight) = (p - target, p * (1.0 - p));
            ga += off * x;
            gb += off;
            haa += weight * x * x;
            hab += weight * x;
            hbb += weight;
        }
        if ga.abs() < 1e-10 && gb.abs() < 1e-10 {
            break;
        }
        let determinant = haa * hbb - hab * hab;
        let step = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
        let mut share = 1.0;
        let mut moved = false;
        while share > 1e-10 {
            let to = (at.0 - share * step.0, at.1 - share * step.1);
            let there = loss(to);
            if there < reached {
                (at, reached, moved) = (to, there, true);
                break;
            }
            share *= 0.5;
        }
        if !moved {
            break;
        }
    }
    at
}

/// How good probabilities are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Mean squared distance of the probabilities from 0 and 1.
    pub brier: f64,
    /// Expected calibration error: the mean distance of probability and frequency over [`Reliability::bins`], weighted by their rows.
    pub ece: f64,
    /// Bins of equal width that hold rows.
    pub bins: Vec<Bin>,
}

/// Rows with similar probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// How many.
    pub rows: usize,
    /// Their mean probability.
    pub probability: f64,
    /// The share of hallucinated ones.
    pub frequency: f64,
}

impl Reliability {
    /// Over ten bins of equal width; `None` over no rows.
    pub fn of(probabilities: &[f64], classes: &[Class]) -> Option<Self> {
        const BINS: usize = 10;
        let n = probabilities.len();
        if n == 0 {
            return None;
        }
        let target = |class: Class| if class == Class::Positive { 1.0 } else { 0.0 };
        let mut sums = [(0_usize, 0.0, 0.0); BINS];
        let mut brier = 0.0;
        for (&probability, &class) in probabilities.iter().zip(classes) {
            brier += (probability - target(class)).powi(2);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a probability times ten"
            )]
            let bin = ((probability * BINS as f64) as usize).min(BINS - 1);
            sums[bin].0 += 1;
            sums[bin].1 += probability;
            sums[bin].2 += target(class);
        }
        let bins: Vec<Bin> = sums
            .into_iter()
            .filter(|&(rows, ..)| rows > 0)
            .map(|(rows, probability, hits)| Bin {
                rows,
                probability: probability / rows as f64,
                frequency: hits / rows as f64,
            })
            .collect();
        let ece = bins
            .iter()
            .map(|bin| bin.rows as f64 * (bin.probability - bin.frequency).abs())
            .sum::<f64>()
            / n as f64;
        Some(Self {
            brier: brier / n as f64,
            ece,
            bins,
        })
    }
}
