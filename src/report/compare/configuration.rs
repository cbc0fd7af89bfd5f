//! One configuration: all its runs told together.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    read::{Group, Seen},
    spending::Spending,
};
use crate::{
    agreement::{Bootstrap, Confusion, Interval, Level, Spread, Summary, accuracy, kappa, wilson},
    run::Judge,
};

/// The figures of one configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Configuration {
    /// What tables call it: network and model, or the baseline.
    pub name: String,
    /// Name of the network or baseline.
    pub judge: String,
    /// Models by name; none for a baseline.
    pub models: Vec<String>,
    /// Folders of its runs, by seed.
    pub runs: Vec<PathBuf>,
    /// Pairs that the runs are of.
    pub pairs: usize,
    /// Pairs that all runs have finished.
    pub judged: usize,
    /// Pairs with a human label and a verdict in every run.
    pub compared: usize,
    /// Agreement with the labels over these; absent where there are none.
    pub agreement: Option<Summary>,
    /// Bias and variance over these.
    pub spread: Option<Spread>,
    /// The same pairs, seed by seed.
    pub seeds: Vec<OfSeed>,
    /// P(longer preferred): over verdicts that prefer one of two responses of different length.
    pub longer: Preference,
    /// P(first preferred): over calls that prefer the response shown first or the one shown second.
    pub first: Preference,
    /// Opinions that were asked for.
    pub opinions: u64,
    /// Of these, without readable scores.
    pub missing: u64,
    /// Share of the opinions whose scores could be read; `None` without opinions.
    pub parsed: Option<f64>,
    /// What it took.
    pub spending: Spending,
}

/// The agreement of one run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OfSeed {
    /// Its seed.
    pub seed: u64,
    /// Share of exact matches.
    pub accuracy: Option<f64>,
    /// Cohen's kappa.
    pub kappa: Option<f64>,
}

/// How often one of two was preferred.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Preference {
    /// Preferences.
    pub n: u64,
    /// The share that went to the one; `None` without preferences.
    pub share: Option<f64>,
    /// Its Wilson interval, which takes the preferences to be independent.
    pub interval: Option<Interval>,
}

impl Preference {
    fn of([n, part]: [u64; 2], level: Level) -> Self {
        Self {
            n,
            share: (n > 0).then(|| part as f64 / n as f64),
            interval: wilson(part, n, level),
        }
    }
}

impl Configuration {
    pub(super) fn of(group: &Group, bootstrap: Bootstrap) -> Self {
        let decided = group.decided();
        let rows = || decided.values().map(|(label, verdicts)| (*label, verdicts.as_slice()));
        let seeds = group.runs.iter().enumerate().map(|(nth, run)| {
            let table: Confusion = rows().map(|(label, verdicts)| (label, verdicts[nth])).collect();
            OfSeed {
                seed: run.seed,
                accuracy: accuracy(&table),
                kappa: kappa(&table),
            }
        });
        let mut models: Vec<String> = Vec::new();
        if let Judge::Network { model, named, .. } = &group.config.judge {
            for model in std::iter::once(model).chain(named) {
                if !models.contains(&model.name) {
                    models.push(model.name.clone());
                }
            }
        }
        let seen = group.runs.iter().map(|run| run.seen).fold(Seen::default(), Seen::plus);
        let everywhere = |pair: &&usize| group.runs.iter().all(|run| run.rows.contains_key(*pair));
        let judged = group
            .runs
            .first()
            .map_or(0, |run| run.rows.keys().filter(everywhere).count());
        Self {
            name: group.name.clone(),
            judge: group.config.judge.name().to_owned(),
            models,
            runs: group.runs.iter().map(|run| run.folder.clone()).collect(),
            pairs: group.runs.iter().map(|run| run.pairs).max().unwrap_or(0),
            judged,
            compared: decided.len(),
            agreement: Summary::of_repeated(rows(), bootstrap),
            spread: Spread::of(rows()),
            seeds: seeds.collect(),
            longer: Preference::of(seen.by_length, bootstrap.level),
            first: Preference::of(seen.by_position, bootstrap.level),
            opinions: seen.opinions,
            missing: seen.missing,
            parsed: (seen.opinions > 0).then(|| (seen.opinions - seen.missing) as f64 / seen.opinions as f64),
            spending: Spending::of(group.runs.iter().map(|run| (&run.spent, run.rows.len()))),
        }
    }

    /// Cohen's kappa over all runs.
    pub fn kappa(&self) -> Option<f64> {
        self.agreement.and_then(|agreement| agreement.kappa)
    }
}

impl Seen {
    fn plus(self, other: Self) -> Self {
        let sum = |one: [u64; 2], two: [u64; 2]| [one[0] + two[0], one[1] + two[1]];
        Self {
            opinions: self.opinions + other.opinions,
            missing: self.missing + other.missing,
            by_length: sum(self.by_length, other.by_length),
            by_position: sum(self.by_position, other.by_position),
        }
    }
}
