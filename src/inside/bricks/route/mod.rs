//! Which brick serves a query (spec §6.1).
//!
//! [`Signatures`] hold one vector per brick: the mean of its example prompts' activation signatures (or hidden states, or any vector of a query). A query goes to the nearest. [`by_function`] needs no
//! examples: it asks which function's units are most active for the query. [`evaluate`] and [`regret`] say how good the choices are.

mod evaluate;
mod functional;
mod signature;

pub use evaluate::{Accuracy, Regret, evaluate, regret};
pub use functional::{UnitScale, activity_of_functions, by_function};
pub use signature::{Route, RouteError, Signatures, softmax_weights};
