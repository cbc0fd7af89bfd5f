//! Which rows a classifier is fitted to, and what they count as.

use serde::{Deserialize, Serialize};

use super::{
    example::{Example, Part, Truth},
    logistic::Class,
};

/// What the wrong answers' features are told from (spec 2.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Mode {
    /// From those of right answers.
    #[serde(rename = "1-vs-1")]
    OneVsOne,
    /// From those of right answers and from those of the other tokens of both: finds units that respond to wrong answers and not to wrong questions.
    #[default]
    #[serde(rename = "3-vs-1")]
    ThreeVsOne,
}

impl Mode {
    /// What a row counts as, or `None` where this mode leaves it out.
    pub fn class(self, example: &Example) -> Option<Class> {
        match (self, example.part, example.truth) {
            (_, Part::Answer, Truth::Hallucinated) => Some(Class::Positive),
            (_, Part::Answer, Truth::Faithful) | (Self::ThreeVsOne, Part::Other, _) => Some(Class::Negative),
            (Self::OneVsOne, Part::Other, _) => None,
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OneVsOne => "1-vs-1",
            Self::ThreeVsOne => "3-vs-1",
        })
    }
}
