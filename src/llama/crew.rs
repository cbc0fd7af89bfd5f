//! The threads that evaluate batches: their ceilings for this machine and model, and the governor that adapts them to the load.

use std::time::Instant;

use super::calibrate::Ceilings;
use super::context::{Batch, Context};
use super::load::Meter;
use super::threads::{Governor, Threads};

/// How a batch of one token is evaluated, so that its result does not depend on the threads of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alone {
    /// On one thread: with one or two cores that is about as fast as the other way.
    OneThread,
    /// With a token beside it that nobody reads: twice the work, on all threads.
    Padded,
}

impl Alone {
    /// Depends on the ceiling alone, which is the same in every run on a machine.
    pub(super) fn with(ceiling: usize) -> Self {
        if ceiling < 3 { Alone::OneThread } else { Alone::Padded }
    }
}

#[derive(Debug)]
pub(super) struct Crew {
    ceilings: Ceilings,
    alone: Alone,
    governor: Option<Governor>,
    meter: Meter,
    started: Instant,
}

impl Crew {
    pub(super) fn new(threads: Threads, ceilings: Ceilings, meter: Meter) -> Self {
        let started = Instant::now();
        let governor = match threads {
            Threads::Auto => Some(Governor::new(ceilings.most(), started.elapsed(), meter.sample())),
            Threads::Fixed(_) => None,
        };
        Self {
            ceilings,
            // Measured ceilings may differ from day to day; the number of cores does not.
            alone: Alone::with(threads.ceiling()),
            governor,
            meter,
            started,
        }
    }

    pub(super) fn alone(&self) -> Alone {
        self.alone
    }

    /// Evaluates a batch; returns with how many threads.
    pub(super) fn decode(&mut self, context: &mut Context<'_>, batch: &Batch) -> Result<usize, String> {
        let rows = batch.len();
        let ceiling = match rows {
            1 => 1,
            _ => self.ceilings.of(rows),
        };
        let allowed = self.governor.as_ref().map_or(ceiling, Governor::threads);
        let threads = allowed.min(ceiling);
        let before = Instant::now();
        context.decode(batch, threads)?;
        let took = before.elapsed();
        if let Some(governor) = &mut self.governor
            && threads == allowed
        {
            let meter = &self.meter;
            governor.learn(self.started.elapsed(), rows, took, || meter.sample());
        }
        Ok(threads)
    }
}
