//! The radii at which masses are taken, and which of them a length falls below first.

use super::{
    config::{Measure, Radii, Rounding},
    lengths::Lengths,
};

/// Candidate radii, ascending. A length belongs to the first radius that reaches it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bins {
    /// 0, 1, … `last`, for rounded lengths.
    Integers { last: usize },
    /// These.
    Radii(Vec<f64>),
}

/// Above it, a table with a place for every integer is larger than one with the lengths that occur.
const GREATEST_INTEGER: f64 = 4096.0;

impl Bins {
    /// The candidates that follow from the choices alone.
    pub(super) fn known(measure: &Measure) -> Option<Self> {
        match (&measure.radii, measure.rounding, measure.at_most) {
            (Radii::Observed, Rounding::Integer, Some(most)) if most <= GREATEST_INTEGER => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "bounded by the guard; a negative limit keeps no length"
                )]
                let last = most.round_ties_even() as usize;
                Some(Self::Integers { last })
            }
            (Radii::LogGrid { low, high, count }, ..) => {
                let last = (count - 1) as f64;
                let radius = |nth: usize| {
                    // The ends are the numbers asked for, not what a power makes of them: a length of exactly `high` is inside.
                    if nth == 0 {
                        *low
                    } else if nth + 1 == *count {
                        *high
                    } else {
                        low * (high / low).powf(nth as f64 / last)
                    }
                };
                Some(Self::Radii((0..*count).map(radius).collect()))
            }
            (Radii::Given(radii), ..) => Some(Self::Radii(radii.clone())),
            _ => None,
        }
    }

    /// The candidates for these lengths.
    pub(super) fn of<'a>(measure: &Measure, lists: impl Iterator<Item = &'a Lengths>) -> Self {
        if let Some(known) = Self::known(measure) {
            return known;
        }
        let mut seen: Vec<f64> = Vec::new();
        for lengths in lists {
            seen.extend_from_slice(lengths.values());
            seen.sort_unstable_by(f64::total_cmp);
            seen.dedup();
        }
        if measure.radii == Radii::Dyadic {
            let most = seen.last().copied().unwrap_or(0.0);
            seen = std::iter::successors(Some(1.0), |radius| Some(radius * 2.0))
                .take_while(|radius| *radius <= most)
                .collect();
        }
        Self::Radii(seen)
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Self::Integers { last } => last + 1,
            Self::Radii(radii) => radii.len(),
        }
    }

    pub(super) fn radius(&self, bin: usize) -> f64 {
        match self {
            Self::Integers { .. } => bin as f64,
            Self::Radii(radii) => radii[bin],
        }
    }

    /// The place of a length; `None` beyond the last radius.
    pub(super) fn place(&self, length: f64) -> Option<usize> {
        match self {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "lengths are positive and rounded; the comparison below catches what is too large"
            )]
            Self::Integers { last } => Some(length as usize).filter(|place| place <= last),
            Self::Radii(radii) => {
                Some(radii.partition_point(|radius| *radius < length)).filter(|place| *place < radii.len())
            }
        }
    }
}
