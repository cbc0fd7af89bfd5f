//! Intervals by resampling questions.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{super::logistic::Class, auroc::Ranking, binary::Binary};
use crate::agreement::{Bootstrap, Interval};

/// A measure with its interval; the interval is `None` where too few resamples define the measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// On the rows themselves.
    pub value: f64,
    /// Percentile bootstrap over questions, within classes.
    pub interval: Option<Interval>,
}

/// Rows to be scored, with the question that each belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The class of every row.
    pub classes: &'a [Class],
    /// The question of every row, a number.
    pub questions: &'a [usize],
}

/// Scores of the same rows by one scorer, and its threshold.
#[derive(Debug, Clone, Copy)]
pub struct Scores<'a> {
    /// One per row.
    pub values: &'a [f64],
    /// Rows of at least this are called hallucinated.
    pub threshold: f64,
}

/// What the table shows of one scorer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Area under the ROC curve.
    pub auroc: Estimate,
    /// Share of right verdicts at the threshold.
    pub accuracy: Estimate,
    /// F1 of the hallucinated at the threshold.
    pub f1: Estimate,
}

/// The difference of the AUROC of two scorers on the same resamples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// First minus second.
    pub difference: Estimate,
    /// Two-sided: twice the smaller share of resamples on either side of zero, (count + 1)/(draws + 1), at most 1.
    pub p_value: f64,
}

impl Sample<'_> {
    /// How often each row occurs in every resample: questions are drawn with replacement, as many of each class as there are. A question counts
    /// as hallucinated where any of its rows is.
    fn draws(&self, bootstrap: Bootstrap) -> Vec<Vec<u32>> {
        let count = self.questions.iter().max().map_or(0, |last| last + 1);
        let mut kinds: Vec<Option<Class>> = vec![None; count];
        for (&question, &class) in self.questions.iter().zip(self.classes) {
            kinds[question] = kinds[question].max(Some(class));
        }
        let of = |class| {
            (0..count)
                .filter(|&question| kinds[question] == Some(class))
                .collect::<Vec<_>>()
        };
        let strata = [of(Class::Positive), of(Class::Negative)];
        let mut rng = ChaCha8Rng::seed_from_u64(bootstrap.seed);
        (0..bootstrap.draws.get())
            .map(|_| {
                let mut times = vec![0; count];
                for stratum in &strata {
                    for _ in stratum {
                        times[stratum[rng.random_range(0..stratum.len())]] += 1;
                    }
                }
                self.questions.iter().map(|&question| times[question]).collect()
            })
            .collect()
    }

    /// The measures of every scorer, all on the same resamples, and the gap of AUROC between the first scorer and each other one. `None` where a class is missing.
    pub fn measure(&self, scorers: &[Scores<'_>], bootstrap: Bootstrap) -> Option<Vec<(Measures, Gap)>> {
        let draws = self.draws(bootstrap);
        let mut first: Option<(f64, Vec<Option<f64>>)> = None;
        scorers
            .iter()
            .map(|scorer| {
                let ranking = Ranking::of(scorer.values, self.classes);
                let auroc = ranking.auroc(|_| 1)?;
                let table = Binary::at(scorer.threshold, scorer.values, self.classes);
                let mut aurocs = Vec::with_capacity(draws.len());
                let (mut accuracies, mut f1s) = (Vec::new(), Vec::new());
                for times in &draws {
                    aurocs.push(ranking.auroc(|row| times[row]));
                    let drawn = Binary::weighted(scorer.threshold, scorer.values, self.classes, |row| times[row]);
                    accuracies.extend(drawn.accuracy());
                    f1s.extend(drawn.f1());
                }
                let estimate = |value: f64, mut draws: Vec<f64>| Estimate {
                    value,
                    interval: Interval::percentile(&mut draws, bootstrap.level),
                };
                let measures = Measures {
                    auroc: estimate(auroc, aurocs.iter().flatten().copied().collect()),
                    accuracy: estimate(table.accuracy()?, accuracies),
                    f1: estimate(table.f1()?, f1s),
                };
                let (reference, of_reference) = first.get_or_insert_with(|| (auroc, aurocs.clone()));
                let mut gaps: Vec<f64> = of_reference
                    .iter()
                    .zip(&aurocs)
                    .filter_map(|(one, other)| Some((*one)? - (*other)?))
                    .collect();
                let p_value = two_sided(&gaps);
                let gap = Gap {
                    difference: Estimate {
                        value: *reference - auroc,
                        interval: Interval::percentile(&mut gaps, bootstrap.level),
                    },
                    p_value,
                };
                Some((measures, gap))
            })
            .collect()
    }
}

fn two_sided(draws: &[f64]) -> f64 {
    let not_above = draws.iter().filter(|&&draw| draw <= 0.0).count();
    let not_below = draws.iter().filter(|&&draw| draw >= 0.0).count();
    let share = (not_above.min(not_below) + 1) as f64 / (draws.len() + 1) as f64;
    (2.0 * share).clamp(0.0, 1.0)
}
