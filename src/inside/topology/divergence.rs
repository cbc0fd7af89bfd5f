//! How far apart two samples, or two histograms, are (specification section 5).

use super::histogram::{Histogram, range};
use super::kde::{GRID, Kde, grid};

/// Densities below this count as this: the logarithm of a tail that underflowed would be infinite.
const FLOOR: f64 = 1e-300;

/// The papers' symmetric Kullback-Leibler divergence between kernel densities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jeffreys {
    /// Over the grid's points, densities not normalised: what the papers plot.
    pub sum: f64,
    /// The sum times the grid's step: an estimate of the integral, in nats, which does not depend on the range.
    pub integral: f64,
}

/// `sum P ln(P/Q) + Q ln(Q/P)` over 1000 points of the joint range. `None` where a sample has no density ([`Kde::scott`]).
#[must_use]
pub fn jeffreys(one: &[f64], other: &[f64]) -> Option<Jeffreys> {
    let (p, q) = (Kde::scott(one)?, Kde::scott(other)?);
    let (low, high) = joint(one, other)?;
    let floored = |density: f64| if density < FLOOR { FLOOR } else { density };
    let sum: f64 = grid(low, high)
        .map(|x| (floored(p.at(x)), floored(q.at(x))))
        .map(|(p, q)| (p - q) * (p / q).ln())
        .sum();
    Some(Jeffreys {
        sum,
        integral: sum * (high - low) / GRID as f64,
    })
}

/// Jensen-Shannon divergence of two samples over `bins` shared bins of the joint range, in bits: 0 to 1. `None` where a sample is empty.
#[must_use]
pub fn jensen_shannon(one: &[f64], other: &[f64], bins: usize) -> Option<f64> {
    let (low, high) = joint(one, other)?;
    let counted = |values: &[f64]| {
        let mut histogram = Histogram::new(low, high, bins);
        histogram.add(values.iter().copied());
        histogram.counts
    };
    between_counts(&counted(one), &counted(other))
}

/// What [`jensen_shannon`] comes to, on average, between two samples of one distribution: `(k - 1) (1/n + 1/m) / (8 ln 2)` bits with k the bins that hold
/// anything. A divergence of about this size is sampling noise. `None` where a sample is empty.
#[must_use]
pub fn jensen_shannon_noise(one: &[f64], other: &[f64], bins: usize) -> Option<f64> {
    let (low, high) = joint(one, other)?;
    let mut histogram = Histogram::new(low, high, bins);
    histogram.add(one.iter().chain(other).copied());
    let held = histogram.counts.iter().filter(|&&count| count > 0).count();
    let sizes = 1.0 / one.len() as f64 + 1.0 / other.len() as f64;
    Some((held - 1) as f64 * sizes / (8.0 * std::f64::consts::LN_2))
}

/// Jensen-Shannon divergence in bits of two rows of counts over the same bins. `None` where a row counts nothing.
#[must_use]
pub fn between_counts(one: &[u64], other: &[u64]) -> Option<f64> {
    let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
    let (n, m) = (total(one), total(other));
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let shares = |counts: &[u64], total: f64| {
        counts
            .iter()
            .map(move |&count| count as f64 / total)
            .collect::<Vec<f64>>()
    };
    Some(between_shares(shares(one, n), shares(other, m)))
}

/// Jensen-Shannon divergence in bits of two distributions over the same bins, as shares that sum to 1.
pub(super) fn between_shares(one: impl IntoIterator<Item = f64>, other: impl IntoIterator<Item = f64>) -> f64 {
    let term = |share: f64, mixed: f64| {
        if share > 0.0 {
            share * (share / mixed).log2()
        } else {
            0.0
        }
    };
    let pairs = one.into_iter().zip(other);
    let bits: f64 = pairs
        .map(|(p, q)| {
            let mixed = 0.5 * (p + q);
            0.5 * (term(p, mixed) + term(q, mixed))
        })
        .sum();
    bits.clamp(0.0, 1.0)
}

/// What two sorted samples' distribution functions say about their distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// Kolmogorov-Smirnov: the greatest vertical distance.
    pub kolmogorov_smirnov: f64,
    /// Wasserstein-1: the area between them, in the values' own unit.
    pub wasserstein: f64,
}

/// Walks both empirical distribution functions at once. `None` where a sample is empty.
#[must_use]
pub fn steps(one: &[f64], other: &[f64]) -> Option<Steps> {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (one, other) = (sorted(one), sorted(other));
    let (mut past_one, mut past_other) = (0, 0);
    let mut at = lesser(one.first(), other.first()).filter(|_| !one.is_empty() && !other.is_empty())?;
    let (mut greatest, mut area, mut gap) = (0.0, 0.0, 0.0);
    while let Some(next) = lesser(one.get(past_one), other.get(past_other)) {
        area += gap * (next - at);
        at = next;
        // Equal values of both samples are one step.
        past_one += one[past_one..].iter().take_while(|&&value| value <= at).count();
        past_other += other[past_other..].iter().take_while(|&&value| value <= at).count();
        gap = (past_one as f64 / one.len() as f64 - past_other as f64 / other.len() as f64).abs();
        greatest = if gap > greatest { gap } else { greatest };
    }
    Some(Steps {
        kolmogorov_smirnov: greatest,
        wasserstein: area,
    })
}

fn lesser(one: Option<&f64>, other: Option<&f64>) -> Option<f64> {
    one.into_iter().chain(other).copied().min_by(f64::total_cmp)
}

fn joint(one: &[f64], other: &[f64]) -> Option<(f64, f64)> {
    let (a, b) = (range(one)?, range(other)?);
    Some((if b.0 < a.0 { b.0 } else { a.0 }, if b.1 > a.1 { b.1 } else { a.1 }))
}
