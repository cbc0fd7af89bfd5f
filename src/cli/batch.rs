//! Flags about batches, and how batches are told of.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use super::{Failure, input, note};
use widedeep::run::{BatchProgress, BatchSettings, Collector, Store, Waiting};

/// Whether requests go into batches.
#[derive(Debug, clap::Args)]
pub(crate) struct BatchFlags {
    /// Put the requests to API models into batches (OpenAI's Batch API): cheaper, and answered within a day per stage of the network. The same
    /// command goes on at any time, on another day or without this flag
    #[arg(long, help_heading = "Batches")]
    batch: bool,

    /// Hand over what can be asked now and what has been answered since, then stop instead of waiting; give the same command again to go on
    #[arg(long, requires = "batch", help_heading = "Batches")]
    batch_no_wait: bool,

    /// Longest pause between two looks at a batch
    #[arg(
        long,
        requires = "batch",
        value_name = "SECONDS",
        default_value = "60",
        help_heading = "Batches"
    )]
    batch_poll: NonZeroU32,

    /// Pairs that go through the network together. All their prompts are in memory
    #[arg(
        long,
        requires = "batch",
        value_name = "N",
        default_value = "5000",
        help_heading = "Batches"
    )]
    batch_pairs: NonZeroUsize,
}

impl BatchFlags {
    /// Who takes requests into batches, if somebody is to. `endpoints` says how many models are behind an API.
    pub(crate) fn collector(&self, endpoints: usize) -> Result<Option<Arc<Collector>>, Failure> {
        if !self.batch {
            return Ok(None);
        }
        if endpoints == 0 {
            return Err(input(anyhow::anyhow!(
                "`--batch` is for models behind an API, and none judges here: name one as in `--model openai:gpt-4o-mini`"
            )));
        }
        let settings = BatchSettings::default();
        let longest_pause = Duration::from_secs(self.batch_poll.get().into());
        Ok(Some(Collector::new(BatchSettings {
            window: self.batch_pairs,
            first_pause: settings.first_pause.min(longest_pause),
            longest_pause,
            waiting: if self.batch_no_wait {
                Waiting::Leave
            } else {
                Waiting::Stay
            },
            ..settings
        })))
    }
}

/// Says that batches of the run are under way, to somebody who asks without them.
pub(crate) fn tell_open(store: &Store) -> Result<(), Failure> {
    let open = store.open_batches().map_err(super::session::store_failure)?;
    if !open.is_empty() {
        let requests: u64 = open.iter().map(|batch| batch.requests).sum();
        note(&format!(
            "{requests} requests of this run are in batches that are not collected; without `--batch` they are asked again"
        ));
    }
    Ok(())
}

/// Batches told of one by one.
const TOLD: usize = 4;

/// How batches get on, in a line.
pub(crate) fn told(batches: &[BatchProgress]) -> String {
    let mut parts: Vec<String> = batches.iter().take(TOLD).map(one).collect();
    if batches.len() > TOLD {
        parts.push(format!("and {} more", batches.len() - TOLD));
    }
    parts.join("; ")
}

fn one(batch: &BatchProgress) -> String {
    let counts = batch.counts;
    let failed = match counts.failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    format!(
        "batch {} {}: {} of {} answered{failed}",
        batch.remote, batch.status, counts.completed, counts.total
    )
}
