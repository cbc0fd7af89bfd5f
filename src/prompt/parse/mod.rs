//! Reading the two scores out of a judge's reply (spec section 6, 11.2).
//!
//! Every reader looks at the reply alone: a prompt, and so a candidate, cannot put scores into it. Scores come out as exact decimal
//! text and for the order in which the candidates were *shown*; the caller puts them into canonical order.

pub mod compat;
mod decimal;
pub mod faireval;
pub mod robust;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use decimal::{Decimal, NotDecimal};

/// The two scores of a reply, in the order shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parsed {
    /// The score of what was shown as Assistant 1.
    pub score1: Decimal,
    /// The score of what was shown as Assistant 2.
    pub score2: Decimal,
}

/// One of the two places in which a candidate is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Assistant {
    /// Shown first.
    One,
    /// Shown second.
    Two,
}

impl fmt::Display for Assistant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Assistant::One => "Assistant 1",
            Assistant::Two => "Assistant 2",
        })
    }
}

/// Why a reply gave no scores.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum ParseFailure {
    /// There is no score line for this assistant.
    #[error("the reply has no score line for {assistant}")]
    NoLabel {
        /// Whose line is missing.
        assistant: Assistant,
    },
    /// What follows the label is not a number that can be used.
    #[error("the score of {assistant} reads `{text}`, which is not a number")]
    NotANumber {
        /// Whose score.
        assistant: Assistant,
        /// What stands there (its beginning).
        text: String,
    },
    /// The number is outside 1 to 10.
    #[error("the score of {assistant} is {score}, outside 1 to 10")]
    OutOfRange {
        /// Whose score.
        assistant: Assistant,
        /// The score.
        score: Decimal,
    },
    /// The reply has fewer than two lines (FairEval reads the last two).
    #[error("the reply has a single line, two score lines are needed at its end")]
    TooFewLines,
    /// FairEval's code marks its own failures with −1 for Assistant 1, so that score cannot be told from a failure.
    #[error("the score of Assistant 1 is -1, which FairEval's code takes for a failure")]
    Sentinel,
}

/// The beginning of a malformed score, short enough for a message.
fn snippet(text: &str) -> String {
    text.trim_start()
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(20)
        .collect()
}
