//! Evaluator networks: layers of role-specialised LLM neurons, and what becomes of their scores.
//!
//! A [`Network`] is read from TOML ([`spec`]). [`evaluate`] takes one [`Pair`](crate::pair::Pair) through it: roles are decided, layer 1 judges
//! alone, deeper layers read the layer before, and the network may stop early where enough has been heard. What comes out is a list of [`Opinion`]s, each with scores in canonical order;
//! [`aggregate`] turns their scores into a verdict, by any cell of a grid. Nothing here knows of llama.cpp, HTTP or files: models are
//! [`ChatModel`](crate::chat::ChatModel)s.
//!
//! The method is that of *Wider and Deeper LLM Networks are Fairer LLM Evaluators* (arXiv 2308.01862); section numbers in this
//! module's docs are those of the project's specification of it.

pub mod aggregate;
mod evaluate;
mod generate;
mod layer;
mod neighbourhood;
mod opinion;
mod overrides;
mod reply;
pub mod score;
mod seed;
mod sequential;
mod shipped;
pub mod spec;
mod stop;

pub use evaluate::{EvaluateError, Evaluation, Panel, Setting, StageRecord, evaluate};
pub use generate::RoleOutcome;
pub use opinion::{Missing, Opinion};
pub use reply::SCORES;
pub use shipped::{SHIPPED, shipped};
pub use spec::{Network, NetworkError};
pub use stop::Stopped;
