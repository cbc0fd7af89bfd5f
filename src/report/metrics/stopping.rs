//! What a network that may stop early left out, and on which pairs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Voted, discussion::LayerAgreement};
use crate::network::{
    Network, Stopped,
    spec::{Sequential, Stop},
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

impl Stopping {
    /// `None` for a network that never stops early.
    pub(super) fn of(voted: &[Voted<'_>], network: &Network) -> Option<Self> {
        if network.stop == Stop::Never {
            return None;
        }
        let mut groups: BTreeMap<Option<Stopped>, Vec<&Voted<'_>>> = BTreeMap::new();
        let (mut opinions, mut full, mut asked) = (0, 0, 0);
        for pair in voted {
            groups.entry(pair.evaluation.stopped).or_default().push(pair);
            let of_pair = &pair.evaluation.opinions;
            opinions += of_pair.len();
            full += network.opinions(pair.evaluation.roles.roles.len());
            let first = of_pair.iter().filter(|opinion| opinion.layer == 0);
            asked += first.map(|opinion| opinion.neuron + 1).max().unwrap_or(0);
        }
        let not_stopped = Share::of(&groups.remove(&None).unwrap_or_default());
        let places = groups.into_iter().filter_map(|(stopped, pairs)| {
            Some(Place {
                stopped: stopped?,
                share: Share::of(&pairs),
            })
        });
        Some(Self {
            rule: network.stop,
            test: network.sequential,
            pairs: voted.len(),
            stopped: voted.len() - not_stopped.pairs,
            places: places.collect(),
            not_stopped,
            mean_asked: (!voted.is_empty()).then(|| asked as f64 / voted.len() as f64),
            opinions,
            full,
            saved: full.saturating_sub(opinions),
        })
    }

    /// The share of the full network's opinions that was saved; `None` where it has none.
    pub fn saved_share(&self) -> Option<f64> {
        (self.full > 0).then(|| self.saved as f64 / self.full as f64)
    }
}

impl Share {
    fn of(pairs: &[&Voted<'_>]) -> Self {
        let confusion = pairs.iter().filter_map(|pair| super::compared(pair.judged)).collect();
        Self {
            pairs: pairs.len(),
            agreement: LayerAgreement::of(&confusion),
        }
    }
}
