//! What removing a brick costs on every function (spec §4.5).
//!
//! A [`plan`] lists the removals: each function's brick, and beside it controls of as many units (random ones, and those with the highest mean activation). Whoever
//! holds the model measures the perplexity of every function without these units, in any order and with pauses; [`PruningTable`] compares.

mod coupling;
mod plan;
mod table;

pub use coupling::coupling;
pub use plan::{Kind, Removal, plan, random_like};
pub use table::{PruningTable, Row, TableError, perplexity};
