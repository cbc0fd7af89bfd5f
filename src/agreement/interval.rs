//! Confidence levels and intervals.

use serde::{Deserialize, Serialize};

/// How much of the distribution an interval covers: strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Level(f64);

/// A number that is no confidence level.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("`{value}` is no confidence level: it must lie between 0 and 1, such as `0.95`")]
pub struct LevelError {
    /// The number.
    pub value: f64,
}

impl Level {
    /// 95 %, the default.
    pub const P95: Self = Self(0.95);

    /// A level strictly between 0 and 1.
    pub fn new(value: f64) -> Result<Self, LevelError> {
        if value > 0.0 && value < 1.0 {
            Ok(Self(value))
        } else {
            Err(LevelError { value })
        }
    }

    /// The level as a share.
    pub fn get(self) -> f64 {
        self.0
    }

    /// What is left out on each side.
    pub(super) fn tail(self) -> f64 {
        (1.0 - self.0) / 2.0
    }
}

impl Default for Level {
    fn default() -> Self {
        Self::P95
    }
}

impl TryFrom<f64> for Level {
    type Error = LevelError;

    fn try_from(value: f64) -> Result<Self, LevelError> {
        Self::new(value)
    }
}

impl From<Level> for f64 {
    fn from(level: Level) -> Self {
        level.0
    }
}

/// A two-sided interval, `low ≤ high`, in the unit of the measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The share that it covers.
    pub level: Level,
}

impl Interval {
    /// Whether the value lies in it, ends included.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The central part of a sample: its quantiles at both tails, linear between order statistics (NumPy's default).
    /// `None` without draws. Sorts them.
    pub(crate) fn percentile(draws: &mut [f64], level: Level) -> Option<Self> {
        draws.sort_by(f64::total_cmp);
        let low = quantile(draws, level.tail())?;
        let high = quantile(draws, 1.0 - level.tail())?;
        Some(Self { low, high, level })
    }
}

/// The quantile of ascending values at `share` in 0..=1.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 ≤ place ≤ last"
    )]
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::agreement::oracles::assert_near;

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        // numpy.quantile([1, 2, 4, 8], [0, .025, .5, .9, 1])
        for (share, expected) in [(0.0, 1.0), (0.025, 1.075), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert_near(quantile(&sorted, share), expected, "quantile");
        }
        assert_near(quantile(&[], 0.5), None, "nothing");
        assert_near(quantile(&[3.0], 0.975), 3.0, "one value");
    }

    #[test]
    fn a_level_lies_strictly_between_zero_and_one() {
        for value in [0.0, 1.0, -0.5, 95.0, f64::NAN] {
            assert!(Level::new(value).is_err(), "{value}");
        }
        assert_eq!(serde_json::to_string(&Level::P95).unwrap(), "0.95");
        assert!(serde_json::from_str::<Level>("95").is_err());
    }
}
