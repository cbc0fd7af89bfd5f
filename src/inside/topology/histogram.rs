//! Counts in bins of equal width, and on a signed logarithmic scale for values whose range is not known beforehand.

use serde::{Deserialize, Serialize};

/// Bins of equal width over a closed range; each is half-open but the last, which is closed (specification section 7).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Left edge of the first bin.
    pub low: f64,
    /// Right edge of the last bin.
    pub high: f64,
    /// Values per bin. What lies outside the range is in the outermost bin on its side.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Empty bins. A range without width takes everything into the first bin.
    ///
    /// # Panics
    /// If there are no bins.
    #[must_use]
    pub fn new(low: f64, high: f64, bins: usize) -> Self {
        assert!(bins > 0, "a histogram needs a bin");
        Self {
            low,
            high,
            counts: vec![0; bins],
        }
    }

    /// The values between their extremes; `None` where there are none.
    #[must_use]
    pub fn of(values: &[f64], bins: usize) -> Option<Self> {
        let (low, high) = range(values)?;
        let mut histogram = Self::new(low, high, bins);
        histogram.add(values.iter().copied());
        Some(histogram)
    }

    /// Counts values in.
    pub fn add(&mut self, values: impl Iterator<Item = f64>) {
        let bins = self.counts.len();
        let width = self.high - self.low;
        let scale = if width > 0.0 { bins as f64 / width } else { 0.0 };
        for value in values {
            // A negative place becomes 0 in the cast, as does NaN.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
            let place = ((value - self.low) * scale) as usize;
            self.counts[if place < bins { place } else { bins - 1 }] += 1;
        }
    }

    /// Counts of another histogram over the same bins.
    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// Middles of the bins with the density there, for a figure.
    #[must_use]
    pub fn density(&self) -> Vec<(f64, f64)> {
        let step = (self.high - self.low) / self.counts.len() as f64;
        let total: u64 = self.counts.iter().sum();
        let scale = 1.0 / (total as f64 * step);
        let middle = |bin: usize| self.low + (bin as f64 + 0.5) * step;
        let counts = self.counts.iter().enumerate();
        counts
            .map(|(bin, &count)| (middle(bin), count as f64 * scale))
            .collect()
    }
}

/// The least and the greatest value.
pub(super) fn range(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().min_by(f64::total_cmp)?;
    Some((least, values.iter().copied().max_by(f64::total_cmp)?))
}

/// Bins of a [`SignedLog`] on one side of zero.
const SIDE: usize = 127;
/// The smallest size that has a bin of its own; below it lies the middle, with zero.
const SMALLEST: f64 = 1e-6;
/// The size above which everything is in the last bin.
const LARGEST: f64 = 1e5;

/// Counts of values of both signs in bins that grow by a fixed factor: the range of activations is not known before the text has been read,
/// and a few are thousands of times the rest (specification section 6.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignedLog {
    /// 255 counts, most negative first, near-zero values in the middle.
    pub counts: Vec<u64>,
}

impl Default for SignedLog {
    fn default() -> Self {
        Self {
            counts: vec![0; 2 * SIDE + 1],
        }
    }
}

impl SignedLog {
    /// Counts one value in.
    pub fn add(&mut self, value: f64) {
        let size = value.abs();
        let place = if size < SMALLEST {
            SIDE
        } else {
            let per_bin = (LARGEST / SMALLEST).ln() / SIDE as f64;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
            let step = ((size / SMALLEST).ln() / per_bin) as usize;
            let step = if step < SIDE { step } else { SIDE - 1 };
            if value > 0.0 { SIDE + 1 + step } else { SIDE - 1 - step }
        };
        self.counts[place] += 1;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_last_bin_is_closed_and_the_others_are_half_open() {
        let histogram = Histogram::of(&[0.0, 1.0, 2.0, 3.0, 4.0], 4).unwrap();
        assert_eq!(histogram.counts, [1, 1, 1, 2]);
    }

    #[test]
    fn density_integrates_to_one() {
        let histogram = Histogram::of(&[0.5, 1.0, 2.0, 2.5, 4.5], 8).unwrap();
        let area: f64 = histogram.density().iter().map(|(_, density)| density * 0.5).sum();
        assert!((area - 1.0).abs() < 1e-12);
    }

    #[test]
    fn signed_bins_are_symmetric_about_zero() {
        let (mut one, mut other) = (SignedLog::default(), SignedLog::default());
        for value in [0.0, 1e-9, 0.3, 2e7, 41.0] {
            one.add(value);
            other.add(-value);
        }
        other.counts.reverse();
        assert_eq!(one, other);
    }
}
