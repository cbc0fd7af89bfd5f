//! Rates and bars: the thresholds of both methods, which the user may change.

use serde::{Deserialize, Serialize};

/// A share greater than 0 and at most 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(f64);

/// A number that is no rate.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq)]
#[error("`{0}` is not a rate: give a number greater than 0 and at most 1, such as 0.01")]
pub struct RateError(pub f64);

impl Rate {
    /// One in a hundred: the share of units that both papers select.
    pub const HUNDREDTH: Self = Self(0.01);
    /// The 95th percentile: the bar of both papers.
    pub const NINETY_FIVE: Self = Self(0.95);

    /// Checks a rate.
    pub fn new(rate: f64) -> Result<Self, RateError> {
        if rate > 0.0 && rate <= 1.0 {
            Ok(Self(rate))
        } else {
            Err(RateError(rate))
        }
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// This share of `total`, rounded half to even as the published code rounds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is in (0, 1], so the product is between 0 and a length in memory"
    )]
    pub fn of(self, total: usize) -> usize {
        (total as f64 * self.0).round_ties_even() as usize
    }
}

impl TryFrom<f64> for Rate {
    type Error = RateError;

    fn try_from(rate: f64) -> Result<Self, RateError> {
        Self::new(rate)
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl std::str::FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        Self::new(text.trim().parse().unwrap_or(f64::NAN))
    }
}

/// A threshold on the probability of being active.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bar {
    /// The order statistic at this rate of all probabilities, of all units and languages together.
    Quantile(Rate),
    /// A probability given as such: the threshold that another model's counts yielded.
    Value(f64),
}
