//! Two-sample tests: could two sets of values come from one distribution?
//!
//! Strengths of one layer's nodes share weights and training, so they are not independent draws: these p-values describe the size of a
//! difference against sampling noise, and are no proof about training.

use statrs::distribution::{ContinuousCDF, FisherSnedecor};

use super::divergence::steps;
use super::summary::quantile;

/// A statistic with its p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// The statistic.
    pub statistic: f64,
    /// How often a difference as large comes about by chance where there is none.
    pub p: f64,
}

/// Kolmogorov-Smirnov: any difference of the two distributions; p from the limiting distribution, which is good from some 50 values a side.
/// `None` where a sample is empty.
#[must_use]
pub fn kolmogorov_smirnov(one: &[f64], other: &[f64]) -> Option<Test> {
    let statistic = steps(one, other)?.kolmogorov_smirnov;
    let (n, m) = (one.len() as f64, other.len() as f64);
    Some(Test {
        statistic,
        p: kolmogorov_tail((n * m / (n + m)).sqrt() * statistic),
    })
}

/// The Kolmogorov distribution's upper tail, `2 sum (-1)^(k-1) exp(-2 k^2 x^2)`.
fn kolmogorov_tail(x: f64) -> f64 {
    // The alternating sum converges slowly towards zero, where the tail is 1 to all digits.
    if x < 0.2 {
        return 1.0;
    }
    let terms = (1..=100).map(|k: i32| {
        let size = (-2.0 * f64::from(k * k) * x * x).exp();
        if k % 2 == 1 { size } else { -size }
    });
    (2.0 * terms.sum::<f64>()).clamp(0.0, 1.0)
}

/// Brown-Forsythe: do the two samples spread differently about their medians? The test for a difference of layer fluctuations, since a
/// fluctuation is a spread. `None` for fewer than two values a side, or where no value differs from its median.
#[must_use]
pub fn brown_forsythe(one: &[f64], other: &[f64]) -> Option<Test> {
    if one.len() < 2 || other.len() < 2 {
        return None;
    }
    let distances = [one, other].map(|values| {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let median = quantile(&sorted, 0.5);
        values.iter().map(|value| (value - median).abs()).collect::<Vec<f64>>()
    });
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let means = distances.each_ref().map(|values| mean(values));
    let total = (one.len() + other.len()) as f64;
    let grand = distances.iter().flatten().sum::<f64>() / total;
    let groups = distances.iter().zip(means);
    let between: f64 = groups
        .clone()
        .map(|(values, mean)| values.len() as f64 * (mean - grand).powi(2))
        .sum();
    let within: f64 = groups
        .flat_map(|(values, mean)| values.iter().map(move |value| (value - mean).powi(2)))
        .sum();
    if within <= 0.0 {
        return None;
    }
    let statistic = (total - 2.0) * between / within;
    let p = FisherSnedecor::new(1.0, total - 2.0).ok()?.sf(statistic);
    Some(Test { statistic, p })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_kolmogorov_tail_has_its_tabled_values() {
        for (x, p) in [(1.2238, 0.10), (1.3581, 0.05), (1.6276, 0.01), (1.9495, 0.001)] {
            assert!((kolmogorov_tail(x) - p).abs() < 1e-4, "{x}");
        }
        assert!((kolmogorov_tail(0.2) - 1.0).abs() < 1e-9);
    }

    /// By hand: distances from the medians are [2 1 0 1 2] and [4 2 0 2 4], means 1.2 and 2.4, F = 8 * 3.6 / 14 with 1 and 8 degrees.
    #[test]
    fn brown_forsythe_agrees_with_a_case_worked_by_hand() {
        let test = brown_forsythe(&[1.0, 2.0, 3.0, 4.0, 5.0], &[2.0, 4.0, 6.0, 8.0, 10.0]).unwrap();
        assert!((test.statistic - 8.0 * 3.6 / 14.0).abs() < 1e-12);
        assert!(test.p > 0.1 && test.p < 0.3, "{}", test.p);
    }

    #[test]
    fn samples_without_spread_have_no_test() {
        assert_eq!(brown_forsythe(&[1.0, 1.0], &[2.0, 2.0]), None);
        assert_eq!(kolmogorov_smirnov(&[], &[1.0]), None);
    }
}
