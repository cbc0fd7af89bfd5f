//! When to stop: an endpoint that is down fails every call, and each of them would cost its attempts and an opinion.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Outage;
use super::failure::Failure;
use crate::chat::ChatError;

/// Failures of fewer calls than this may be about these calls.
const CALLS: usize = 3;

/// Why no more calls are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The endpoint counts as down, for this reason.
    Down(String),
    /// A call failed in a way that all others would: with this error.
    Fatal(ChatError),
}

/// Counts attempts that failed in a row. Once open, it stays so: whoever runs the same command again starts with a new one.
pub(super) struct Breaker {
    outage: Outage,
    streak: Mutex<Streak>,
    open: CancellationToken,
}

#[derive(Default)]
struct Streak {
    failures: u32,
    /// The first few calls in it.
    calls: Vec<u64>,
    since: Option<Instant>,
    last_success: Option<Instant>,
    stop: Option<Stop>,
}

impl Breaker {
    pub(super) fn new(outage: Outage) -> Self {
        Self {
            outage,
            streak: Mutex::default(),
            open: CancellationToken::new(),
        }
    }

    fn streak(&self) -> MutexGuard<'_, Streak> {
        self.streak.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why no more calls are made, if so.
    pub(super) fn stopped(&self) -> Option<Stop> {
        if self.open.is_cancelled() {
            self.streak().stop.clone()
        } else {
            None
        }
    }

    /// Opens it for a fatal error: calls that wait, for minutes perhaps, need not find out for themselves.
    pub(super) fn fatal(&self, error: ChatError) {
        self.open_with(&mut self.streak(), Stop::Fatal(error));
    }

    /// Returns once no more calls are made.
    pub(super) async fn opened(&self) {
        self.open.cancelled().await;
    }

    /// The endpoint has answered.
    pub(super) fn alive(&self, now: Instant) {
        let mut streak = self.streak();
        streak.failures = 0;
        streak.calls.clear();
        streak.since = None;
        streak.last_success = Some(now);
    }

    /// An attempt of a call has failed in a way that speaks for an outage.
    pub(super) fn failed(&self, call: u64, failure: &Failure, now: Instant) {
        let mut streak = self.streak();
        streak.failures += 1;
        if streak.calls.len() < CALLS && !streak.calls.contains(&call) {
            streak.calls.push(call);
        }
        let since = *streak.since.get_or_insert(now);
        let lasting = now - since;
        let down = streak.failures >= self.outage.failures.get()
            && streak.calls.len() >= CALLS
            && lasting >= self.outage.lasting;
        if down {
            let verdict = format!(
                "{} attempts in a row failed within {} s; the last: {failure}",
                streak.failures,
                lasting.as_secs()
            );
            self.open_with(&mut streak, Stop::Down(verdict));
        }
    }

    /// A call that began at `begun` has spent all its attempts. If not even a connection could be made, and nobody else had more luck
    /// meanwhile, that is no matter of this call.
    pub(super) fn gave_up(&self, failure: &Failure, attempts: u32, begun: Instant) {
        let mut streak = self.streak();
        let nobody = streak.last_success.is_none_or(|at| at < begun);
        if nobody && matches!(failure, Failure::Unreachable { .. }) {
            let verdict = format!("{attempts} attempts of one call failed; the last: {failure}");
            self.open_with(&mut streak, Stop::Down(verdict));
        }
    }

    fn open_with(&self, streak: &mut Streak, stop: Stop) {
        streak.stop.get_or_insert(stop);
        self.open.cancel();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> Breaker {
        Breaker::new(Outage {
            failures: 4.try_into().unwrap(),
            lasting: 5 * SECOND,
        })
    }

    fn reason(breaker: &Breaker) -> String {
        match breaker.stopped() {
            Some(Stop::Down(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    fn error() -> Failure {
        Failure::Server {
            status: 503,
            wait: None,
            reason: "no".into(),
        }
    }

    #[test]
    fn it_opens_after_enough_failures_of_several_calls_over_long_enough() {
        let (breaker, start) = (breaker(), Instant::now());
        for call in 0..9 {
            breaker.failed(call, &error(), start);
        }
        assert_eq!(breaker.stopped(), None, "a moment's trouble: a restart, perhaps");
        breaker.failed(9, &error(), start + 5 * SECOND);
        assert!(reason(&breaker).contains("10 attempts in a row"));
        breaker.alive(start + 6 * SECOND);
        assert!(breaker.stopped().is_some(), "for good");
    }

    #[test]
    fn one_call_that_always_fails_is_no_outage() {
        let (breaker, start) = (breaker(), Instant::now());
        for second in 0..60 {
            breaker.failed(1, &error(), start + second * SECOND);
        }
        breaker.gave_up(&error(), 60, start);
        assert_eq!(breaker.stopped(), None);
    }

    #[test]
    fn an_answer_ends_the_streak() {
        let (breaker, start) = (breaker(), Instant::now());
        for second in 0..60 {
            breaker.failed(u64::from(second), &error(), start + second * SECOND);
            if second % 3 == 2 {
                breaker.alive(start + second * SECOND);
            }
        }
        assert_eq!(breaker.stopped(), None);
    }

    #[tokio::test]
    async fn a_call_that_never_got_a_connection_opens_it_unless_another_one_did() {
        let (breaker, start) = (breaker(), Instant::now());
        let refused = Failure::Unreachable {
            reason: "refused".into(),
        };
        breaker.alive(start + SECOND);
        breaker.gave_up(&refused, 6, start);
        assert_eq!(breaker.stopped(), None);
        breaker.gave_up(&refused, 6, start + 2 * SECOND);
        breaker.opened().await;
        assert!(reason(&breaker).contains("refused"));
    }
}
