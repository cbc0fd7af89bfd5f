//! What one row of features is about.

use serde::{Deserialize, Serialize};

/// Whether a response is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    /// Consistently right: the paper's t.
    Faithful,
    /// Consistently wrong: the paper's f.
    Hallucinated,
}

/// Which tokens a row of features is the mean (or maximum) over (spec 2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The tokens that carry the answer.
    Answer,
    /// The other tokens.
    Other,
}

/// A row of features: which response it comes from, and what else is known about that response. One line of `NAME.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The question's id in its data set. Rows of one question are never divided between training and testing.
    pub id: String,
    /// The data set's name.
    pub dataset: String,
    /// The question's text, by which the same question under two ids is recognised.
    pub question: String,
    /// The response.
    pub response: String,
    /// Whether the response is right.
    pub truth: Truth,
    /// Which tokens the features are over.
    pub part: Part,
    /// Template or type of the question, within which classes are balanced and labels permuted; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stratum: String,
    /// What the question is about (a country, an element). Questions about one entity are never divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// Tokens that the features are over.
    pub tokens: u32,
    /// Characters of the answer.
    pub characters: u32,
    /// Mean natural logarithm of the answer tokens' probabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_probability: Option<f64>,
    /// The least natural logarithm of the answer tokens' probabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest_log_probability: Option<f64>,
    /// Mean entropy in nats of the distributions that the answer tokens were drawn from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
    /// Entropy in nats of the distribution of the first answer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_entropy: Option<f64>,
    /// The share of the question's samples that are this very response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<f64>,
}
