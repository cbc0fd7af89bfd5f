//! How many of everything, and above all: how many are missing, and why.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    agreement::PerClass,
    pair::{Known, Taxonomy},
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

    pub(super) fn of(config: &RunConfig, judged: &[Judged], total_pairs: usize, taxonomy: &Taxonomy) -> Self {
        let mut counts = Self {
            pairs: total_pairs,
            judged: judged.len(),
            skipped: config.data.skipped,
            default_family: default_family(config, judged, taxonomy),
            ..Self::default()
        };
        for pair in judged {
            counts.compared += usize::from(super::compared(pair).is_some());
            counts.undecided += usize::from(pair.verdict.is_none());
            counts.unlabelled += usize::from(pair.pair.label.is_none());
            let Some(evaluation) = &pair.evaluation else {
                continue;
            };
            counts.role_fallbacks += usize::from(evaluation.roles.fallback);
            for opinion in &evaluation.opinions {
                counts.opinions += 1;
                counts.reviews_shortened += usize::from(opinion.reviews_shortened_to.is_some());
                if let Some(missing) = &opinion.missing {
                    *counts.missing.entry(missing.kind()).or_default() += 1;
                    counts.missing_as_zero += usize::from(opinion.scores.is_some());
                }
            }
        }
        let of_class = |label| judged.iter().filter(|pair| pair.verdict == Some(label)).count();
        counts.verdicts = PerClass::from_fn(of_class);
        counts
    }
}

fn default_family(config: &RunConfig, judged: &[Judged], taxonomy: &Taxonomy) -> Option<BTreeMap<String, usize>> {
    let Judge::Network { .. } = config.judge else {
        return None;
    };
    if taxonomy.digest() != config.taxonomy {
        return None;
    }
    let mut datasets = BTreeMap::new();
    for pair in judged {
        let dataset = &pair.pair.dataset;
        if taxonomy.family(dataset).known == Known::Fallback {
            *datasets.entry(dataset.clone()).or_default() += 1;
        }
    }
    Some(datasets)
}
