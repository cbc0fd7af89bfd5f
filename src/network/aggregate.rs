//! From the scores of all calls on one pair to one decision (spec section 7).
//!
//! Comparisons are made on exact sums. A call that failed is *missing*: it leaves the mean, it does not vote, and it is
//! never a 0–0. The one exception is [`official_mean`], which reproduces what the released code prints.

mod cell;
mod conflict;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{
    cell::{Cell, CellError, Layers, Margin, MarginError, Method, Reading},
    conflict::{Conflict, NeuronOrders, conflict},
};
use super::score::{PairSum, Score, ScorePair};
use crate::pair::{Label, Order};

/// One call's scores and where in the network it stands. A failed call is absent, or has `None` in both readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Layer, 0-based.
    pub layer: usize,
    /// Neuron within its layer, 0-based.
    pub neuron: usize,
    /// The order in which the responses were shown. Scores are canonical in both.
    pub order: Order,
    /// Which of several samples of the same call, 0-based.
    pub sample: usize,
    /// The scores that the model wrote.
    pub argmax: Option<ScorePair>,
    /// The means of the scores' distributions.
    pub expected: Option<ScorePair>,
}

impl Vote {
    /// The scores under one reading, if the call has them.
    pub fn pair(&self, reading: Reading) -> Option<ScorePair> {
        match reading {
            Reading::Argmax => self.argmax,
            Reading::Expected => self.expected,
        }
    }
}

/// What a cell of the grid made of one pair's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The verdict.
    pub label: Label,
    /// The mean score pair of the calls that took part, whichever the method.
    pub pair: ScorePair,
    /// How many calls took part.
    pub n: usize,
}

/// How many voting units chose each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Votes for `response1`.
    pub model1: usize,
    /// Votes for `response2`.
    pub model2: usize,
    /// Votes for neither.
    pub tie: usize,
}

impl Tally {
    /// The class with most votes; `Tie` when the top count is shared.
    pub fn plurality(self) -> Label {
        if self.model1 > self.model2.max(self.tie) {
            Label::Model1
        } else if self.model2 > self.model1.max(self.tie) {
            Label::Model2
        } else {
            Label::Tie
        }
    }
}

impl FromIterator<Label> for Tally {
    fn from_iter<I: IntoIterator<Item = Label>>(labels: I) -> Self {
        let mut tally = Self::default();
        for label in labels {
            match label {
                Label::Model1 => tally.model1 += 1,
                Label::Model2 => tally.model2 += 1,
                Label::Tie => tally.tie += 1,
            }
        }
        tally
    }
}

impl PairSum {
    /// The side with the higher sum; `Tie` when they are equal, and when there are none.
    pub fn verdict(&self) -> Label {
        self.verdict_within(Margin::default())
    }

    /// The side with the higher mean; `Tie` when |mean1 − mean2| ≤ margin, decided on integers as |sum1 − sum2| ≤ margin·n.
    pub fn verdict_within(&self, margin: Margin) -> Label {
        let (sum1, sum2) = self.millionths();
        // A margin has at most 50 bits and a count at most 64: the product fits.
        let slack = i128::from(margin.points().millionths()) * self.n() as i128;
        if (sum1 - sum2).abs() <= slack {
            Label::Tie
        } else if sum1 > sum2 {
            Label::Model1
        } else {
            Label::Model2
        }
    }
}

/// Decides one pair by one cell of the grid. `None` when no call has a score under the cell's reading.
///
/// The margin applies to the means, or to each voting unit's own difference. `Layers::Last` is the highest layer from which
/// there is any score, so that a network that stopped early, or lost its last layer, still decides.
pub fn aggregate(votes: &[Vote], cell: Cell, margin: Margin) -> Option<Decision> {
    let calls = calls(votes, cell);
    let sum: PairSum = calls.iter().map(|&(_, pair)| pair).collect();
    let pair = sum.mean()?;
    let label = match units(&calls, cell.method) {
        Some(units) => tally_of(&units, margin).plurality(),
        None => sum.verdict_within(margin),
    };
    Some(Decision {
        label,
        pair,
        n: sum.n(),
    })
}

/// The votes behind a decision of a voting cell. `None` for [`Method::Mean`], and when there is nothing to vote with.
pub fn tally(votes: &[Vote], cell: Cell, margin: Margin) -> Option<Tally> {
    let units = units(&calls(votes, cell), cell.method)?;
    (!units.is_empty()).then(|| tally_of(&units, margin))
}

/// The mean pair as the released code prints it, for comparison with its output files: a call without scores counts as
/// 0–0, and 10⁻⁵ is added to the number of calls, so that the figures are low by a relative 10⁻⁵/n (defect B8).
///
/// It reads [`Reading::Argmax`]: the released code knows no other.
pub fn official_mean(votes: &[Vote]) -> (f64, f64) {
    let sum: PairSum = votes.iter().map(|vote| vote.argmax.unwrap_or_default()).collect();
    let (sum1, sum2) = sum.millionths();
    let per_point = Score::from(1).millionths() as f64;
    let denominator = sum.n() as f64 + 1e-5;
    (
        sum1 as f64 / per_point / denominator,
        sum2 as f64 / per_point / denominator,
    )
}

/// The calls that take part in a cell, with their scores.
fn calls(votes: &[Vote], cell: Cell) -> Vec<(&Vote, ScorePair)> {
    let mut calls: Vec<_> = votes
        .iter()
        .filter_map(|vote| vote.pair(cell.reading).map(|pair| (vote, pair)))
        .collect();
    if cell.layers == Layers::Last {
        let last = calls.iter().map(|(vote, _)| vote.layer).max();
        calls.retain(|(vote, _)| Some(vote.layer) == last);
    }
    calls
}

/// The sums that vote; `None` where nobody votes.
fn units(calls: &[(&Vote, ScorePair)], method: Method) -> Option<Vec<PairSum>> {
    match method {
        Method::Mean => None,
        Method::VotePerCall => Some(calls.iter().map(|&(_, pair)| PairSum::from_iter([pair])).collect()),
        Method::VotePerNeuron => {
            let mut neurons: BTreeMap<(usize, usize), PairSum> = BTreeMap::new();
            for &(vote, pair) in calls {
                neurons.entry((vote.layer, vote.neuron)).or_default().add(pair);
            }
            Some(neurons.into_values().collect())
        }
    }
}

fn tally_of(units: &[PairSum], margin: Margin) -> Tally {
    units.iter().map(|unit| unit.verdict_within(margin)).collect()
}
