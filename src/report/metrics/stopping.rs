//! What a network that may stop early left out, and on which pairs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Voted, discussion::LayerAgreement};
use crate::{
    agreement::Confusion,
    network::{
        Network, Stopped,
        spec::{Sequential, Stop},
    },
};

/// Where pairs stopped, and what that saved against the same network without `stop`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stopping {
    /// The network's rule.
    pub rule: Stop,
    /// The settings of the sequential rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Sequential>,
    /// Pairs that were evaluated.
    pub pairs: usize,
    /// Of these, pairs that stopped early.
    pub stopped: usize,
    /// The places where they did, in the order of the network.
    pub places: Vec<Place>,
    /// The pairs that took all calls.
    pub not_stopped: Share,
    /// Neurons of layer 1 that were asked, on average over the pairs; null over none.
    pub mean_asked: Option<f64>,
    /// Opinions that were asked for, one request each besides repetitions.
    pub opinions: usize,
    /// Opinions that the full network would have asked for, with the same roles.
    pub full: usize,
    /// The difference: calls saved, apart from repetitions that they would have needed.
    pub saved: usize,
}

/// The pairs that stopped in one place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Place {
    /// Where, and by which rule. Layers are 0-based.
    #[serde(flatten)]
    pub stopped: Stopped,
    /// How many pairs, and how they agree with the labels.
    #[serde(flatten)]
    pub share: Share,
}

/// Some of the pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// How many.
    pub pairs: usize,
    /// How their verdicts agree with the labels; absent without labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<LayerAgreement>,
}

/// The figures in the making.
pub(super) struct Sums<'a> {
    network: &'a Network,
    groups: BTreeMap<Option<Stopped>, Group>,
    pairs: usize,
    opinions: usize,
    full: usize,
    asked: usize,
}

#[derive(Default)]
struct Group {
    pairs: usize,
    confusion: Confusion,
}

impl<'a> Sums<'a> {
    /// `None` for a network that never stops early.
    pub(super) fn new(network: &'a Network) -> Option<Self> {
        (network.stop != Stop::Never).then_some(Self {
            network,
            groups: BTreeMap::new(),
            pairs: 0,
            opinions: 0,
            full: 0,
            asked: 0,
        })
    }

    pub(super) fn add(&mut self, pair: &Voted<'_>) {
        self.pairs += 1;
        let group = self.groups.entry(pair.evaluation.stopped).or_default();
        group.pairs += 1;
        group.confusion.extend(super::compared(pair.judged));
        let of_pair = &pair.evaluation.opinions;
        self.opinions += of_pair.len();
        self.full += self.network.opinions(pair.evaluation.roles.roles.len());
        let first = of_pair.iter().filter(|opinion| opinion.layer == 0);
        self.asked += first.map(|opinion| opinion.neuron + 1).max().unwrap_or(0);
    }

    pub(super) fn finish(mut self) -> Stopping {
        let not_stopped = self.groups.remove(&None).unwrap_or_default().share();
        let places = self.groups.into_iter().filter_map(|(stopped, group)| {
            Some(Place {
                stopped: stopped?,
                share: group.share(),
            })
        });
        Stopping {
            rule: self.network.stop,
            test: self.network.sequential,
            pairs: self.pairs,
            stopped: self.pairs - not_stopped.pairs,
            places: places.collect(),
            not_stopped,
            mean_asked: (self.pairs > 0).then(|| self.asked as f64 / self.pairs as f64),
            opinions: self.opinions,
            full: self.full,
            saved: self.full.saturating_sub(self.opinions),
        }
    }
}

impl Stopping {
    /// The share of the full network's opinions that was saved; `None` where it has none.
    pub fn saved_share(&self) -> Option<f64> {
        (self.full > 0).then(|| self.saved as f64 / self.full as f64)
    }
}

impl Group {
    fn share(self) -> Share {
        Share {
            pairs: self.pairs,
            agreement: LayerAgreement::of(&self.confusion),
        }
    }
}
