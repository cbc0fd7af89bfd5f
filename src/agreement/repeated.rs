//! Judges that ran several times over the same pairs, with different seeds.
//!
//! What the runs say of one pair depends on that pair, so they are not rows of their own: whole pairs are resampled, with everything that all
//! runs say of them. With one run per judge everything here is what [`Summary::of`] and [`Comparison::of`] say.

use std::array;
use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::confusion::place;
use super::{AbsentClasses, Bootstrap, Comparison, Confusion, McNemar, Summary, accuracy, kappa, macro_f1, recalls};
use crate::pair::Label;

/// The tables of `J` judges over one pair, or over many: `[judge][gold][predicted]`.
type Tables<const J: usize> = [[[u64; 3]; 3]; J];

/// Pairs by what all runs of `J` judges say of them.
struct Pairs<const J: usize> {
    /// The pattern of each pair.
    of: Vec<usize>,
    patterns: Vec<Tables<J>>,
}

impl<const J: usize> Pairs<J> {
    fn new<'a>(rows: impl IntoIterator<Item = (Label, [&'a [Label]; J])>) -> Self {
        let mut known: BTreeMap<Tables<J>, usize> = BTreeMap::new();
        let of = rows.into_iter().map(|(gold, verdicts)| {
            let tables = verdicts.map(|verdicts| {
                let mut table = [[0; 3]; 3];
                for &verdict in verdicts {
                    table[place(gold)][place(verdict)] += 1;
                }
                table
            });
            let next = known.len();
            *known.entry(tables).or_insert(next)
        });
        let of = of.collect();
        let mut patterns: Vec<(usize, Tables<J>)> = known.into_iter().map(|(tables, nth)| (nth, tables)).collect();
        patterns.sort_unstable_by_key(|&(nth, _)| nth);
        Self {
            of,
            patterns: patterns.into_iter().map(|(_, tables)| tables).collect(),
        }
    }

    fn sum(&self, counts: &[u64]) -> [Confusion; J] {
        let mut sums: Tables<J> = [[[0; 3]; 3]; J];
        for (tables, &count) in self.patterns.iter().zip(counts).filter(|(_, count)| **count > 0) {
            for judge in 0..J {
                for cell in 0..9 {
                    sums[judge][cell / 3][cell % 3] += count * tables[judge][cell / 3][cell % 3];
                }
            }
        }
        sums.map(Confusion::from_counts)
    }

    fn all(&self) -> [Confusion; J] {
        let mut counts = vec![0; self.patterns.len()];
        self.of.iter().for_each(|&pattern| counts[pattern] += 1);
        self.sum(&counts)
    }

    /// The tables of as many pairs, drawn with replacement.
    fn draw(&self, rng: &mut ChaCha8Rng) -> [Confusion; J] {
        let mut counts = vec![0; self.patterns.len()];
        for _ in 0..self.of.len() {
            counts[self.of[rng.random_range(0..self.of.len())]] += 1;
        }
        self.sum(&counts)
    }
}

impl Summary {
    /// Summarises pairs of (gold, verdict of each run), with the same number of runs for all: the figures are over the verdicts of all runs, the
    /// intervals over resampled pairs. There is no Wilson interval unless there is one run. `None` over nothing.
    pub fn of_repeated<'a>(rows: impl IntoIterator<Item = (Label, &'a [Label])>, bootstrap: Bootstrap) -> Option<Self> {
        let rows: Vec<(Label, [&[Label]; 1])> = rows.into_iter().map(|(gold, verdicts)| (gold, [verdicts])).collect();
        let pairs = Pairs::new(rows.iter().copied());
        let [confusion] = pairs.all();
        if rows.iter().all(|(_, [verdicts])| verdicts.len() == 1) {
            return Self::of_counts(confusion, bootstrap);
        }
        let without_tie = confusion.without_gold(Label::Tie);
        Some(Self {
            n: confusion.n(),
            accuracy: accuracy(&confusion)?,
            accuracy_wilson: None,
            macro_f1_present: macro_f1(&confusion, AbsentClasses::Skip)?,
            macro_f1_all: macro_f1(&confusion, AbsentClasses::CountAsZero)?,
            kappa: kappa(&confusion),
            intervals: bootstrap.intervals_by(|rng| {
                let [drawn] = pairs.draw(rng);
                drawn
            })?,
            recall: recalls(&confusion),
            tie_rate: confusion.predicted(Label::Tie) as f64 / confusion.n() as f64,
            n_without_tie: without_tie.n(),
            accuracy_without_tie: accuracy(&without_tie),
            confusion,
        })
    }
}

impl Comparison {
    /// Compares on pairs of (gold, verdicts of the first judge's runs, verdicts of the second's). `n` counts pairs. The exact test is on the
    /// pairs on which a larger share of one judge's runs is right (a sign test): with one run each that is McNemar's. `None` over nothing.
    pub fn of_repeated<'a>(
        rows: impl IntoIterator<Item = (Label, &'a [Label], &'a [Label])>,
        bootstrap: Bootstrap,
    ) -> Option<Self> {
        let rows: Vec<(Label, [&[Label]; 2])> = rows
            .into_iter()
            .map(|(gold, first, second)| (gold, [first, second]))
            .collect();
        if rows
            .iter()
            .all(|(_, [first, second])| first.len() == 1 && second.len() == 1)
        {
            return Self::of(
                rows.iter().map(|(gold, [first, second])| (*gold, first[0], second[0])),
                bootstrap,
            );
        }
        let (mut only_first, mut only_second) = (0, 0);
        for (gold, verdicts) in &rows {
            let right: [usize; 2] =
                array::from_fn(|judge| verdicts[judge].iter().filter(|verdict| *verdict == gold).count());
            // Shares, compared without dividing.
            match (right[0] * verdicts[1].len()).cmp(&(right[1] * verdicts[0].len())) {
                std::cmp::Ordering::Greater => only_first += 1,
                std::cmp::Ordering::Less => only_second += 1,
                std::cmp::Ordering::Equal => {}
            }
        }
        let pairs = Pairs::new(rows.iter().copied());
        let found = Self::by(
            pairs.all().into(),
            McNemar::new(only_first, only_second),
            bootstrap,
            |rng| pairs.draw(rng).into(),
        )?;
        Some(Self {
            n: rows.len() as u64,
            ..found
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::agreement::oracles::assert_near;
    use crate::pair::Label::{Model1, Model2, Tie};

    type Row = (Label, &'static [Label], &'static [Label]);

    /// The rows of tests/reference/compare.py: a judge with three runs, and one with one.
    fn rows() -> Vec<Row> {
        const ROWS: &[(Row, usize)] = &[
            ((Model1, &[Model1, Model1, Model1], &[Model1]), 9),
            ((Model1, &[Model1, Model1, Model2], &[Model2]), 7),
            ((Model1, &[Model2, Tie, Model1], &[Model1]), 4),
            ((Model2, &[Model2, Model2, Model2], &[Model1]), 8),
            ((Model2, &[Model1, Model2, Model1], &[Model2]), 6),
            ((Tie, &[Tie, Model1, Tie], &[Model1]), 5),
            ((Tie, &[Model2, Model2, Model2], &[Tie]), 3),
        ];
        ROWS.iter()
            .flat_map(|&(row, times)| std::iter::repeat_n(row, times))
            .collect()
    }

    fn precise() -> Bootstrap {
        Bootstrap {
            draws: NonZeroU32::new(20_000).unwrap(),
            ..Bootstrap::default()
        }
    }

    fn near(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() < within, "{found} is not {expected}");
    }

    #[test]
    fn one_run_each_is_the_plain_comparison() {
        let rows = rows();
        let one = rows.iter().map(|&(gold, first, second)| (gold, &first[..1], second));
        let plain = rows.iter().map(|&(gold, first, second)| (gold, first[0], second[0]));
        assert_eq!(
            Comparison::of_repeated(one.clone(), Bootstrap::default()),
            Comparison::of(plain.clone(), Bootstrap::default())
        );
        assert_eq!(
            Summary::of_repeated(one.map(|(gold, first, _)| (gold, first)), Bootstrap::default()),
            Summary::of(plain.map(|(gold, first, _)| (gold, first)), Bootstrap::default())
        );
    }

    #[test]
    fn the_same_run_three_times_proves_no_more_than_once() {
        let rows = rows();
        let thrice: Vec<(Label, [Label; 3])> = rows.iter().map(|&(gold, first, _)| (gold, [first[0]; 3])).collect();
        let found = Summary::of_repeated(thrice.iter().map(|(gold, all)| (*gold, &all[..])), precise()).unwrap();
        let once = Summary::of(rows.iter().map(|&(gold, first, _)| (gold, first[0])), precise()).unwrap();
        assert_near(found.accuracy, once.accuracy, "accuracy");
        near(found.intervals.accuracy.low, once.intervals.accuracy.low, 0.025);
        near(found.intervals.accuracy.high, once.intervals.accuracy.high, 0.025);
    }

    #[test]
    fn repeated_judges_differ_as_a_plain_bootstrap_over_pairs_says() {
        let rows = rows();
        let summary = Summary::of_repeated(rows.iter().map(|&(gold, first, _)| (gold, first)), precise()).unwrap();
        let found = Comparison::of_repeated(rows.iter().copied(), precise()).unwrap();
        // tests/reference/compare.py, 20,000 resamples of whole pairs.
        assert_near(summary.accuracy, 0.674_603, "accuracy");
        assert_near(summary.macro_f1_all, 0.638_732, "macro-F1");
        assert_near(summary.kappa, 0.468_519, "kappa");
        let kappa = summary.intervals.kappa.interval.unwrap();
        near(summary.intervals.accuracy.low, 0.579_365, 0.009);
        near(summary.intervals.accuracy.high, 0.769_841, 0.009);
        near(summary.intervals.macro_f1_all.low, 0.511_734, 0.009);
        near(summary.intervals.macro_f1_all.high, 0.737_491, 0.009);
        near(kappa.low, 0.313_056, 0.009);
        near(kappa.high, 0.607_950, 0.009);
        assert_eq!(found.n, 42);
        assert_near(found.accuracy.difference, 0.150_794, "difference of accuracies");
        near(found.accuracy.interval.low, -0.055_556, 0.012);
        near(found.accuracy.interval.high, 0.357_143, 0.012);
        let kappa = found.kappa.difference.unwrap();
        assert_near(kappa.difference, 0.277_767, "difference of kappas");
        near(kappa.interval.low, -0.090_440, 0.015);
        near(kappa.interval.high, 0.651_403, 0.015);
        assert_eq!((found.mcnemar.only_first, found.mcnemar.only_second), (20, 13));
        assert_near(found.mcnemar.p_value, 0.296_206, "sign test");
    }

    #[test]
    fn nothing_has_no_figures() {
        assert_eq!(Summary::of_repeated([], Bootstrap::default()), None);
        assert_eq!(Comparison::of_repeated([], Bootstrap::default()), None);
    }
}
