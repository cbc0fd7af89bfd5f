//! Two predictors on the same rows: is one better, and by how much?
//!
//! The rows are resampled together, so that what both find hard does not count as noise between them.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Bootstrap, Confusion, Interval, McNemar, accuracy, confusion::place, kappa, resample::Resampler};
use crate::pair::Label;

/// A measure of both predictors, and the paired bootstrap of its difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The first predictor's value.
    pub first: f64,
    /// The second predictor's value.
    pub second: f64,
    /// `first − second`.
    pub difference: f64,
    /// Percentile interval of the difference.
    pub interval: Interval,
    /// Two-sided: twice the smaller share of resamples on either side of zero, (count + 1)/(draws + 1), at most 1. For [`holm`].
    ///
    /// [`holm`]: super::holm
    pub p_value: f64,
}

/// The difference of kappas, which may be undefined on the rows or on some resamples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KappaDifference {
    /// `None` when one kappa is undefined on the rows themselves, or on all resamples.
    pub difference: Option<Difference>,
    /// Resamples on which one kappa is undefined: left out, and told here.
    pub undefined: u32,
}

/// Two predictors side by side on the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Rows.
    pub n: u64,
    /// Accuracy.
    pub accuracy: Difference,
    /// Cohen's kappa.
    pub kappa: KappaDifference,
    /// The exact test on accuracy.
    pub mcnemar: McNemar,
}

impl Comparison {
    /// Compares on rows of (gold, first prediction, second prediction); `None` over no rows.
    pub fn of(rows: impl IntoIterator<Item = (Label, Label, Label)>, bootstrap: Bootstrap) -> Option<Self> {
        let rows: Vec<_> = rows.into_iter().collect();
        let mut counts = [0_u64; 27];
        for &(gold, first, second) in &rows {
            counts[place(gold) * 9 + place(first) * 3 + place(second)] += 1;
        }
        let mcnemar = McNemar::of(rows);
        let resampler = Resampler::new(counts);
        Self::by(tables(&counts), mcnemar, bootstrap, |rng| tables(&resampler.draw(rng)))
    }

    /// Compares the tables of both predictors, and those of resamples of their rows.
    pub(super) fn by(
        (first, second): (Confusion, Confusion),
        mcnemar: McNemar,
        bootstrap: Bootstrap,
        mut draw: impl FnMut(&mut ChaCha8Rng) -> (Confusion, Confusion),
    ) -> Option<Self> {
        let mut rng = bootstrap.rng();
        let (mut accuracies, mut kappas) = (vec![], vec![]);
        for _ in 0..bootstrap.draws.get() {
            let (first, second) = draw(&mut rng);
            accuracies.extend(
                accuracy(&first)
                    .zip(accuracy(&second))
                    .map(|(first, second)| first - second),
            );
            kappas.extend(kappa(&first).zip(kappa(&second)).map(|(first, second)| first - second));
        }
        let undefined = bootstrap.undefined(&kappas);
        let kappas = kappa(&first)
            .zip(kappa(&second))
            .and_then(|values| difference(values, &mut kappas, bootstrap));
        Some(Self {
            n: first.n(),
            accuracy: difference(accuracy(&first).zip(accuracy(&second))?, &mut accuracies, bootstrap)?,
            kappa: KappaDifference {
                difference: kappas,
                undefined,
            },
            mcnemar,
        })
    }
}

/// Each predictor's own table, from the counts of (gold, first, second).
fn tables(counts: &[u64; 27]) -> (Confusion, Confusion) {
    let (mut first, mut second) = ([[0; 3]; 3], [[0; 3]; 3]);
    for (cell, count) in counts.iter().enumerate() {
        first[cell / 9][cell / 3 % 3] += count;
        second[cell / 9][cell % 3] += count;
    }
    (Confusion::from_counts(first), Confusion::from_counts(second))
}

fn difference((first, second): (f64, f64), draws: &mut [f64], bootstrap: Bootstrap) -> Option<Difference> {
    let interval = Interval::percentile(draws, bootstrap.level)?;
    let not_above = draws.iter().filter(|&&draw| draw <= 0.0).count();
    let not_below = draws.iter().filter(|&&draw| draw >= 0.0).count();
    let share = (not_above.min(not_below) + 1) as f64 / (draws.len() + 1) as f64;
    Some(Difference {
        first,
        second,
        difference: first - second,
        interval,
        p_value: (2.0 * share).clamp(0.0, 1.0),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::agreement::oracles::assert_near;
    use crate::pair::Label::{Model1, Model2, Tie};

    /// The sixty rows of `PAIRED` in tests/reference/metrics.py.
    fn rows() -> impl Iterator<Item = (Label, Label, Label)> {
        [
            ((Model1, Model1, Model1), 14),
            ((Model1, Model1, Model2), 6),
            ((Model1, Model2, Model1), 3),
            ((Model2, Model2, Model2), 12),
            ((Model2, Model2, Model1), 7),
            ((Model2, Model1, Model2), 2),
            ((Model2, Tie, Model1), 2),
            ((Tie, Tie, Model1), 5),
            ((Tie, Model1, Model1), 5),
            ((Tie, Model2, Tie), 4),
        ]
        .into_iter()
        .flat_map(|(row, times)| std::iter::repeat_n(row, times))
    }

    #[test]
    fn differences_are_those_of_a_plain_paired_bootstrap() {
        // NumPy, 200,000 resamples row by row; one row is 1/60 of accuracy, and our Monte Carlo error about 0.003.
        let bootstrap = Bootstrap {
            draws: NonZeroU32::new(20_000).unwrap(),
            ..Bootstrap::default()
        };
        let found = Comparison::of(rows(), bootstrap).unwrap();
        assert_eq!(found.n, 60);
        assert_near(found.accuracy.first, 0.733_333, "accuracy of the first");
        assert_near(found.accuracy.second, 0.583_333, "accuracy of the second");
        assert_near(found.accuracy.difference, 0.15, "difference of accuracies");
        let kappa = found.kappa.difference.unwrap();
        assert_near(kappa.first, 0.579_501, "kappa of the first");
        assert_near(kappa.second, 0.335_106, "kappa of the second");
        let near = |found: f64, expected: f64, within: f64| {
            assert!((found - expected).abs() < within, "{found} is not {expected}");
        };
        near(found.accuracy.interval.low, -0.016_667, 0.016_7);
        near(found.accuracy.interval.high, 0.316_667, 0.016_7);
        near(kappa.interval.low, -0.026_104, 0.01);
        near(kappa.interval.high, 0.519_639, 0.01);
        // Twice the shares ≤ 0 that NumPy found.
        near(found.accuracy.p_value, 2.0 * 0.046_71, 0.01);
        near(kappa.p_value, 2.0 * 0.038_59, 0.01);
        assert_eq!(found.kappa.undefined, 0);
        assert_eq!((found.mcnemar.only_first, found.mcnemar.only_second), (18, 9));
    }

    #[test]
    fn exchanging_the_predictors_exchanges_the_signs() {
        let one = Comparison::of(rows(), Bootstrap::default()).unwrap();
        let other = Comparison::of(rows().map(|(gold, a, b)| (gold, b, a)), Bootstrap::default()).unwrap();
        assert_near(other.accuracy.difference, -one.accuracy.difference, "difference");
        assert!((other.accuracy.interval.low + one.accuracy.interval.high).abs() < 0.02);
        assert_near(other.mcnemar.p_value, one.mcnemar.p_value, "McNemar");
    }

    #[test]
    fn a_predictor_does_not_differ_from_itself() {
        let found = Comparison::of(rows().map(|(gold, a, _)| (gold, a, a)), Bootstrap::default()).unwrap();
        assert_near(found.accuracy.interval.low, 0.0, "low");
        assert_near(found.accuracy.interval.high, 0.0, "high");
        assert_near(found.accuracy.p_value, 1.0, "p");
        assert_near(found.mcnemar.p_value, 1.0, "McNemar");
    }

    #[test]
    fn an_undefined_kappa_leaves_the_accuracies_standing() {
        let rows = std::iter::repeat_n((Model1, Model1, Model1), 5);
        let found = Comparison::of(rows, Bootstrap::default()).unwrap();
        assert_eq!(
            found.kappa,
            KappaDifference {
                difference: None,
                undefined: 2000
            }
        );
        assert_near(found.accuracy.first, 1.0, "accuracy");
        assert_eq!(Comparison::of([], Bootstrap::default()), None);
    }
}
