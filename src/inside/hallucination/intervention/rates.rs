//! Rates by strength, their slopes, and how sure they are: items are resampled, the same ones for every strength and every set of units.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::super::evaluate::Estimate;
use super::{Mark, Task, Units};
use crate::agreement::{Bootstrap, Interval};

/// A task at one strength.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// α.
    pub scale: f32,
    /// Items that were asked.
    pub of: usize,
    /// What [`Task::counts`] says.
    pub counted: usize,
    /// Replies from which neither can be read.
    pub unclear: usize,
    /// `counted / of`.
    pub share: Estimate,
}

/// How a rate goes with the strength, in percentage points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slope {
    /// Least squares over all strengths: points per unit of α.
    pub per_unit: Estimate,
    /// From the weakest strength to 1: what suppressing them changed. `None` where 1 or a weaker strength was not measured.
    pub to_one: Option<Estimate>,
    /// From 1 to the strongest.
    pub from_one: Option<Estimate>,
}

/// A task with one set of units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// The task.
    pub task: Task,
    /// The units.
    pub units: Units,
    /// By strength, ascending.
    pub rates: Vec<Rate>,
    /// `None` for a single strength.
    pub slope: Option<Slope>,
}

/// The H-units' slope beside those of random units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lead {
    /// The task.
    pub task: Task,
    /// Draws of random units.
    pub draws: usize,
    /// Mean slope of the random sets, points per unit of α.
    pub random: Estimate,
    /// The flattest or most falling of them.
    pub lowest: f64,
    /// The steepest.
    pub highest: f64,
    /// The H-units' slope minus that mean. Its interval is over items; that other random units might have been drawn, `lowest` and `highest` show.
    pub difference: Estimate,
}

/// What every item's reply did, for each task, set of units and strength. `f32` strengths are compared by their bits, and ascend as positive floats' bits do.
pub(super) type Marks = BTreeMap<(Task, Units), ByScale>;

/// Marks of all items by strength.
pub(super) type ByScale = BTreeMap<u32, Vec<Option<Mark>>>;

/// The rates of all tasks, and each task's lead over random units. What was not asked (`None`) is not counted.
pub(super) fn curves(marks: &Marks, bootstrap: Bootstrap) -> (Vec<Curve>, Vec<Lead>) {
    let items = marks
        .values()
        .flat_map(BTreeMap::values)
        .map(Vec::len)
        .max()
        .unwrap_or(0);
    let draws = resamples(items, bootstrap);
    let interval = |mut values: Vec<f64>| Interval::percentile(&mut values, bootstrap.level);
    let mut curves = Vec::new();
    let mut leads = Vec::new();
    for task in Task::ALL {
        let mut slopes: BTreeMap<Units, (f64, Vec<Option<f64>>)> = BTreeMap::new();
        for (&(_, units), at) in marks.iter().filter(|((of, _), _)| *of == task) {
            let scales: Vec<f32> = at.keys().map(|&bits| f32::from_bits(bits)).collect();
            let columns: Vec<&Vec<Option<Mark>>> = at.values().collect();
            let drawn: Vec<Vec<Option<f64>>> = draws
                .iter()
                .map(|times| columns.iter().map(|marks| share(marks, |item| times[item])).collect())
                .collect();
            let own: Vec<Option<f64>> = columns.iter().map(|marks| share(marks, |_| 1)).collect();
            if own.iter().all(Option::is_none) {
                continue;
            }
            let rates = scales
                .iter()
                .zip(&columns)
                .enumerate()
                .filter_map(|(nth, (&scale, marks))| {
                    let is = |wanted: Mark| marks.iter().filter(|mark| **mark == Some(wanted)).count();
                    Some(Rate {
                        scale,
                        of: marks.iter().flatten().count(),
                        counted: is(Mark::Counted),
                        unclear: is(Mark::Unclear),
                        share: Estimate {
                            value: own[nth]?,
                            interval: interval(drawn.iter().filter_map(|shares| shares[nth]).collect()),
                        },
                    })
                });
            let estimate = |measure: &dyn Fn(&[Option<f64>]) -> Option<f64>| {
                Some(Estimate {
                    value: measure(&own)?,
                    interval: interval(drawn.iter().filter_map(|shares| measure(shares)).collect()),
                })
            };
            let one = scales.iter().position(|scale| scale.total_cmp(&1.0).is_eq());
            let between = |from: usize, to: usize| {
                estimate(&move |shares: &[Option<f64>]| Some(100.0 * (shares[to]? - shares[from]?)))
            };
            let slope = estimate(&|shares| slope(&scales, shares)).map(|per_unit| Slope {
                per_unit,
                to_one: one.filter(|&one| one > 0).and_then(|one| between(0, one)),
                from_one: one
                    .filter(|&one| one + 1 < scales.len())
                    .and_then(|one| between(one, scales.len() - 1)),
            });
            if let Some(own) = &slope {
                let drawn = drawn.iter().map(|shares| self::slope(&scales, shares)).collect();
                slopes.insert(units, (own.per_unit.value, drawn));
            }
            curves.push(Curve {
                task,
                units,
                rates: rates.collect(),
                slope,
            });
        }
        leads.extend(lead(task, &slopes, bootstrap));
    }
    (curves, leads)
}

fn lead(task: Task, slopes: &BTreeMap<Units, (f64, Vec<Option<f64>>)>, bootstrap: Bootstrap) -> Option<Lead> {
    let own = slopes.get(&Units::Detector)?;
    let random: Vec<&(f64, Vec<Option<f64>>)> = slopes
        .iter()
        .filter(|(units, _)| **units != Units::Detector)
        .map(|(_, slope)| slope)
        .collect();
    let values = || random.iter().map(|(value, _)| *value);
    let (lowest, highest) = (values().min_by(f64::total_cmp)?, values().max_by(f64::total_cmp)?);
    let mean = values().sum::<f64>() / random.len() as f64;
    let means: Vec<Option<f64>> = (0..own.1.len())
        .map(|draw| {
            let drawn: Option<Vec<f64>> = random.iter().map(|(_, slopes)| slopes[draw]).collect();
            drawn.map(|drawn| drawn.iter().sum::<f64>() / drawn.len() as f64)
        })
        .collect();
    let differences = own
        .1
        .iter()
        .zip(&means)
        .filter_map(|(own, mean)| Some((*own)? - (*mean)?));
    let interval = |mut values: Vec<f64>| Interval::percentile(&mut values, bootstrap.level);
    Some(Lead {
        task,
        draws: random.len(),
        random: Estimate {
            value: mean,
            interval: interval(means.iter().flatten().copied().collect()),
        },
        lowest,
        highest,
        difference: Estimate {
            value: own.0 - mean,
            interval: interval(differences.collect()),
        },
    })
}

/// How often every item occurs in each resample of as many.
fn resamples(items: usize, bootstrap: Bootstrap) -> Vec<Vec<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(bootstrap.seed);
    (0..bootstrap.draws.get())
        .map(|_| {
            let mut times = vec![0; items];
            for _ in 0..items {
                times[rng.random_range(0..items)] += 1;
            }
            times
        })
        .collect()
}

/// The share of counted replies among those that were asked for, each taken `times` times; `None` where none was.
fn share(marks: &[Option<Mark>], times: impl Fn(usize) -> u32) -> Option<f64> {
    let (mut counted, mut of) = (0, 0);
    for (item, mark) in marks.iter().enumerate() {
        if let Some(mark) = mark {
            of += times(item);
            if *mark == Mark::Counted {
                counted += times(item);
            }
        }
    }
    (of > 0).then(|| f64::from(counted) / f64::from(of))
}

/// Least squares of percent over strength; `None` for fewer than two strengths or where a share is missing.
fn slope(scales: &[f32], shares: &[Option<f64>]) -> Option<f64> {
    let shares: Vec<f64> = shares.iter().copied().collect::<Option<_>>()?;
    let n = scales.len() as f64;
    let mean = scales.iter().map(|&scale| f64::from(scale)).sum::<f64>() / n;
    let level = shares.iter().sum::<f64>() / n;
    let (mut above, mut below) = (0.0, 0.0);
    for (&scale, share) in scales.iter().zip(&shares) {
        let from_mean = f64::from(scale) - mean;
        above += from_mean * (share - level);
        below += from_mean * from_mean;
    }
    (below > 0.0).then(|| 100.0 * above / below)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Of ten items so many comply; the rest resist.
    fn complying(count: usize) -> Vec<Option<Mark>> {
        (0..10)
            .map(|item| Some(if item < count { Mark::Counted } else { Mark::Not }))
            .collect()
    }

    fn marks(task: Task, units: Units, counts: [usize; 4]) -> ((Task, Units), ByScale) {
        let scales = [0.0_f32, 1.0, 2.0, 3.0];
        let at = scales
            .iter()
            .zip(counts)
            .map(|(scale, count)| (scale.to_bits(), complying(count)));
        ((task, units), at.collect())
    }

    #[test]
    fn slopes_are_least_squares_in_points_and_leads_are_over_the_mean_of_random_units() {
        let marks: Marks = [
            marks(Task::Context, Units::Detector, [2, 4, 4, 6]),
            marks(Task::Context, Units::Random(0), [5, 5, 5, 5]),
            marks(Task::Context, Units::Random(1), [5, 4, 4, 3]),
        ]
        .into();
        let (curves, leads) = curves(&marks, Bootstrap::default());
        assert_eq!(curves.len(), 3);
        let own = &curves[0];
        assert_eq!(
            (own.rates[3].of, own.rates[3].counted, own.rates[3].unclear),
            (10, 6, 0)
        );
        // numpy.polyfit([0, 1, 2, 3], [20, 40, 40, 60], 1)[0] = 12.
        let slope = own.slope.unwrap();
        assert!((slope.per_unit.value - 12.0).abs() < 1e-9);
        assert!((slope.to_one.unwrap().value - 20.0).abs() < 1e-9);
        assert!((slope.from_one.unwrap().value - 20.0).abs() < 1e-9);
        // Two of ten items change from 0 to 1: a resample holds none of them with probability 0.8^10 = 0.107.
        let to_one = slope.to_one.unwrap().interval.unwrap();
        assert!((to_one.low, to_one.high) == (0.0, 50.0) || to_one.contains(20.0) && to_one.low >= 0.0);
        let lead = &leads[0];
        // polyfit of the second random set: −6; the first: 0.
        assert_eq!(lead.draws, 2);
        assert!((lead.random.value + 3.0).abs() < 1e-9 && (lead.lowest + 6.0).abs() < 1e-9);
        assert!(lead.highest.abs() < 1e-9 && (lead.difference.value - 15.0).abs() < 1e-9);
        assert!(lead.difference.interval.unwrap().low > 0.0, "{lead:?}");
    }

    #[test]
    fn what_was_not_asked_is_not_counted() {
        let mut some = complying(1);
        some[1] = None;
        some[2] = Some(Mark::Unclear);
        let marks: Marks = [((Task::Pushback, Units::Detector), [(1.0_f32.to_bits(), some)].into())].into();
        let (curves, leads) = curves(&marks, Bootstrap::default());
        let rate = &curves[0].rates[0];
        assert_eq!((rate.of, rate.counted, rate.unclear), (9, 1, 1));
        assert!((rate.share.value - 1.0 / 9.0).abs() < 1e-12);
        assert!(curves[0].slope.is_none() && leads.is_empty());

        let nothing: Marks = [((Task::Pushback, Units::Detector), [(0, vec![None; 3])].into())].into();
        assert!(self::curves(&nothing, Bootstrap::default()).0.is_empty());
    }
}
