//! When a network has heard enough of a pair, and what it leaves out then.
//!
//! A network file says so by `stop`. `unanimous` looks at a whole layer (here); `sequential` looks at layer 1 neuron by neuron
//! ([`super::sequential`]). Either way the calls that are made are the same calls, with the same prompts and seeds, as in the network that
//! never stops: the opinions are a prefix of that network's, and one cache of calls serves both.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::aggregate::Vote;
use super::opinion::Opinion;
use super::score::PairSum;
use super::spec::{Aggregate, Network, Orders};
use crate::pair::Label;

/// Where a network stopped, and by which rule. Layers are 0-based, as in [`Opinion`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum Stopped {
    /// All opinions of a layer said the same.
    Unanimous {
        /// The layer.
        layer: usize,
    },
    /// The neurons of layer 1 that were left could not have changed the majority.
    Curtailed {
        /// How many neurons were asked.
        neurons: usize,
    },
    /// One class led the votes of layer 1 by as much as the sequential test asks for.
    Sequential {
        /// How many neurons were asked.
        neurons: usize,
    },
}

impl Stopped {
    /// The rule in one word.
    pub fn rule(self) -> &'static str {
        match self {
            Stopped::Unanimous { .. } => "unanimous",
            Stopped::Curtailed { .. } => "curtailed",
            Stopped::Sequential { .. } => "sequential",
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::Unanimous { layer } => write!(f, "after layer {}: unanimous", layer + 1),
            Stopped::Curtailed { neurons } => write!(f, "after neuron {neurons}: the rest could change nothing"),
            Stopped::Sequential { neurons } => write!(f, "after neuron {neurons}: led far enough"),
        }
    }
}

impl Network {
    /// How many opinions it gathers on a pair with so many roles when it does not stop early: one request each, unless a reply has to be asked
    /// for again.
    pub fn opinions(&self, roles: usize) -> usize {
        let orders = match self.calls.orders {
            Orders::Both => 2,
            Orders::One => 1,
        };
        self.layers.len() * roles * orders * self.calls.samples.get()
    }
}

/// Whether all opinions of a layer, by the reading and the tie margin of the aggregation, say the same: each the same response, or each a tie.
///
/// Every opinion counts on its own, so a neuron whose orders contradict each other prevents it. So does a missing opinion, also where it is
/// counted as 0–0. One opinion alone agrees with nobody. Where layer 1 is unanimous, every cell of the same reading gives that verdict: their
/// means and their votes are on one side.
pub(super) fn unanimous(opinions: &[Opinion], by: Aggregate) -> bool {
    let says = |opinion: &Opinion| -> Option<Label> {
        let vote: Vote = opinion.missing.is_none().then(|| opinion.vote())?;
        let pair = vote.pair(by.cell.reading)?;
        Some(PairSum::from_iter([pair]).verdict_within(by.tie_margin))
    };
    let [first, rest @ ..] = opinions else {
        return false;
    };
    let first = says(first);
    first.is_some() && !rest.is_empty() && rest.iter().all(|opinion| says(opinion) == first)
}
