//! McNemar's exact test: are two predictors right equally often, judged by the rows on which exactly one of them is?

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

use crate::pair::Label;

/// The discordant rows of two predictors and the exact two-sided p-value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Rows that only the first predictor has right.
    pub only_first: u64,
    /// Rows that only the second predictor has right.
    pub only_second: u64,
    /// The chance of a split at least as uneven if each discordant row were a fair coin; 1 without discordant rows.
    pub p_value: f64,
}

impl McNemar {
    /// The test on known counts.
    pub fn new(only_first: u64, only_second: u64) -> Self {
        Self {
            only_first,
            only_second,
            p_value: exact(only_first, only_second),
        }
    }

    /// The test on rows of (gold, first prediction, second prediction).
    pub fn of(rows: impl IntoIterator<Item = (Label, Label, Label)>) -> Self {
        let (mut only_first, mut only_second) = (0, 0);
        for (gold, first, second) in rows {
            match (first == gold, second == gold) {
                (true, false) => only_first += 1,
                (false, true) => only_second += 1,
                (true, true) | (false, false) => {}
            }
        }
        Self::new(only_first, only_second)
    }
}

fn exact(one: u64, other: u64) -> f64 {
    let coin = Binomial::new(0.5, one + other).expect("one half is a probability");
    // A fair coin is symmetric: both tails are equal. At an even split they overlap, hence the cap.
    (2.0 * coin.cdf(one.min(other))).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::Label::{Model1, Model2, Tie};

    #[test]
    fn the_p_value_is_the_exact_binomial_one() {
        // scipy.stats.binomtest(b, b + c).pvalue, SciPy 1.17.1: tests/reference/metrics.py
        for (only_first, only_second, p_value) in [
            (10, 3, 0.092_285_156_25),
            (3, 10, 0.092_285_156_25),
            (5, 5, 1.0),
            (0, 6, 0.031_25),
            (0, 0, 1.0),
            (121, 90, 0.038_643_348_782_209_014),
            (1000, 1100, 0.030_720_707_864_242_49),
        ] {
            let found = McNemar::new(only_first, only_second).p_value;
            assert!((found - p_value).abs() < 1e-10, "{only_first}, {only_second}: {found}");
        }
    }

    #[test]
    fn only_rows_on_which_exactly_one_is_right_count() {
        let rows = [
            (Model1, Model1, Model1),
            (Model1, Model1, Tie),
            (Model2, Model2, Model1),
            (Tie, Model1, Tie),
            (Tie, Model1, Model2),
        ];
        let found = McNemar::of(rows);
        assert_eq!((found.only_first, found.only_second), (2, 1));
    }
}
