//! One call's result.

use serde::{Deserialize, Serialize};

use super::aggregate::Vote;
use super::score::ScorePair;
use crate::chat::{CallKey, ChatError, Usage};
use crate::pair::Order;
use crate::prompt::parse::ParseFailure;

/// What one neuron said of a pair in one presentation order. Scores and review are canonical: `response1` is Assistant 1 in them, whichever
/// way the pair was shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opinion {
    /// Layer, 0-based.
    pub layer: usize,
    /// Neuron within its layer, 0-based.
    pub neuron: usize,
    /// Its role, if it has one.
    pub role: Option<String>,
    /// How the responses were shown.
    pub order: Order,
    /// Which of several samples, 0-based.
    pub sample: usize,
    /// Name of the model that was asked.
    pub model: String,
    /// Key of the call whose reply was used (the last one, if it was repeated).
    pub call: CallKey,
    /// The scores that the model wrote, or that were most probable.
    pub scores: Option<ScorePair>,
    /// Means of the score distributions, where they are known.
    pub expected: Option<ScorePair>,
    /// Probability of each score 1 … 10, for response1 and response2, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<[Vec<f64>; 2]>,
    /// The reply as colleagues read it, relabelled to canonical order; empty if there is none.
    pub review: String,
    /// Why there are no scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// Requests made, the first included.
    pub attempts: usize,
    /// If the reviews in the prompt had to be shortened to fit the context: to how many characters each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviews_shortened_to: Option<usize>,
    /// Tokens of all attempts.
    pub usage: Usage,
}

/// Why an opinion has no scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum Missing {
    /// The call itself failed.
    #[error("{error}")]
    Call {
        /// How.
        error: ChatError,
    },
    /// The reply could not be read.
    #[error("{failure}")]
    Reply {
        /// Why.
        failure: ParseFailure,
    },
}

impl Missing {
    /// A short name under which reasons are counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Missing::Reply { .. } => "reply without readable scores",
            Missing::Call { error } => match error {
                ChatError::TooLong { .. } => "prompt too long",
                ChatError::Template { .. } => "chat template cannot express it",
                ChatError::Refused { .. } => "request refused",
                ChatError::Unanswered { .. } => "no answer",
                ChatError::BadReply { .. } => "answer that is no reply",
                ChatError::Withheld { .. } => "reply withheld",
                ChatError::Backend { .. } => "backend failed",
            },
        }
    }
}

impl Opinion {
    /// Where it stands in the network, with its scores.
    pub fn vote(&self) -> Vote {
        Vote {
            layer: self.layer,
            neuron: self.neuron,
            order: self.order,
            sample: self.sample,
            argmax: self.scores,
            expected: self.expected,
        }
    }
}
