//! How much a judge's verdicts depend on the seed, and how wrong it is apart from that.

use serde::{Deserialize, Serialize};

use super::{Confusion, accuracy, kappa};
use crate::pair::Label;

/// Bias and variance of a judge over its runs, by the decomposition of the zero-one loss: the *main* verdict on a pair is the one that most runs
/// give (of several, that of the earliest run), bias is how often the main verdict is wrong, and variance how often a run departs from it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Runs.
    pub runs: usize,
    /// Share of pairs whose main verdict is not the human label.
    pub bias: f64,
    /// Share of verdicts that are not the pair's main one; `None` for a single run, which says nothing about it.
    pub variance: Option<f64>,
    /// Standard deviation of accuracy over the runs (divisor runs − 1).
    pub accuracy_sd: Option<f64>,
    /// Standard deviation of kappa over the runs; `None` where a kappa is undefined.
    pub kappa_sd: Option<f64>,
}

impl Spread {
    /// Over pairs of (gold, verdict of each run), with the same number of runs for all; `None` over nothing.
    pub fn of<'a>(rows: impl IntoIterator<Item = (Label, &'a [Label])>) -> Option<Self> {
        let (mut pairs, mut wrong, mut departing) = (0_usize, 0_usize, 0_usize);
        let mut tables: Vec<Confusion> = Vec::new();
        for (gold, verdicts) in rows {
            let main = main(verdicts)?;
            pairs += 1;
            wrong += usize::from(main != gold);
            departing += verdicts.iter().filter(|&&verdict| verdict != main).count();
            tables.resize(verdicts.len(), Confusion::default());
            for (table, &verdict) in tables.iter_mut().zip(verdicts) {
                table.add(gold, verdict);
            }
        }
        if pairs == 0 {
            return None;
        }
        let runs = tables.len();
        let over_runs = |measure: fn(&Confusion) -> Option<f64>| {
            let values: Option<Vec<f64>> = tables.iter().map(measure).collect();
            deviation(&values?)
        };
        Some(Self {
            runs,
            bias: wrong as f64 / pairs as f64,
            variance: (runs > 1).then(|| departing as f64 / (pairs * runs) as f64),
            accuracy_sd: over_runs(accuracy),
            kappa_sd: over_runs(kappa),
        })
    }
}

/// The verdict that most runs give; of several, that of the earliest run. `None` without runs.
fn main(verdicts: &[Label]) -> Option<Label> {
    let count = |label: Label| verdicts.iter().filter(|&&verdict| verdict == label).count();
    let most = verdicts.iter().map(|&verdict| count(verdict)).max()?;
    verdicts.iter().copied().find(|&verdict| count(verdict) == most)
}

fn deviation(values: &[f64]) -> Option<f64> {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (n > 1).then(|| (squares / (n - 1) as f64).sqrt())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::agreement::oracles::assert_near;
    use crate::pair::Label::{Model1, Model2, Tie};

    #[test]
    fn bias_and_variance_are_those_counted_by_hand() {
        let rows: [(Label, &[Label]); 4] = [
            (Model1, &[Model1, Model1, Model2]),
            (Model1, &[Model2, Model2, Model2]),
            (Tie, &[Tie, Model1, Model2]),
            (Model2, &[Model2, Model2, Model2]),
        ];
        let found = Spread::of(rows).unwrap();
        assert_near(found.bias, 0.25, "one main verdict of four is wrong");
        assert_near(found.variance, 3.0 / 12.0, "three verdicts of twelve depart");
        // Right: 3, 2 and 1 of 4. statistics.stdev([.75, .5, .25]) in Python.
        assert_near(found.accuracy_sd, 0.25, "deviation of accuracy");
    }

    #[test]
    fn a_single_run_has_no_variance() {
        let found = Spread::of([(Model1, &[Model1][..]), (Tie, &[Model1][..])]).unwrap();
        assert_near(found.bias, 0.5, "bias is the error then");
        assert_eq!((found.variance, found.accuracy_sd, found.kappa_sd), (None, None, None));
        assert_eq!(Spread::of([]), None);
    }
}
