//! A [`Pair`] is one item to judge: a query, two responses and, where known, the human label.
//!
//! Text is content: nothing here trims, normalises or re-encodes a query or a response (LLMEval² rows start with spaces,
//! newlines and mid-function code that a judge must see as they are).
//!
//! [`read`](fn@read) turns a published file, or one of your own, into a [`Dataset`], and [`Survey`] does so without
//! holding its texts; [`Selection`] narrows it; [`Taxonomy`]
//! says which prompt family, task type and abilities a dataset stands for; [`baseline`] judges without a model; [`anomalies`]
//! finds the rows that no judge can do well on.
//!
//! ```
//! use widedeep::pair::{self, Sample, Selection, Taxonomy};
//!
//! let mut pairs = pair::demo().pairs;
//! let some = Selection { sample: Some(Sample { n: 6, seed: 1 }), ..Selection::default() };
//! some.apply(&mut pairs)?;
//! assert_eq!(pairs.len(), 6);
//!
//! let taxonomy = Taxonomy::embedded();
//! assert_eq!(taxonomy.family("mt-bench").family, "multi-dialogue");
//! # Ok::<(), widedeep::pair::SelectError>(())
//! ```

pub mod anomalies;
pub mod baseline;
mod csv;
mod demo;
pub mod faireval;
mod fault;
mod format;
mod input;
mod intake;
mod jsonl;
mod judgebench;
mod llmbar;
mod llmeval2;
mod read;
mod row;
mod select;
mod survey;
mod taxonomy;

pub use demo::demo;
pub use fault::{BadLine, Fault, ReadError};
pub use format::{Format, UnknownFormat};
pub use read::{BadLines, Dataset, Reader, Source, read};
pub use select::{Sample, SelectError, Selection};
pub use survey::Survey;
pub use taxonomy::{FamilyChoice, Known, Taxonomy, TaxonomyError};

use serde::{Deserialize, Serialize};

/// Who a human, or a network, prefers. `TIE` is an ordinary third class (spec section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// The first response is preferred.
    Model1,
    /// The second response is preferred.
    Model2,
    /// Neither is preferred.
    Tie,
}

impl Label {
    /// All classes in the order in which tables and confusion matrices show them.
    pub const ALL: [Label; 3] = [Label::Model1, Label::Model2, Label::Tie];

    /// The same preference after the two responses have been exchanged.
    #[must_use]
    pub fn swapped(self) -> Self {
        match self {
            Label::Model1 => Label::Model2,
            Label::Model2 => Label::Model1,
            Label::Tie => Label::Tie,
        }
    }

    /// The name used in files and tables: `model1`, `model2` or `tie`.
    pub fn name(self) -> &'static str {
        match self {
            Label::Model1 => "model1",
            Label::Model2 => "model2",
            Label::Tie => "tie",
        }
    }
}

/// One item to judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Position in its source, 0-based; the id that every output carries (LLMEval² has no other).
    pub index: usize,
    /// The source's own id where it has one (`question_id`, `pair_id`, an `id` column).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the responses answer. May be empty: all mt-bench rows of LLMEval² carry the dialogue in the responses.
    pub query: String,
    /// First response, canonical order.
    pub response1: String,
    /// Second response, canonical order.
    pub response2: String,
    /// The human label, if the source has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// Dataset or task name, lower case in the published benchmarks; it selects the prompt family and groups the tables.
    pub dataset: String,
}

/// In which order the two responses of a pair are shown to a judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Order {
    /// `response1` is shown as Assistant 1.
    #[serde(rename = "12")]
    Forward,
    /// `response2` is shown as Assistant 1.
    #[serde(rename = "21")]
    Swapped,
}

impl Order {
    /// The name used in files: `12` or `21`.
    pub fn name(self) -> &'static str {
        match self {
            Order::Forward => "12",
            Order::Swapped => "21",
        }
    }
}
