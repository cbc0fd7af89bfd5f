//! Many pairs, kept on disk: a run is a frozen configuration, every call that was made, and a verdict per pair.
//!
//! [`Store`] is one SQLite file. A call is committed before anyone uses its reply ([`Recorded`] sits between the network and each model
//! and sees to that), so a run that is killed loses at most the calls in flight; started again it replays what it has. Every request is
//! entered into the store's ledger ([`Meter`]), and a [`CallCache`] lets runs share their replies. [`judge`] takes all open pairs through the
//! network and tells listeners what happens as [`Event`]s; it prints nothing. [`judge_in_batches`] does the same with the requests of API models
//! put into files that are answered within a day.

mod batch;
mod budget;
mod cache;
mod config;
mod judge;
mod meter;
mod record;
mod rehearsal;
mod store;

use serde::{Deserialize, Serialize};

pub use batch::{BatchProgress, BatchSettings, Collector, Waiting};
pub use budget::{Limit, OverBudget};
pub use cache::CallCache;
pub use config::{Baseline, DataSource, Judge, RunConfig};
pub use judge::{Desk, Event, JudgeError, Limits, judge, judge_in_batches};
pub use meter::{Meter, Tally};
pub use record::Recorded;
pub use rehearsal::{Outlook, Part, Scenario, Tokeniser, rehearse};
pub use store::{BatchId, Call, Entry, EntryId, FILE as STORE_FILE, OpenBatch, Outcome, Store, StoreError};

use crate::network::Evaluation;
use crate::network::aggregate::Decision;
use crate::pair::{Label, Pair};

/// A pair with what was made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The pair.
    pub pair: Pair,
    /// The verdict; `None` when every opinion is missing.
    pub verdict: Option<Label>,
    /// By which scores, for networks.
    pub decision: Option<Decision>,
    /// Everything that led to it, for networks.
    pub evaluation: Option<Evaluation>,
}
