//! How many of everything, and above all: how many are missing, and why.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    agreement::PerClass,
    pair::{Known, Label, Taxonomy},
    run::{Judge, Judged, RunConfig},
};

/// What was judged, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Pairs of the run.
    pub pairs: usize,
    /// Of these, finished.
    pub judged: usize,
    /// Finished pairs with a human label and a verdict: the N of every agreement figure.
    pub compared: usize,
    /// Finished pairs without a verdict, because every opinion is missing.
    pub undecided: usize,
    /// Finished pairs without a human label.
    pub unlabelled: usize,
    /// The verdicts, by class.
    pub verdicts: PerClass<usize>,
    /// Opinions asked for, those that are missing included.
    pub opinions: usize,
    /// Opinions without readable scores, by reason.
    pub missing: BTreeMap<&'static str, usize>,
    /// Of the missing opinions, those that nevertheless count as 0–0, as the network's `reply.failure` asks for.
    pub missing_as_zero: usize,
    /// Pairs judged under the fallback roles because no generated ones could be read.
    pub role_fallbacks: usize,
    /// Opinions whose prompt held shortened reviews.
    pub reviews_shortened: usize,
    /// Malformed entries of the source that were skipped when the run started.
    pub skipped: usize,
    /// Datasets that the taxonomy does not list, judged with the default family's prompts, with their pairs. Absent for baselines, and when
    /// the taxonomy at hand is not the one that the run was judged with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_family: Option<BTreeMap<String, usize>>,
}

impl Counts {
    /// All opinions without readable scores.
    pub fn missing_opinions(&self) -> usize {
        self.missing.values().sum()
    }

    /// The counts before the first finished pair.
    pub(super) fn new(config: &RunConfig, taxonomy: &Taxonomy) -> Self {
        let by_family = matches!(config.judge, Judge::Network { .. }) && taxonomy.digest() == config.taxonomy;
        Self {
            skipped: config.data.skipped,
            default_family: by_family.then(BTreeMap::new),
            ..Self::default()
        }
    }

    /// Counts a finished pair.
    pub(super) fn add(&mut self, pair: &Judged, taxonomy: &Taxonomy) {
        self.judged += 1;
        self.compared += usize::from(super::compared(pair).is_some());
        self.unlabelled += usize::from(pair.pair.label.is_none());
        match pair.verdict {
            None => self.undecided += 1,
            Some(Label::Model1) => self.verdicts.model1 += 1,
            Some(Label::Model2) => self.verdicts.model2 += 1,
            Some(Label::Tie) => self.verdicts.tie += 1,
        }
        let dataset = &pair.pair.dataset;
        if let Some(datasets) = &mut self.default_family
            && taxonomy.family(dataset).known == Known::Fallback
        {
            *datasets.entry(dataset.clone()).or_default() += 1;
        }
        let Some(evaluation) = &pair.evaluation else {
            return;
        };
        self.role_fallbacks += usize::from(evaluation.roles.fallback);
        for opinion in &evaluation.opinions {
            self.opinions += 1;
            self.reviews_shortened += usize::from(opinion.reviews_shortened_to.is_some());
            if let Some(missing) = &opinion.missing {
                *self.missing.entry(missing.kind()).or_default() += 1;
                self.missing_as_zero += usize::from(opinion.scores.is_some());
            }
        }
    }
}
