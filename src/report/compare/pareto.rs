//! Which configurations are worth what they cost.

use serde::Serialize;

use super::configuration::Configuration;
use crate::agreement::Interval;

/// Cost and kappa of every configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pareto {
    /// In which unit cost is told.
    pub unit: Unit,
    /// Cheapest first; those of which cost or kappa is not known come last.
    pub points: Vec<Point>,
}

/// A unit of cost, for 1,000 pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// US dollars: where the price of every configuration is known.
    Usd,
    /// Seconds of wall-clock time: otherwise.
    Seconds,
}

/// One configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Its name.
    pub configuration: String,
    /// Its cost for 1,000 pairs. That of a configuration without calls is 0.
    pub cost: Option<f64>,
    /// Cohen's kappa.
    pub kappa: Option<f64>,
    /// The interval of kappa.
    pub interval: Option<Interval>,
    /// Whether no other configuration is as good and cheaper, or better and as cheap.
    pub on_front: bool,
}

impl Unit {
    /// How axes and columns name it.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Usd => "USD per 1,000 pairs",
            Unit::Seconds => "seconds per 1,000 pairs",
        }
    }
}

impl Pareto {
    pub(super) fn of(configurations: &[Configuration]) -> Self {
        let priced = configurations
            .iter()
            .filter_map(|configuration| configuration.spending.per_thousand)
            .all(|cost| cost.usd.is_some());
        // Where nothing has a price but 0, money says nothing.
        let paid = configurations
            .iter()
            .filter_map(|configuration| configuration.spending.per_thousand?.usd)
            .any(|usd| usd > 0.0);
        let unit = if priced && paid { Unit::Usd } else { Unit::Seconds };
        let points = configurations.iter().map(|configuration| {
            let agreement = configuration.agreement;
            Point {
                configuration: configuration.name.clone(),
                cost: configuration.spending.per_thousand.and_then(|cost| match unit {
                    _ if cost.calls == 0.0 => Some(0.0),
                    Unit::Usd => cost.usd,
                    Unit::Seconds => cost.seconds,
                }),
                kappa: configuration.kappa(),
                interval: agreement.and_then(|agreement| agreement.intervals.kappa.interval),
                on_front: false,
            }
        });
        let mut points: Vec<Point> = points.collect();
        let places: Vec<Option<(f64, f64)>> = points.iter().map(|point| point.cost.zip(point.kappa)).collect();
        for (point, on_front) in points.iter_mut().zip(front(&places)) {
            point.on_front = on_front;
        }
        points.sort_by(|a, b| {
            let cost = |point: &Point| point.cost.unwrap_or(f64::INFINITY);
            cost(a).total_cmp(&cost(b))
        });
        Self { unit, points }
    }

    /// The points on the front, cheapest first.
    pub fn front(&self) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(|point| point.on_front)
    }
}

/// Which (cost, kappa) no other one dominates: at most the cost and at least the kappa, and better in one of them.
fn front(points: &[Option<(f64, f64)>]) -> Vec<bool> {
    let dominates = |(cost, kappa): (f64, f64), (other_cost, other_kappa): (f64, f64)| {
        cost <= other_cost && kappa >= other_kappa && (cost < other_cost || kappa > other_kappa)
    };
    points
        .iter()
        .map(|point| point.is_some_and(|point| !points.iter().flatten().any(|&other| dominates(other, point))))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_point_is_on_the_front_unless_another_is_better_and_no_dearer() {
        let points = [
            Some((0.0, 0.0)),
            Some((0.0, 0.1)),
            Some((5.0, 0.1)),
            Some((5.0, 0.3)),
            Some((9.0, 0.3)),
            Some((9.0, 0.4)),
            Some((9.0, 0.4)),
            None,
            Some((20.0, 0.2)),
        ];
        let expected = [false, true, false, true, false, true, true, false, false];
        assert_eq!(front(&points), expected);
        assert_eq!(front(&[Some((3.0, -0.2))]), [true], "the only one is the best");
    }

    proptest! {
        #[test]
        fn every_point_off_the_front_is_dominated_by_one_on_it(points in prop::collection::vec((0_u8..20, 0_u8..20), 1..12)) {
            let points: Vec<_> = points.into_iter().map(|(cost, kappa)| Some((f64::from(cost), f64::from(kappa)))).collect();
            let on_front = front(&points);
            for (point, on) in points.iter().zip(&on_front) {
                let (cost, kappa) = (*point).unwrap_or_default();
                let beaten = points.iter().zip(&on_front).filter(|(_, on)| **on).any(|(other, _)| {
                    let (other_cost, other_kappa) = (*other).unwrap_or_default();
                    other_cost <= cost && other_kappa >= kappa && (other_cost < cost || other_kappa > kappa)
                });
                prop_assert_eq!(*on, !beaten);
            }
        }
    }
}
