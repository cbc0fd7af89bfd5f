//! Handing to people the pairs on which a judge contradicts itself (FairEval's HITLC, spec section 11.1).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    Human,
    configuration::Configuration,
    read::{Group, Known},
};
use crate::{
    agreement::{AbsentClasses, Confusion, Share, accuracy, bpde, hand_over, kappa, macro_f1},
    pair::Label,
};

/// What it does to hand a share of the pairs to people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HandOver {
    /// Name of the configuration.
    pub configuration: String,
    /// The share.
    pub share: Share,
    /// The pairs to label, most uncertain first.
    pub pairs: Vec<Handed>,
    /// The judge alone, over pairs with a label and a verdict in every run.
    pub before: Labelling,
    /// Judge and people, over pairs with a label that were decided or handed over: people are taken to give the human label.
    pub after: Labelling,
}

/// A pair to label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Handed {
    /// Its place in the data, 0-based.
    pub index: usize,
    /// Its id there.
    pub id: Option<String>,
    /// Its dataset.
    pub dataset: String,
    /// Balanced position diversity entropy of the single verdicts of all runs, in nats; `None` where no call gave scores.
    pub bpde: Option<f64>,
    /// What the first run says.
    pub verdict: Option<Label>,
    /// What people said, where that is known already.
    pub label: Option<Label>,
}

/// How well a way of labelling agrees with people, and what 1,000 pairs cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Labelling {
    /// Pairs.
    pub n: usize,
    /// Share of exact matches.
    pub accuracy: Option<f64>,
    /// Macro-F1 over all three classes.
    pub macro_f1: Option<f64>,
    /// Cohen's kappa.
    pub kappa: Option<f64>,
    /// US dollars for 1,000 pairs; `None` where a price is not known.
    pub usd_per_thousand: Option<f64>,
    /// Seconds for 1,000 pairs, one after the other; `None` where they are not known.
    pub seconds_per_thousand: Option<f64>,
}

impl HandOver {
    pub(super) fn of(
        group: &Group,
        configuration: &Configuration,
        share: Share,
        human: Human,
        known: &BTreeMap<usize, Known>,
    ) -> Self {
        let Some(first) = group.runs.first() else {
            return Self::nothing(configuration, share);
        };
        // Pairs that every run has finished.
        let pairs: Vec<usize> = first
            .rows
            .keys()
            .copied()
            .filter(|pair| group.runs.iter().all(|run| run.rows.contains_key(pair)))
            .collect();
        let entropies: Vec<Option<f64>> = pairs.iter().map(|pair| entropy(group, *pair)).collect();
        let places = hand_over(&entropies, share);
        let handed: BTreeSet<usize> = places.iter().map(|&place| pairs[place]).collect();
        let decided = group.decided();
        let mut after: Confusion = Confusion::default();
        let mut n = 0;
        for pair in &pairs {
            if let (true, Some(label)) = (handed.contains(pair), first.rows[pair].label) {
                // One answer of a person stands in for the verdicts of all runs.
                after.extend(std::iter::repeat_n((label, label), group.runs.len()));
                n += 1;
            } else if let Some((label, verdicts)) = decided.get(pair) {
                after.extend(verdicts.iter().map(|&verdict| (*label, verdict)));
                n += 1;
            }
        }
        let before = decided
            .values()
            .flat_map(|(label, verdicts)| verdicts.iter().map(|&verdict| (*label, verdict)))
            .collect();
        let cost = configuration.spending.per_thousand;
        let (usd, seconds) = (cost.and_then(|cost| cost.usd), cost.and_then(|cost| cost.seconds));
        let per_thousand = |own: Option<f64>, person: Option<f64>| {
            let part = handed.len() as f64 / pairs.len() as f64;
            own.zip(person).map(|(own, person)| own + 1000.0 * part * person)
        };
        Self {
            configuration: configuration.name.clone(),
            share,
            before: Labelling::of(&before, decided.len(), usd, seconds),
            after: Labelling::of(
                &after,
                n,
                per_thousand(usd, human.usd_per_pair),
                per_thousand(seconds, human.seconds_per_pair),
            ),
            pairs: places
                .into_iter()
                .map(|place| {
                    let index = pairs[place];
                    let row = first.rows[&index];
                    let known = known.get(&index);
                    Handed {
                        index,
                        id: known.and_then(|known| known.id.clone()),
                        dataset: known.map(|known| known.dataset.clone()).unwrap_or_default(),
                        bpde: entropies[place],
                        verdict: row.verdict,
                        label: row.label,
                    }
                })
                .collect(),
        }
    }

    fn nothing(configuration: &Configuration, share: Share) -> Self {
        let none = Labelling::of(&Confusion::default(), 0, None, None);
        Self {
            configuration: configuration.name.clone(),
            share,
            pairs: Vec::new(),
            before: none,
            after: none,
        }
    }
}

impl Labelling {
    fn of(table: &Confusion, n: usize, usd: Option<f64>, seconds: Option<f64>) -> Self {
        Self {
            n,
            accuracy: accuracy(table),
            macro_f1: macro_f1(table, AbsentClasses::CountAsZero),
            kappa: kappa(table),
            usd_per_thousand: usd,
            seconds_per_thousand: seconds,
        }
    }
}

/// Over the single verdicts of all runs.
fn entropy(group: &Group, pair: usize) -> Option<f64> {
    let rows = group.runs.iter().filter_map(|run| run.rows.get(&pair));
    let verdicts = rows.flat_map(|row| {
        let counts = Label::ALL.into_iter().zip(row.votes);
        counts.flat_map(|(label, count)| std::iter::repeat_n(label, count.into()))
    });
    bpde(verdicts)
}
