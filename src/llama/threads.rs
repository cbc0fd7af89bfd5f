//! How many threads evaluate a batch.
//!
//! llama.cpp's threads meet at a barrier after every operation, some hundred times per batch, and spin while they wait. When another process takes the
//! core of one of them, all wait until the scheduler gives it back: with one of two cores taken, two threads can be several times slower than one. So
//! the engine watches for how long its threads wait for a core, gives up those that cost more than they bring, and takes them back when cores
//! are idle.
//!
//! Replies do not depend on any of this: llama.cpp splits work between threads by rows of the result, each of which one thread computes in one way. The
//! exception is attention for a batch of exactly one token, which it splits along the cache, so that sums are grouped by threads; such
//! batches do not vary (see `crew.rs`).

use std::num::NonZeroUsize;
use std::time::Duration;

use super::load::Sample;

/// How many threads the engine uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Threads {
    /// As many as pay: one per core on a quiet machine, fewer while other processes want the cores.
    #[default]
    Auto,
    /// Always so many.
    Fixed(NonZeroUsize),
}

impl Threads {
    /// The most threads that will be used.
    pub(super) fn ceiling(self) -> usize {
        match self {
            Threads::Auto => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            Threads::Fixed(n) => n.get(),
        }
    }
}

impl std::str::FromStr for Threads {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Threads::Auto);
        }
        text.parse()
            .map(Threads::Fixed)
            .map_err(|_| "expected `auto` or a number of threads, 1 or more".to_owned())
    }
}

/// Work is judged over at least this much evaluation.
const WINDOW: Duration = Duration::from_millis(20);
/// Idle time is counted in steps of 10 ms: over less than this, it means nothing.
const IDLE_WINDOW: Duration = Duration::from_millis(100);
/// First wait before a thread is taken back; doubles with every attempt that fails.
const PATIENCE: Duration = Duration::from_millis(250);
const MOST_PATIENCE: Duration = Duration::from_secs(16);
/// Cores that are seen to be idle are waited for no longer than this, however many attempts have failed: the load is over, or pauses for long enough.
const LONGEST_IDLE: Duration = Duration::from_secs(1);
/// Where cores are not known to be idle, attempts are so many times rarer.
const BLIND: u32 = 4;
/// A thread that was taken back and kept for so long was worth it.
const PROVEN: Duration = Duration::from_secs(1);

/// Adapts the number of threads to the load. Time comes from outside, so that it can be tested without any.
#[derive(Debug)]
pub(super) struct Governor {
    ceiling: usize,
    threads: usize,
    /// Evaluation since the last judgement, and the counters then.
    busy: Duration,
    waited: Option<Duration>,
    /// Evaluation since the idle time was last looked at, that time, and the counter then.
    busy_since_look: Duration,
    looked: Duration,
    idle: Option<Duration>,
    patience: Duration,
    changed: Duration,
    raised: Option<Duration>,
    /// Best seconds per row for batches of 1, 2–3, 4–7 … rows on all threads: the yardstick where the kernel counts nothing.
    best: [Option<f64>; 16],
    /// Threads lost since the last judgement by that yardstick, weighted with time.
    lost: f64,
}

impl Governor {
    pub(super) fn new(ceiling: usize, now: Duration, sample: Sample) -> Self {
        Self {
            ceiling,
            threads: ceiling,
            busy: Duration::ZERO,
            waited: sample.waited,
            busy_since_look: Duration::ZERO,
            looked: now,
            idle: sample.idle,
            patience: PATIENCE,
            changed: now,
            raised: None,
            best: [None; 16],
            lost: 0.0,
        }
    }

    /// Threads for the next batch.
    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// Learns from a batch of `rows` tokens that took `busy` on all threads that the governor allows; `sample` is called when it is time for a judgement.
    pub(super) fn learn(&mut self, now: Duration, rows: usize, busy: Duration, sample: impl FnOnce() -> Sample) {
        self.busy += busy;
        self.busy_since_look += busy;
        self.lost += self.lost_by_the_clock(rows, busy) * busy.as_secs_f64();
        if self.ceiling == 1 || self.busy < WINDOW {
            return;
        }
        let sample = sample();
        let lost = match (self.waited, sample.waited) {
            (Some(before), Some(after)) => after.saturating_sub(before).as_secs_f64(),
            _ => self.lost,
        } / self.busy.as_secs_f64();
        self.busy = Duration::ZERO;
        self.waited = sample.waited;
        self.lost = 0.0;
        if self.threads > 1 && lost > bearable(self.threads) {
            self.drop_threads(now, lost);
            self.look(now, sample);
        } else if self.threads < self.ceiling {
            self.consider_more(now, sample);
        } else if self.raised.is_some_and(|at| now.saturating_sub(at) > PROVEN) {
            self.raised = None;
            self.patience = PATIENCE;
        }
    }

    fn drop_threads(&mut self, now: Duration, lost: f64) {
        let left = (1..self.threads)
            .rev()
            .find(|&n| n as f64 <= self.threads as f64 - lost);
        tracing::debug!(
            from = self.threads,
            to = left.unwrap_or(1),
            lost,
            "threads wait for cores: using fewer"
        );
        self.threads = left.unwrap_or(1);
        let failed_attempt = self.raised.take().is_some_and(|at| now.saturating_sub(at) <= PROVEN);
        self.patience = if failed_attempt {
            (2 * self.patience).min(MOST_PATIENCE)
        } else {
            PATIENCE
        };
        self.changed = now;
    }

    fn consider_more(&mut self, now: Duration, sample: Sample) {
        let since = now.saturating_sub(self.looked);
        if since < IDLE_WINDOW {
            return;
        }
        let spare = match (self.idle, sample.idle) {
            (Some(before), Some(after)) => {
                // While the engine itself had nothing to evaluate, its own cores were idle.
                let own = self.threads as f64 * since.saturating_sub(self.busy_since_look).as_secs_f64();
                (after.saturating_sub(before).as_secs_f64() - own) / since.as_secs_f64()
            }
            _ => 0.0,
        };
        self.look(now, sample);
        let waited = now.saturating_sub(self.changed);
        let idle = (1..=self.ceiling - self.threads)
            .rev()
            .find(|&n| n as f64 <= spare + 0.25);
        let more = match idle {
            Some(n) if waited >= self.patience.min(LONGEST_IDLE) => n,
            None if waited >= BLIND * self.patience => 1,
            _ => return,
        };
        tracing::debug!(
            from = self.threads,
            to = self.threads + more,
            spare,
            "trying more threads"
        );
        self.threads += more;
        self.changed = now;
        self.raised = Some(now);
    }

    fn look(&mut self, now: Duration, sample: Sample) {
        self.looked = now;
        self.idle = sample.idle;
        self.busy_since_look = Duration::ZERO;
    }

    /// How many threads a batch seems to have been without, going by the best that was seen: none unless it took far longer, since
    /// longer contexts take longer too.
    fn lost_by_the_clock(&mut self, rows: usize, busy: Duration) -> f64 {
        if self.waited.is_some() {
            return 0.0;
        }
        let class = rows.max(1).ilog2().min(15) as usize;
        let took = busy.as_secs_f64() / rows.max(1) as f64;
        let best = self.best[class].filter(|&best| best <= took || self.threads < self.ceiling);
        let best = best.unwrap_or(took);
        if self.threads == self.ceiling {
            // Lets go slowly of a best that is never met again, for contexts grow.
            self.best[class] = Some(best * 1.001);
        }
        let expected = best * self.ceiling as f64 / self.threads as f64;
        if took > 2.5 * expected {
            self.threads as f64 * (1.0 - expected / took)
        } else {
            0.0
        }
    }
}

/// How much waiting (in threads) is still better than giving a thread up. While one waits, all stand still, so work goes on at (1 − lost) · n
/// against n − 1: equal at 1/n. Somewhat less, because the rate of n − 1 is sure.
fn bearable(threads: usize) -> f64 {
    let even = 0.7 / threads as f64;
    if even > 0.1 { even } else { 0.1 }
}

#[cfg(test)]
#[path = "threads_tests.rs"]
mod tests;
