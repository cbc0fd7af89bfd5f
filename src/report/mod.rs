//! What a run found, without asking a model again.
//!
//! Everything here reads a run's [`Store`]: [`Metrics`] computes the figures, [`summary`](fn@summary) sets them in text for a terminal, [`export`](fn@export)
//! writes them and everything behind them beside the run, and [`recompute`](fn@recompute) does the first from the folder alone, if asked with another
//! cell of the aggregation grid or another tie margin. [`compare`] sets several runs side by side. Nothing prints, and nothing changes the store.
//!
//! Who is compared with whom: a pair takes part in agreement when it has both a human label and a verdict. A pair on which every opinion
//! is missing is *undecided*: it is counted and shown, and is never a tie.
//!
//! ```no_run
//! use std::path::Path;
//! use widedeep::{pair::Taxonomy, report};
//!
//! let folder = Path::new("runs/first");
//! let found = report::recompute(folder, &Taxonomy::embedded(), report::Reaggregate::default())?;
//! let text = report::summary(&found.metrics, report::WIDTH);
//! let written = report::export(&found.store, folder, &found.metrics)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Store`]: crate::run::Store

pub mod compare;
mod cost;
mod export;
mod metrics;
mod recompute;
mod summary;

pub use self::{
    cost::cost,
    export::{ExportError, Written, export},
    metrics::{
        CellRow, CellScore, Counts, Discussion, Grid, Group, LayerAgreement, LengthPreference, Metrics, Place,
        Position, PreferLonger, Roles, RunFacts, Share, Spent, StageMetrics, Stages, Stopping, bootstrap,
    },
    recompute::{Reaggregate, RecomputeError, Recomputed, reaggregate, recompute},
    summary::{WIDTH, comparison, summary},
};
