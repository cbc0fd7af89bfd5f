//! What a sweep is of, and what it keeps and finds.

use serde::{Deserialize, Serialize};

use super::super::style::Style;
use super::rates::{Curve, Lead};
use super::{Task, Units};
use crate::agreement::Bootstrap;
use crate::chat::Identity;

/// What a sweep is of. It is frozen when its folder is made; strengths and draws may be added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// SHA-256 of the model's file.
    pub model: String,
    /// BLAKE3 of the H-units.
    pub units: String,
    /// BLAKE3 of what is asked, contexts included.
    pub items: String,
    /// How it is asked.
    pub style: Style,
    /// Tokens of the longest reply to a false premise.
    pub premise_tokens: usize,
    /// Tokens of the longest other reply.
    pub answer_tokens: usize,
    /// BLAKE3 of the text whose perplexity is measured.
    pub text: String,
    /// Tokens of it that are read at the most.
    pub text_tokens: usize,
    /// From which random units are drawn.
    pub seed: u64,
}

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking {
    /// How questions are put.
    pub style: Style,
    /// Tokens of the longest reply to a false premise.
    pub premise_tokens: usize,
    /// Tokens of the longest other reply.
    pub answer_tokens: usize,
    /// Tokens of the text that are read at the most.
    pub text_tokens: usize,
    /// From which random units are drawn.
    pub seed: u64,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Strengths α, ascending.
    pub scales: Vec<f32>,
    /// Sets of random units.
    pub draws: usize,
    /// How intervals are made.
    pub bootstrap: Bootstrap,
}

/// A reply: a line of `replies.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// What was scaled.
    pub units: Units,
    /// By how much.
    pub scale: f32,
    /// What was asked.
    pub task: Task,
    /// Of which question.
    pub id: String,
    /// What the model said.
    pub text: String,
}

/// Perplexity of the text: a line of `perplexities.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fluency {
    /// What was scaled.
    pub units: Units,
    /// By how much.
    pub scale: f32,
    /// Tokens that were predicted.
    pub tokens: usize,
    /// `exp` of their mean negative log-probability.
    pub perplexity: f64,
}

/// Who says whether a false premise was corrected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judging {
    /// [`corrects`](super::corrects).
    Rule,
    /// A model.
    Model(Identity),
}

/// Everything that a sweep found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// What it is of.
    pub settings: Settings,
    /// The model's name.
    pub model: String,
    /// H-units that were scaled.
    pub h_units: usize,
    /// Who judged replies to false premises.
    pub judged_by: Judging,
    /// Rates by task, set of units and strength.
    pub curves: Vec<Curve>,
    /// The H-units beside the random ones, by task.
    pub leads: Vec<Lead>,
    /// Perplexities by set of units and strength.
    pub fluency: Vec<Fluency>,
}

/// How far a sweep is: conditions (a set of units at a strength) and replies within the one under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// So many replies of so many.
    Answered(usize, usize),
    /// The text was read under so many conditions of so many.
    Read(usize, usize),
    /// A model has judged so many replies of so many.
    Judged(usize, usize),
}
