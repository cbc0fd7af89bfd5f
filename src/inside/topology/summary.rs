//! A multiset of values in figures: moments, norms, quantiles.

use serde::{Deserialize, Serialize};

/// The shares of which a [`Summary`] gives quantiles.
pub const SHARES: [f64; 7] = [0.01, 0.05, 0.25, 0.50, 0.75, 0.95, 0.99];

/// Figures over a multiset of values. Standard deviation, skewness and kurtosis are population moments (divided by n, specification section 7).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many values.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Population standard deviation. Over node strengths of a layer this is the paper's layer fluctuation.
    pub std: f64,
    /// The least value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
    /// Sum of absolute values.
    pub l1: f64,
    /// Root of the sum of squares.
    pub l2: f64,
    /// `m3 / m2^1.5`; `None` where all values are equal.
    pub skew: Option<f64>,
    /// `m4 / m2^2 - 3`; `None` where all values are equal.
    pub kurtosis_excess: Option<f64>,
    /// Quantiles at [`SHARES`], by linear interpolation between order statistics.
    pub quantiles: [f64; 7],
}

impl Summary {
    /// `None` where there are no values.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sums = Sums::default();
        sums.add(values.iter().copied());
        let mut powers = Powers::about(sums.mean()?);
        powers.add(values.iter().copied());
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Some(Self::from_parts(
            &sums,
            &powers,
            SHARES.map(|share| quantile(&sorted, share)),
        ))
    }

    /// Variance: the square of [`std`](Self::std).
    #[must_use]
    pub fn variance(&self) -> f64 {
        self.std * self.std
    }

    /// What two passes collected: `sums` from the first, `powers` about its mean from the second.
    pub(super) fn from_parts(sums: &Sums, powers: &Powers, quantiles: [f64; 7]) -> Self {
        let n = sums.n as f64;
        let [m2, m3, m4] = powers.sums.map(|sum| sum / n);
        let spread = m2 > 0.0;
        Self {
            n: sums.n,
            mean: sums.sum / n,
            std: m2.sqrt(),
            min: sums.min,
            max: sums.max,
            l1: sums.absolute,
            l2: sums.squares.sqrt(),
            skew: spread.then(|| m3 / m2.powf(1.5)),
            kurtosis_excess: spread.then(|| m4 / (m2 * m2) - 3.0),
            quantiles,
        }
    }
}

/// The quantile of sorted values by linear interpolation. `sorted` must not be empty.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let (below, above, part) = place(sorted.len(), share);
    between(sorted[below], sorted[above], part)
}

/// Which two order statistics (from 0) a quantile over `n` values lies between, and how far from the first to the second.
pub(super) fn place(n: usize, share: f64) -> (usize, usize, f64) {
    let at = share * (n - 1) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 <= at <= n - 1"
    )]
    let below = at.floor() as usize;
    (below, (below + 1).clamp(0, n - 1), at - below as f64)
}

/// The value at `part` of the way from `low` to `high`.
pub(super) fn between(low: f64, high: f64, part: f64) -> f64 {
    low + part * (high - low)
}

/// What one pass over values yields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums {
    pub(super) n: u64,
    pub(super) sum: f64,
    pub(super) absolute: f64,
    pub(super) squares: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            n: 0,
            sum: 0.0,
            absolute: 0.0,
            squares: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Sums {
    pub(super) fn add(&mut self, values: impl Iterator<Item = f64>) {
        for value in values {
            self.n += 1;
            self.sum += value;
            self.absolute += value.abs();
            self.squares += value * value;
            self.min = if value < self.min { value } else { self.min };
            self.max = if value > self.max { value } else { self.max };
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.absolute += other.absolute;
        self.squares += other.squares;
        self.min = if other.min < self.min { other.min } else { self.min };
        self.max = if other.max > self.max { other.max } else { self.max };
    }

    pub(super) fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }
}

/// Sums of the second, third and fourth powers of distances from a mean that is known already.
#[derive(Debug, Clone, Copy)]
pub(super) struct Powers {
    mean: f64,
    sums: [f64; 3],
}

impl Powers {
    pub(super) fn about(mean: f64) -> Self {
        Self { mean, sums: [0.0; 3] }
    }

    pub(super) fn add(&mut self, values: impl Iterator<Item = f64>) {
        for value in values {
            let distance = value - self.mean;
            let square = distance * distance;
            self.sums[0] += square;
            self.sums[1] += square * distance;
            self.sums[2] += square * square;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            *sum += more;
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn equal_values_have_neither_skew_nor_kurtosis() {
        let summary = Summary::of(&[2.0; 5]).unwrap();
        assert_eq!((summary.mean, summary.std), (2.0, 0.0));
        assert_eq!((summary.skew, summary.kurtosis_excess), (None, None));
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn quantiles_lie_between_order_statistics() {
        let summary = Summary::of(&[3.0, 1.0, 2.0, 4.0]).unwrap();
        assert_eq!(summary.quantiles[2..5], [1.75, 2.5, 3.25]);
    }
}
