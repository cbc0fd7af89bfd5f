//! What the layers after the first did: layer 1 alone against the last layer alone.

use serde::Serialize;

use super::Voted;
use crate::{
    agreement::{AbsentClasses, Bootstrap, Comparison, Confusion, Flips, accuracy, kappa, macro_f1},
    network::{
        Network,
        aggregate::{Cell, Layers, Vote, aggregate},
    },
    pair::Label,
};

/// The verdicts of layer 1 against those of the last layer, both by the run's method, reading and tie margin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Discussion {
    /// Pairs on which both layers decide.
    pub pairs: usize,
    /// Of these, with another verdict in the last layer than in the first.
    pub changed: usize,
    /// Pairs on which one of the layers has no opinion with scores: left out here.
    pub left_out: usize,
    /// Pairs on which the network stopped before the last layer: left out here as well, so the others are those that were in doubt.
    pub stopped: usize,
    /// What the changes did, over the pairs that have a label as well.
    pub flips: Flips,
    /// Agreement of layer 1 alone over these; absent without labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer1: Option<LayerAgreement>,
    /// Agreement of the last layer alone; absent without labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<LayerAgreement>,
    /// The last layer (first) beside layer 1 (second): is the gain more than chance? Absent without labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain: Option<Comparison>,
}

/// How one layer alone, or the network on some pairs, agrees with the labels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LayerAgreement {
    /// Pairs.
    pub n: u64,
    /// Share of exact matches.
    pub accuracy: f64,
    /// Macro-F1 over all three classes.
    pub macro_f1_all: f64,
    /// Cohen's kappa; null where it is undefined.
    pub kappa: Option<f64>,
}

/// The comparison in the making.
pub(super) struct Sums<'a> {
    network: &'a Network,
    last: usize,
    evaluated: usize,
    pairs: usize,
    changed: usize,
    stopped: usize,
    /// Verdict of layer 1, verdict of the last layer, human label.
    rows: Vec<(Label, Label, Label)>,
}

impl<'a> Sums<'a> {
    /// `None` for a network of one layer.
    pub(super) fn new(network: &'a Network) -> Option<Self> {
        let last = network.layers.len().checked_sub(1).filter(|&last| last > 0)?;
        Some(Self {
            network,
            last,
            evaluated: 0,
            pairs: 0,
            changed: 0,
            stopped: 0,
            rows: Vec::new(),
        })
    }

    pub(super) fn add(&mut self, pair: &Voted<'_>) {
        self.evaluated += 1;
        if pair.evaluation.stopped.is_some() {
            self.stopped += 1;
            return;
        }
        let by = |layer| self.verdict(&pair.votes, layer);
        let Some((before, after)) = by(0).zip(by(self.last)) else {
            return;
        };
        self.pairs += 1;
        self.changed += usize::from(before != after);
        self.rows
            .extend(pair.judged.pair.label.map(|gold| (before, after, gold)));
    }

    /// The verdict of one layer alone.
    fn verdict(&self, votes: &[Vote], layer: usize) -> Option<Label> {
        let by = self.network.aggregate;
        // All layers of what is given, which is one layer: a last layer that was lost must not be replaced by the one before.
        let cell = Cell {
            layers: Layers::All,
            ..by.cell
        };
        let votes: Vec<Vote> = votes.iter().filter(|vote| vote.layer == layer).copied().collect();
        aggregate(&votes, cell, by.tie_margin).map(|decision| decision.label)
    }

    pub(super) fn finish(self, bootstrap: Bootstrap) -> Discussion {
        let rows = self.rows;
        let layer1 = rows.iter().map(|&(before, _, gold)| (gold, before)).collect();
        let last = rows.iter().map(|&(_, after, gold)| (gold, after)).collect();
        let compared = rows.iter().map(|&(before, after, gold)| (gold, after, before));
        Discussion {
            pairs: self.pairs,
            changed: self.changed,
            left_out: self.evaluated - self.stopped - self.pairs,
            stopped: self.stopped,
            layer1: LayerAgreement::of(&layer1),
            last: LayerAgreement::of(&last),
            gain: Comparison::of(compared, bootstrap),
            flips: Flips::of(rows.iter().copied()),
        }
    }
}

impl LayerAgreement {
    pub(super) fn of(confusion: &Confusion) -> Option<Self> {
        Some(Self {
            n: confusion.n(),
            accuracy: accuracy(confusion)?,
            macro_f1_all: macro_f1(confusion, AbsentClasses::CountAsZero)?,
            kappa: kappa(confusion),
        })
    }
}
