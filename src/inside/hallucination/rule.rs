//! How a response became one row of features. A detector only reads what was made by the rule that it was trained with.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fetch::Sha256;

/// Which tokens and how (spec 2.5, 2.7, 2.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionRule {
    /// Which tokens are the answer.
    pub region: Region,
    /// The name and version of the rule that finds the answer's span in a response, such as `trim-1`; of no consequence for [`Region::Output`].
    pub span: String,
    /// What the other tokens are.
    pub other: OtherScope,
    /// How the tokens' values become one.
    pub aggregation: Aggregation,
}

/// The tokens that a response is scored by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// The tokens of the answer's span.
    AnswerTokens,
    /// All tokens of the response.
    Output,
}

/// What "other tokens" are in training 3-vs-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherScope {
    /// Every token outside the span, the first included: the released code.
    Full,
    /// The same without the first token, which is an outlier in every model looked at.
    #[default]
    NoBos,
    /// Tokens of the response outside the span.
    Response,
}

/// How CETT values of several tokens become one number per unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregation {
    /// The mean of ratios: scores of tokens and of the response are consistent.
    #[default]
    Mean,
    /// The largest. A response's score is then no mean of its tokens' scores.
    Max,
}

impl fmt::Display for RegionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let aggregation = match self.aggregation {
            Aggregation::Mean => "mean",
            Aggregation::Max => "maximum",
        };
        match self.region {
            Region::AnswerTokens => write!(f, "{aggregation} over the answer's tokens (span rule `{}`)", self.span),
            Region::Output => write!(f, "{aggregation} over the response's tokens"),
        }
    }
}

/// Which model the numbers come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelId {
    /// The name that people know it by.
    pub name: String,
    /// SHA-256 of the GGUF file. Another quantisation is another file, and so is an edited copy.
    pub sha256: Sha256,
    /// llama.cpp's name of the architecture.
    pub architecture: String,
    /// The file's quantisation, such as `Q4_1`.
    pub quantisation: String,
}
