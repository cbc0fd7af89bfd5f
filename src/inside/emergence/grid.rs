//! The distortion exponents q.

use serde::Serialize;

use super::config::ConfigError;

/// The distortion exponents q = k / n for the integers k of a range around zero, so that q = 0 and every tenth are exact (spec 6.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QGrid {
    low: i32,
    high: i32,
    per_unit: u32,
}

/// Beyond it, normalised masses to the power q leave what a double holds for networks of any size.
const GREATEST: u32 = 20;

impl Default for QGrid {
    /// −3 to 3 in steps of 0.1: 61 values.
    fn default() -> Self {
        Self {
            low: -30,
            high: 30,
            per_unit: 10,
        }
    }
}

impl QGrid {
    /// `low / per_unit` to `high / per_unit` in steps of `1 / per_unit`.
    ///
    /// # Errors
    /// [`ConfigError::Grid`] where a step on either side of zero is missing, or |q| would exceed 20.
    pub fn new(low: i32, high: i32, per_unit: u32) -> Result<Self, ConfigError> {
        let most = i64::from(GREATEST) * i64::from(per_unit);
        if per_unit == 0 || low > -1 || high < 1 || i64::from(low) < -most || i64::from(high) > most {
            return Err(ConfigError::Grid { low, high, per_unit });
        }
        Ok(Self { low, high, per_unit })
    }

    /// All values, ascending.
    pub fn values(self) -> Vec<f64> {
        (self.low..=self.high)
            .map(|k| f64::from(k) / f64::from(self.per_unit))
            .collect()
    }

    /// How many values there are.
    pub fn count(self) -> usize {
        self.below() + 1 + self.above()
    }

    /// The distance between neighbours.
    pub fn step(self) -> f64 {
        1.0 / f64::from(self.per_unit)
    }

    /// How many values are negative, which is the place of q = 0 too.
    pub(super) fn below(self) -> usize {
        self.low.unsigned_abs() as usize
    }

    /// How many values are positive.
    pub(super) fn above(self) -> usize {
        self.high.unsigned_abs() as usize
    }
}
