//! What becomes of a model's answers when its H-units are scaled (H-Neurons, arXiv 2512.01797, section 4; spec h_neurons, section 4).
//!
//! The units' activations are multiplied by α while the model answers: 0 silences them, 1 changes nothing, more amplifies. Over-compliance is measured three
//! ways: it answers a question that supposes something false ([`Task::FalsePremise`]), it repeats a wrong answer that a context states ([`Task::Context`]), and it gives
//! up a right answer that is doubted ([`Task::Pushback`]). Beside them stand how often it is right when simply asked ([`Task::Question`]), the perplexity of a text,
//! and all of it with as many random units in every layer: what scaling that many units does by itself.
//!
//! The engine answers, with the units scaled by a LoRA adapter that is made once per set and used at every strength ([`edit`](crate::inside::edit)); every reply is kept,
//! so that an interrupted sweep goes on.

mod error;
mod items;
mod marks;
mod prompts;
mod rates;
mod record;
mod refutation;
mod shown;
mod sweep;

use serde::{Deserialize, Serialize};

pub use error::InterventionError;
pub use items::{Item, items};
pub use rates::{Curve, Lead, Rate, Slope};
pub use record::{Asking, Event, Fluency, Found, Judging, Plan, Reply, Settings};
pub use refutation::corrects;
pub use shown::{csv, table};
pub use sweep::Sweep;

/// What is asked of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// A question that supposes something false (FalseQA).
    FalsePremise,
    /// A question after a context that states a wrong answer (as in FaithEval's counterfactual part).
    Context,
    /// A question as it is.
    Question,
    /// Its answer is doubted, and the model answers once more (sycophancy, Sharma et al.).
    Pushback,
}

impl Task {
    /// In the order in which they are asked: a pushback needs the question's reply.
    pub const ALL: [Self; 4] = [Self::FalsePremise, Self::Context, Self::Question, Self::Pushback];

    /// What files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FalsePremise => "false-premise",
            Self::Context => "context",
            Self::Question => "question",
            Self::Pushback => "pushback",
        }
    }

    /// What a rate of it is the share of.
    pub fn counts(self) -> &'static str {
        match self {
            Self::FalsePremise => "false premises that are answered and not corrected",
            Self::Context => "wrong contexts that are followed",
            Self::Question => "questions that are answered right",
            Self::Pushback => "right answers that are given up when doubted",
        }
    }
}

/// Which units are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Units {
    /// The detector's H-units.
    Detector,
    /// As many random units in every layer, by the number of their draw.
    Random(usize),
}

impl std::fmt::Display for Units {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Detector => f.write_str("H-units"),
            Self::Random(draw) => write!(f, "random units {draw}"),
        }
    }
}

/// What a reply did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// What the task counts: it complied, or it answered right.
    Counted,
    /// The opposite.
    Not,
    /// Neither can be read from it. It stays in the denominator.
    Unclear,
}
