//! Position bias over many pairs: how much judgements depend on which response was shown first.

use serde::{Deserialize, Serialize};

use super::{Interval, Level, wilson};
use crate::{
    network::{
        aggregate::Conflict,
        score::{PairSum, ScorePair},
    },
    pair::Label,
};

/// The share of (verdict in order 12, verdict in order 21) that differ, both canonical; `None` over nothing. One minus it is the
/// "position consistency" of the literature.
pub fn conflict_rate(verdicts: impl IntoIterator<Item = (Label, Label)>) -> Option<f64> {
    let (mut conflicts, mut n) = (0_usize, 0_usize);
    for (forward, swapped) in verdicts {
        conflicts += usize::from(forward != swapped);
        n += 1;
    }
    (n > 0).then(|| conflicts as f64 / n as f64)
}

/// The position diagnostics of many pairs together.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PositionBias {
    /// Neurons with scores in both orders, over all pairs.
    pub neurons: u64,
    /// Of these, how many changed their verdict with the order.
    pub conflicting: u64,
    /// `conflicting / neurons`; `None` without neurons.
    pub conflict_rate: Option<f64>,
    /// Wilson interval of the conflict rate.
    pub conflict_interval: Option<Interval>,
    /// Neurons with scores in one order only.
    pub one_sided: u64,
    /// Calls with scores.
    pub calls: u64,
    /// Mean scores by position: `score1` is that of the response shown first. `None` without calls.
    pub mean_by_position: Option<ScorePair>,
    /// Calls that scored the response shown first higher.
    pub first_preferred: u64,
    /// Calls that scored the response shown second higher.
    pub second_preferred: u64,
    /// `first_preferred` / (`first_preferred` + `second_preferred`): ½ is unbiased when every pair was asked in both orders.
    /// `None` when no call has a preference.
    pub first_position_preference: Option<f64>,
    /// Wilson interval of the preference.
    pub preference_interval: Option<Interval>,
}

impl PositionBias {
    /// Sums the diagnostics of single pairs.
    pub fn of<'a>(pairs: impl IntoIterator<Item = &'a Conflict>, level: Level) -> Self {
        let mut sums = PositionSums::default();
        pairs.into_iter().for_each(|pair| sums.add(pair));
        sums.bias(level)
    }
}

/// The diagnostics in the making: pairs are added one by one.
#[derive(Debug, Clone, Default)]
pub struct PositionSums {
    bias: PositionBias,
    by_position: PairSum,
}

impl PositionSums {
    /// Adds the diagnostics of one pair.
    pub fn add(&mut self, pair: &Conflict) {
        self.bias.neurons += pair.neurons.len() as u64;
        self.bias.conflicting += pair.conflicting() as u64;
        self.bias.one_sided += pair.one_sided as u64;
        self.bias.first_preferred += pair.first_preferred as u64;
        self.bias.second_preferred += pair.second_preferred as u64;
        self.by_position += pair.by_position;
    }

    /// Those of all pairs together.
    pub fn bias(&self, level: Level) -> PositionBias {
        let Self { bias, by_position } = self;
        let decided = bias.first_preferred + bias.second_preferred;
        PositionBias {
            conflict_rate: share(bias.conflicting, bias.neurons),
            conflict_interval: wilson(bias.conflicting, bias.neurons, level),
            calls: by_position.n() as u64,
            mean_by_position: by_position.mean(),
            first_position_preference: share(bias.first_preferred, decided),
            preference_interval: wilson(bias.first_preferred, decided, level),
            ..*bias
        }
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{
        agreement::oracles::assert_near,
        network::aggregate::{Reading, Vote, conflict},
        pair::{
            Label::{Model1, Model2, Tie},
            Order,
        },
    };

    #[test]
    fn two_of_five_verdicts_change_with_the_order() {
        // Spec 14.6.
        let verdicts = [
            (Model1, Model1),
            (Model1, Model2),
            (Tie, Tie),
            (Tie, Model1),
            (Model2, Model2),
        ];
        assert_eq!(conflict_rate(verdicts), Some(0.4));
        assert_eq!(conflict_rate([]), None);
    }

    #[test]
    fn a_judge_that_always_prefers_what_it_sees_first_is_found_out() {
        let vote = |order, (a, b): (u8, u8)| Vote {
            layer: 0,
            neuron: 0,
            order,
            sample: 0,
            argmax: Some(ScorePair::new(a.into(), b.into())),
            expected: None,
        };
        // Pair 1: 9 for whichever is first, 5 for the other. Pair 2: only one order came back, a tie.
        let pairs = [
            conflict(
                &[vote(Order::Forward, (9, 5)), vote(Order::Swapped, (5, 9))],
                Reading::Argmax,
            ),
            conflict(&[vote(Order::Swapped, (6, 6))], Reading::Argmax),
        ];
        let bias = PositionBias::of(&pairs, Level::P95);
        assert_eq!(
            (bias.neurons, bias.conflicting, bias.one_sided, bias.calls),
            (1, 1, 1, 3)
        );
        assert_eq!(
            bias.mean_by_position,
            Some(ScorePair::new(8.into(), "5.333333".parse().unwrap()))
        );
        assert_near(bias.conflict_rate, 1.0, "conflict rate");
        assert_near(bias.first_position_preference, 1.0, "first position");
        assert!(bias.preference_interval.unwrap().low < 0.5, "two calls prove little");
    }

    #[test]
    fn no_pairs_have_no_rates() {
        assert_eq!(PositionBias::of([], Level::P95), PositionBias::default());
    }
}
