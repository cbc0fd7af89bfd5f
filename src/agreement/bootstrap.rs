//! Percentile bootstrap intervals of accuracy, macro-F1 and kappa, all from one set of resamples.

use std::{array, num::NonZeroU32};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{AbsentClasses, Confusion, Interval, Level, accuracy, kappa, macro_f1, resample::Resampler};

/// How to bootstrap. The same settings on the same rows give the same intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// How many resamples; 2,000 by default.
    pub draws: NonZeroU32,
    /// Confidence level; 95 % by default.
    pub level: Level,
    /// Seed of the random numbers; runs record it.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            draws: const { NonZeroU32::new(2000).expect("2000 is not zero") },
            level: Level::P95,
            seed: 0,
        }
    }
}

/// Intervals of the measures of one set of rows. Each resample is as large as the set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Of accuracy.
    pub accuracy: Interval,
    /// Of macro-F1 over the classes present (in each resample).
    pub macro_f1_present: Interval,
    /// Of macro-F1 over all three classes.
    pub macro_f1_all: Interval,
    /// Of kappa.
    pub kappa: KappaInterval,
}

/// An interval of kappa, which some resamples may leave undefined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KappaInterval {
    /// The interval over the resamples in which kappa is defined; `None` when there are none.
    pub interval: Option<Interval>,
    /// Resamples in which kappa is undefined: left out, and told here.
    pub undefined: u32,
}

impl Bootstrap {
    /// The generator of this bootstrap's random numbers.
    pub(super) fn rng(self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.seed)
    }

    /// The intervals of one set of rows; `None` over no rows.
    pub fn intervals(self, confusion: &Confusion) -> Option<Intervals> {
        let counts = confusion.counts();
        let resampler = Resampler::<9>::new(array::from_fn(|cell| counts[cell / 3][cell % 3]));
        self.intervals_by(|rng| {
            let drawn = resampler.draw(rng);
            Confusion::from_counts(array::from_fn(|gold| {
                array::from_fn(|predicted| drawn[gold * 3 + predicted])
            }))
        })
    }

    /// The intervals of what a resample's table is drawn by.
    pub(super) fn intervals_by(self, mut draw: impl FnMut(&mut ChaCha8Rng) -> Confusion) -> Option<Intervals> {
        let mut rng = self.rng();
        let (mut accuracies, mut present, mut all, mut kappas) = (vec![], vec![], vec![], vec![]);
        for _ in 0..self.draws.get() {
            let drawn = draw(&mut rng);
            accuracies.extend(accuracy(&drawn));
            present.extend(macro_f1(&drawn, AbsentClasses::Skip));
            all.extend(macro_f1(&drawn, AbsentClasses::CountAsZero));
            kappas.extend(kappa(&drawn));
        }
        Some(Intervals {
            accuracy: Interval::percentile(&mut accuracies, self.level)?,
            macro_f1_present: Interval::percentile(&mut present, self.level)?,
            macro_f1_all: Interval::percentile(&mut all, self.level)?,
            kappa: KappaInterval {
                undefined: self.undefined(&kappas),
                interval: Interval::percentile(&mut kappas, self.level),
            },
        })
    }

    /// How many draws are not among the defined ones.
    pub(super) fn undefined(self, defined: &[f64]) -> u32 {
        u32::try_from(defined.len()).map_or(0, |defined| self.draws.get().saturating_sub(defined))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::agreement::oracles::confusion;

    fn half_width(interval: Interval) -> f64 {
        (interval.high - interval.low) / 2.0
    }

    #[test]
    fn at_accuracy_060_the_half_width_is_the_published_one() {
        // Spec section 8: ±1.9 points for N = 2,553, ±10.7 for N = 80. The grid of N = 80 is 1.25 points.
        let large = Confusion::from_counts([[1532, 0, 0], [1021, 0, 0], [0, 0, 0]]);
        let small = Confusion::from_counts([[48, 0, 0], [32, 0, 0], [0, 0, 0]]);
        let accuracy = |confusion: &Confusion| Bootstrap::default().intervals(confusion).unwrap().accuracy;
        assert!((half_width(accuracy(&large)) - 0.019).abs() < 0.001);
        assert!((half_width(accuracy(&small)) - 0.107).abs() < 0.0126);
    }

    #[test]
    fn intervals_are_those_of_a_plain_row_by_row_bootstrap() {
        // K8 of spec 14.5; tests/reference/metrics.py resamples its 100 rows 200,000 times with NumPy. Our own Monte Carlo error
        // at 20,000 draws is about 0.001; one row is 0.01 of accuracy.
        let k8 = Confusion::from_counts([[30, 8, 2], [10, 25, 5], [6, 7, 7]]);
        let bootstrap = Bootstrap {
            draws: NonZeroU32::new(20_000).unwrap(),
            ..Bootstrap::default()
        };
        let found = bootstrap.intervals(&k8).unwrap();
        let near = |interval: Interval, low: f64, high: f64, within: f64| {
            assert!(
                (interval.low - low).abs() < within && (interval.high - high).abs() < within,
                "{interval:?}"
            );
        };
        near(found.accuracy, 0.52, 0.71, 0.0101);
        near(found.macro_f1_all, 0.470_346, 0.677_053, 0.004);
        near(found.macro_f1_present, 0.470_346, 0.677_053, 0.004);
        near(found.kappa.interval.unwrap(), 0.245_638, 0.537_822, 0.004);
        assert_eq!(found.kappa.undefined, 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_intervals_and_another_seed_does_not() {
        let rows = Confusion::from_counts([[30, 8, 2], [10, 25, 5], [6, 7, 7]]);
        let seeded = |seed| {
            Bootstrap {
                seed,
                ..Bootstrap::default()
            }
            .intervals(&rows)
        };
        assert_eq!(seeded(7), seeded(7));
        assert_ne!(seeded(7), seeded(8));
    }

    #[test]
    fn draws_without_a_kappa_are_left_out_and_counted() {
        // A resample of two rows is constant and equal half the time: both rows the same.
        let found = Bootstrap::default().intervals(&confusion("12", "12")).unwrap().kappa;
        assert!((900..1100).contains(&found.undefined), "{}", found.undefined);
        assert!(found.interval.unwrap().contains(1.0));

        let never = Bootstrap::default()
            .intervals(&confusion("11111", "11111"))
            .unwrap()
            .kappa;
        assert_eq!(
            never,
            KappaInterval {
                interval: None,
                undefined: 2000
            }
        );
    }

    #[test]
    fn no_rows_have_no_intervals() {
        assert_eq!(Bootstrap::default().intervals(&Confusion::default()), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_interval_holds_the_point_estimate(counts in any::<[[u8; 3]; 3]>()) {
            // At least ten rows in every cell: typical tables, on which the bootstrap is not skewed by empty classes.
            let rows = Confusion::from_counts(counts.map(|row| row.map(|count| u64::from(count) + 10)));
            let found = Bootstrap::default().intervals(&rows).unwrap();
            prop_assert!(found.accuracy.contains(accuracy(&rows).unwrap()));
            prop_assert!(found.macro_f1_all.contains(macro_f1(&rows, AbsentClasses::CountAsZero).unwrap()));
            prop_assert!(found.macro_f1_present.contains(macro_f1(&rows, AbsentClasses::Skip).unwrap()));
            prop_assert!(found.kappa.interval.unwrap().contains(kappa(&rows).unwrap()));
        }
    }
}
