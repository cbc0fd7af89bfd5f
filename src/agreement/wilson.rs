//! Wilson's score interval of a proportion: honest for small counts and at 0 and 1, where a bootstrap has no width.

use statrs::distribution::{ContinuousCDF, Normal};

use super::{Interval, Level};

/// The interval of `successes` out of `n`; `None` when `n` is 0 or smaller than `successes`.
pub fn wilson(successes: u64, n: u64, level: Level) -> Option<Interval> {
    if n == 0 || successes > n {
        return None;
    }
    let z = Normal::standard().inverse_cdf(1.0 - level.tail());
    let (n, share) = (n as f64, successes as f64 / n as f64);
    let shrink = 1.0 + z * z / n;
    let middle = (share + z * z / (2.0 * n)) / shrink;
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt() / shrink;
    // Rounding may leave ±10⁻¹⁷ at the ends, where the exact interval touches 0 or 1.
    Some(Interval {
        low: (middle - half).clamp(0.0, 1.0),
        high: (middle + half).clamp(0.0, 1.0),
        level,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::agreement::oracles::assert_near;

    #[test]
    fn intervals_are_what_scipy_says() {
        // scipy.stats.binomtest(k, n).proportion_ci(0.95, method="wilson"), SciPy 1.17.1: tests/reference/metrics.py
        for (successes, n, low, high) in [
            (48, 80, 0.490_455, 0.700_382),
            (0, 10, 0.0, 0.277_533),
            (10, 10, 0.722_467, 1.0),
            (1532, 2553, 0.580_939, 0.618_917),
            (1, 3, 0.061_492, 0.792_340),
        ] {
            let found = wilson(successes, n, Level::P95).unwrap();
            assert_near(found.low, low, "low");
            assert_near(found.high, high, "high");
        }
    }

    #[test]
    fn a_proportion_of_nothing_has_no_interval() {
        assert_eq!(wilson(0, 0, Level::P95), None);
        assert_eq!(wilson(3, 2, Level::P95), None);
    }
}
