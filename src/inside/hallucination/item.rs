//! What becomes of every question of a collection, and how many there are of each kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::consistency::Dropped;
use super::example::Truth;

/// What became of one question: a line of `items.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The question's set and id.
    pub id: String,
    /// Its template or set.
    pub stratum: String,
    /// Its class, where it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Truth>,
    /// Why it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Dropped>,
    /// The answer that stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// How often it was given, of how many.
    pub count: (usize, usize),
    /// Whether its features are taken.
    pub chosen: bool,
}

/// What became of the questions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// All of them.
    pub questions: usize,
    /// Kept as right.
    pub faithful: usize,
    /// Kept as wrong.
    pub hallucinated: usize,
    /// Left out, by reason.
    pub dropped: BTreeMap<Dropped, usize>,
    /// Chosen of each class.
    pub chosen: [usize; 2],
}

impl Tally {
    /// Counts.
    pub(super) fn of(items: &[Item]) -> Self {
        let mut tally = Self {
            questions: items.len(),
            ..Tally::default()
        };
        for item in items {
            match item.class {
                Some(Truth::Faithful) => tally.faithful += 1,
                Some(Truth::Hallucinated) => tally.hallucinated += 1,
                None => {}
            }
            if let Some(dropped) = item.dropped {
                *tally.dropped.entry(dropped).or_default() += 1;
            }
            if let (Some(class), true) = (item.class, item.chosen) {
                tally.chosen[usize::from(class == Truth::Hallucinated)] += 1;
            }
        }
        tally
    }

    /// Reasons for which questions were left out, with their counts.
    pub fn reasons(&self) -> String {
        let reasons: Vec<String> = self
            .dropped
            .iter()
            .map(|(reason, count)| format!("{count} {}", reason.words()))
            .collect();
        reasons.join(", ")
    }
}

impl Dropped {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Uncertain => "uncertain",
            Self::Disagreeing => "with answers that differ too much",
            Self::EmptySpan => "without an answer to read",
            Self::SpanNotFound => "whose answer was not found",
            Self::TooFewSamples => "with too few answers",
            Self::TooLong => "too long",
        }
    }
}
