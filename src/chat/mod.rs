//! What a network talks to: something that answers conversations.
//!
//! [`ChatModel`] is the one trait between judging and the models. A [`Request`] says what the reply should consist of (a [`ReplyPlan`]): a
//! scaffold of steps for models that can be steered token by token, or free text. Requests come in groups, all those of one layer
//! of one pair at a time, so that a backend can evaluate what they share once. [`LocalModel`] adapts the engine of
//! [`crate::llama`]; [`OpenAiModel`] talks to any server with OpenAI's API.

mod fault;
mod key;
mod local;
pub mod openai;

use std::fmt;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use crate::llama::{Chosen, Sampling, Speaker, Step, Stopped, Turn, Usage};
pub use fault::ReplyFault;
pub use key::CallKey;
pub use local::LocalModel;
pub use openai::OpenAiModel;

/// What a model's reply should consist of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyPlan {
    /// Steps of free, forced and chosen text: such a reply always parses.
    Scaffold(Vec<Step>),
    /// Free text of at most this many tokens.
    Free {
        /// Upper bound in tokens.
        max_tokens: usize,
    },
    /// A judge's free text: evidence, then a score line for each assistant. A backend that can hold its model to a form may do so, and
    /// gives the text as if it had been written freely.
    Judgement {
        /// Upper bound in tokens.
        max_tokens: usize,
    },
}

/// One call to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The conversation so far.
    pub turns: Vec<Turn>,
    /// What the reply should consist of.
    pub plan: ReplyPlan,
    /// How free text is drawn.
    pub sampling: Sampling,
    /// Who asks. Not part of the call's identity.
    #[serde(skip)]
    pub origin: Origin,
}

/// The place in a network that a request comes from. Requests of one pair are expected to share prompt prefixes, and what a request costs is
/// entered under its origin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// Index of the pair.
    pub pair: u64,
    /// 0 is role generation, 1 the first layer.
    pub stage: u32,
    /// Neuron within its layer, 0-based.
    pub neuron: u32,
    /// 0 for the first request, 1 for the first repetition because a reply could not be read, and so on.
    pub attempt: u32,
}

/// A model's answer to one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The whole text, forced and chosen parts included.
    pub text: String,
    /// One entry per `Choose` step of a scaffold, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chosen: Vec<Chosen>,
    /// How each stretch of free text ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<Stopped>,
    /// Token counts.
    pub usage: Usage,
}

/// Why a call has no reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum ChatError {
    /// The conversation and its reply do not fit into the model's context.
    #[error("the prompt has {prompt} tokens and its reply may take {reply}, but the model's context holds {limit}")]
    TooLong {
        /// Prompt tokens.
        prompt: usize,
        /// Reply tokens at most.
        reply: usize,
        /// Tokens that fit.
        limit: usize,
    },
    /// The model's chat template cannot express the conversation.
    #[error("{reason}")]
    Template {
        /// What the template engine said.
        reason: String,
    },
    /// The endpoint refused this request; another one may be accepted.
    #[error("the endpoint refused the request: {reason}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// Every attempt failed.
    #[error("no reply after {attempts} attempts; the last: {reason}")]
    Unanswered {
        /// Requests made, the first included.
        attempts: u32,
        /// How the last one ended.
        reason: String,
    },
    /// An answer came that is no reply.
    #[error("the endpoint's answer cannot be used: {fault}")]
    BadReply {
        /// What is wrong with it.
        fault: ReplyFault,
    },
    /// The model or a filter declined to answer.
    #[error("the endpoint withheld the reply: {reason}")]
    Withheld {
        /// The reason given.
        reason: String,
    },
    /// A limit on what the run may cost kept the call from being made, so the run stops.
    #[error("{reason}")]
    OverBudget {
        /// Which limit, and how to go on.
        reason: String,
    },
    /// The backend failed: its state says nothing about the request, so the run stops instead of counting a missing opinion.
    #[error("{reason}")]
    Backend {
        /// What it said.
        reason: String,
    },
}

impl ChatError {
    /// Whether other calls will fail as well, so that going on makes no sense.
    pub fn is_fatal(&self) -> bool {
        matches!(self, ChatError::Backend { .. } | ChatError::OverBudget { .. })
    }

    /// What is wrong with a model that broke the contract of [`ChatModel::reply_all`]: nobody can tell which request has no answer.
    pub(crate) fn miscounted(model: &Identity, asked: usize, answered: usize) -> Self {
        ChatError::Backend {
            reason: format!("the model `{model}` was asked {asked} requests and gave {answered} answers"),
        }
    }
}

/// Which model exactly: what a call's key and a run's record need to know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The name by which the user asked for it.
    pub name: String,
    /// For a local model, BLAKE3 of its file.
    pub digest: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Whether a model can be steered token by token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steering {
    /// Scaffolds are followed to the letter.
    Scaffold,
    /// Only free text can be had.
    FreeText,
}

/// What is known of the requests behind a model's replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metering {
    /// One request per reply, which says what it took.
    Replies,
    /// There may be several to a reply, or none; each is told to a [`Watch`](openai::Watch).
    Attempts,
}

/// Something that answers conversations.
pub trait ChatModel: Send + Sync {
    /// Which model it is.
    fn identity(&self) -> &Identity;

    /// What kind of replies it can give.
    fn steering(&self) -> Steering;

    /// Who enters its requests into a run's ledger.
    fn metering(&self) -> Metering {
        Metering::Replies
    }

    /// Tokens that a request needs at most (prompt, reply), and tokens that the context holds; `None` if the backend cannot tell.
    fn fit(&self, request: &Request) -> Option<Fit>;

    /// Answers a group of requests, in their order.
    fn reply_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Result<Reply, ChatError>>>;
}

/// How a request compares with a model's context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// Prompt tokens.
    pub prompt: usize,
    /// Reply tokens at most.
    pub reply: usize,
    /// Tokens that the context holds.
    pub limit: usize,
}

impl Fit {
    /// Whether the request can be sent.
    pub fn fits(self) -> bool {
        self.prompt + self.reply <= self.limit
    }
}
