//! What the order of presentation did to the judgements of one pair.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Reading, Vote};
use crate::{
    network::score::{PairSum, ScorePair},
    pair::{Label, Order},
};

/// One neuron that gave scores in both orders, and what it said in each (canonical labels).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeuronOrders {
    /// Layer, 0-based.
    pub layer: usize,
    /// Neuron within its layer, 0-based.
    pub neuron: usize,
    /// Verdict with `response1` shown first; several samples are averaged before.
    pub forward: Label,
    /// Verdict with `response2` shown first.
    pub swapped: Label,
}

impl NeuronOrders {
    /// Whether the verdict depends on the order.
    pub fn conflicts(&self) -> bool {
        self.forward != self.swapped
    }
}

/// Position diagnostics of one pair (spec section 7).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conflict {
    /// The neurons with scores in both orders, by layer and neuron.
    pub neurons: Vec<NeuronOrders>,
    /// How many neurons have scores in one order only: they cannot conflict, and they tilt the mean to one side.
    pub one_sided: usize,
    /// Sums by *position*: side 1 is the response shown first, whichever it was.
    pub by_position: PairSum,
    /// Calls that scored the response shown first higher.
    pub first_preferred: usize,
    /// Calls that scored the response shown second higher.
    pub second_preferred: usize,
}

impl Conflict {
    /// How many of [`Conflict::neurons`] changed their verdict with the order.
    pub fn conflicting(&self) -> usize {
        self.neurons.iter().filter(|neuron| neuron.conflicts()).count()
    }

    /// The mean score by position: (shown first, shown second), as a pair; `None` without scores.
    pub fn mean_by_position(&self) -> Option<ScorePair> {
        self.by_position.mean()
    }

    /// The share of calls preferring the response shown first among those preferring either; ½ is unbiased when both
    /// orders were asked. `None` when no call has a preference.
    pub fn first_position_preference(&self) -> Option<f64> {
        let decided = self.first_preferred + self.second_preferred;
        (decided > 0).then(|| self.first_preferred as f64 / decided as f64)
    }
}

/// Compares the two orders of every neuron, and the two positions over all calls.
pub fn conflict(votes: &[Vote], reading: Reading) -> Conflict {
    let mut found = Conflict::default();
    let mut neurons: BTreeMap<(usize, usize), [PairSum; 2]> = BTreeMap::new();
    for vote in votes {
        let Some(pair) = vote.pair(reading) else {
            continue;
        };
        let (side, shown) = match vote.order {
            Order::Forward => (0, pair),
            Order::Swapped => (1, pair.swapped()),
        };
        neurons.entry((vote.layer, vote.neuron)).or_default()[side].add(pair);
        found.by_position.add(shown);
        match shown.verdict() {
            Label::Model1 => found.first_preferred += 1,
            Label::Model2 => found.second_preferred += 1,
            Label::Tie => {}
        }
    }
    for ((layer, neuron), [forward, swapped]) in neurons {
        if forward.n() > 0 && swapped.n() > 0 {
            let (forward, swapped) = (forward.verdict(), swapped.verdict());
            found.neurons.push(NeuronOrders {
                layer,
                neuron,
                forward,
                swapped,
            });
        } else {
            found.one_sided += 1;
        }
    }
    found
}
