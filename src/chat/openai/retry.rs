//! One call: attempts until one of them brings a reply, or trying makes no sense any more.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep};

use super::adaptive::{Gate, Load, Signal};
use super::answer::Answer;
use super::breaker::{Breaker, Stop};
use super::failure::{Again, Facts, Failure, Record};
use super::limits::{Admission, RateLimits};
use super::transport::Transport;
use super::watch::{Attempt, AttemptResult, Outcome};
use super::{Patience, Watch};
use crate::chat::{ChatError, Origin, ReplyFault, Usage};

/// What a chat template may add to a prompt beyond what is sent: role marks, and a system message of the server's own.
const UNSEEN_TOKENS: usize = 512;

/// Everything that the calls of one endpoint share.
pub(super) struct Caller {
    pub(super) transport: Transport,
    pub(super) facts: Facts,
    pub(super) patience: Patience,
    pub(super) limits: RateLimits,
    pub(super) gate: Arc<Gate>,
    pub(super) breaker: Breaker,
    pub(super) watch: Arc<dyn Watch>,
    pub(super) calls: AtomicU64,
    pub(super) has_answered: AtomicBool,
    pub(super) unmetered: AtomicU64,
}

/// What is to be sent.
pub(super) struct Call<'a> {
    pub(super) body: &'a [u8],
    pub(super) expected_tokens: u64,
    /// Tokens of all replies at most.
    pub(super) most_completion: u64,
    pub(super) samples: usize,
    pub(super) origin: Option<Origin>,
    /// Attempts that may fail.
    pub(super) attempts: NonZeroU32,
}

impl Call<'_> {
    /// The most that an attempt may be billed.
    pub(super) fn most(&self) -> Usage {
        Usage {
            prompt: (self.body.len() + UNSEEN_TOKENS) as u64,
            cached_prompt: 0,
            completion: self.most_completion,
        }
    }
}

/// A reply, and what all attempts took.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) usage: Usage,
}

/// A call that failed.
#[derive(Debug)]
pub(super) struct CallError {
    /// How the last attempt failed, unless the call was stopped before it.
    pub(super) failure: Option<Failure>,
    pub(super) error: ChatError,
}

impl CallError {
    fn stopped(error: ChatError) -> Self {
        Self { failure: None, error }
    }
}

/// Pauses between attempts.
pub(super) type Pauses = ExponentialBackoff;

impl Patience {
    /// Pauses before repeated attempts: doubling, each with up to its first pause added at random, so that calls which failed together
    /// do not come back together.
    pub(super) fn pauses(&self) -> Pauses {
        ExponentialBuilder::new()
            .with_factor(2.0)
            .with_min_delay(self.first_pause)
            .with_max_delay(self.longest_pause)
            .without_max_times()
            .with_jitter()
            .build()
    }
}

impl Caller {
    /// Makes a call.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Answered, CallError> {
        let begun = Instant::now();
        let serial = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut pauses = self.patience.pauses();
        let mut busy_pauses = self.patience.pauses();
        let mut usage = Usage::default();
        let mut failed = 0;
        let mut number = 0;
        loop {
            number += 1;
            let attempt = Attempt {
                call: serial,
                number,
                origin: call.origin,
                samples: call.samples,
                expected_tokens: call.expected_tokens,
                most: call.most(),
            };
            let (result, used) = self.attempt(&attempt, call).await.map_err(CallError::stopped)?;
            usage += used.unwrap_or_default();
            let failure = match result {
                Ok(answer) => return Ok(Answered { answer, usage }),
                Err(failure) => failure,
            };
            tracing::debug!(call = serial, attempt = number, %failure, "attempt failed");
            let pause = match failure.again() {
                Again::Never => return Err(self.give_up(failure, number, begun)),
                Again::Counted => {
                    failed += 1;
                    if failed >= call.attempts.get() {
                        return Err(self.give_up(failure, number, begun));
                    }
                    pauses.next()
                }
                Again::Patiently => busy_pauses.next(),
            };
            let pause = self.lengthened(pause.unwrap_or_default(), &failure);
            let too_long = failure.wait().is_some_and(|wait| wait > self.patience.longest_wait)
                || (failure.again() == Again::Patiently && begun.elapsed() + pause > self.patience.longest_wait);
            if too_long {
                let error = self.facts.too_busy(&failure, begun.elapsed());
                return Err(CallError {
                    failure: Some(failure),
                    error,
                });
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.breaker.opened() => {}
            }
        }
    }

    /// The server's wait goes before ours; the jitter in ours keeps those that wait together from coming back together.
    pub(super) fn lengthened(&self, pause: Duration, failure: &Failure) -> Duration {
        match failure.wait() {
            Some(wait) if wait > pause => wait + pause.min(self.patience.first_pause * 2).mul_f64(0.1),
            _ => pause,
        }
    }

    /// One attempt, within all limits. An error means that none was made.
    async fn attempt(
        &self,
        attempt: &Attempt,
        call: &Call<'_>,
    ) -> Result<(Result<Answer, Failure>, Option<Usage>), ChatError> {
        let place = tokio::select! {
            biased;
            () = self.breaker.opened() => None,
            place = async {
                let place = self.gate.enter().await;
                let admission = self.limits.admit(call.expected_tokens).await;
                (place, admission)
            } => Some(place),
        };
        if let Some(error) = self.stopped() {
            return Err(error);
        }
        let Some((mut place, admission)) = place else {
            return Err(self.facts.down("no reason known"));
        };
        let permit = self.watch.before(attempt).await?;
        place.depart();
        let start = Instant::now();
        let result = self.transport.attempt(call.body, call.samples).await;
        let (result, usage) = match result {
            Ok(body) => self.read(&body),
            Err(failure) => (Err(failure), None),
        };
        let load = match admission {
            Admission::AtOnce => place.load,
            Admission::AfterWaiting => Load::Spare,
        };
        let signal = self.judge(attempt, call, &result, usage, load);
        let outcome = Outcome {
            result: word(&result),
            status: result.as_ref().map_or_else(Failure::status, |_| Some(200)),
            usage,
            took: start.elapsed(),
        };
        self.watch.after(attempt, permit, &outcome);
        if let Some(change) = signal.and_then(|signal| place.learn(signal)) {
            tracing::debug!(?change, "concurrency");
            self.watch.concurrency(&change);
        }
        Ok((result, usage))
    }

    /// Reads the body of a successful answer.
    pub(super) fn read(&self, body: &[u8]) -> (Result<Answer, Failure>, Option<Usage>) {
        let answer = match Answer::read(body) {
            Ok(answer) => answer,
            Err(error) => {
                let detail = self.transport.shown(&error.to_string());
                return (Err(Failure::Garbled(ReplyFault::Malformed { detail })), None);
            }
        };
        let usage = answer.usage();
        if let (true, Some(error)) = (
            answer.choices().is_empty(),
            answer.error.as_ref().filter(|e| !e.is_null()),
        ) {
            return (Err(self.transport.wrapped(error)), usage);
        }
        match answer.fault() {
            Some(fault) => (Err(Failure::Garbled(fault)), usage),
            None => (Ok(answer), usage),
        }
    }

    /// Tells breaker and limits what came of an attempt, and gives what concurrency should learn from it.
    fn judge(
        &self,
        attempt: &Attempt,
        call: &Call<'_>,
        result: &Result<Answer, Failure>,
        usage: Option<Usage>,
        load: Load,
    ) -> Option<Signal> {
        let now = Instant::now();
        match result {
            Ok(_) => {
                self.has_answered.store(true, Ordering::Relaxed);
                self.breaker.alive(now);
                match usage {
                    Some(usage) => self
                        .limits
                        .settle(call.expected_tokens, usage.prompt + usage.completion),
                    None if self.unmetered.fetch_add(1, Ordering::Relaxed) == 0 => {
                        tracing::warn!(
                            endpoint = self.facts.name,
                            "the server does not say how many tokens it used: its calls count as 0"
                        );
                    }
                    None => {}
                }
                Some(Signal::Clean(load))
            }
            Err(Failure::Busy { wait, .. }) => {
                self.breaker.alive(now);
                let wait = wait.map(|wait| wait.min(self.patience.longest_wait));
                Some(Signal::Busy(wait))
            }
            Err(failure) if failure.is_outage() => {
                self.breaker.failed(attempt.call, failure, now);
                Some(Signal::Trouble)
            }
            Err(_) => {
                self.breaker.alive(now);
                None
            }
        }
    }

    /// The error of every call once no more are made.
    fn stopped(&self) -> Option<ChatError> {
        Some(match self.breaker.stopped()? {
            Stop::Down(reason) => self.facts.down(&reason),
            Stop::Fatal(error) => error,
        })
    }

    fn give_up(&self, failure: Failure, attempts: u32, begun: Instant) -> CallError {
        self.breaker.gave_up(&failure, attempts, begun);
        let record = if self.has_answered.load(Ordering::Relaxed) {
            Record::HasAnswered
        } else {
            Record::Untried
        };
        let error = self
            .stopped()
            .unwrap_or_else(|| self.facts.error(failure.clone(), attempts, record));
        CallError {
            failure: Some(failure),
            error,
        }
    }
}

pub(super) fn word(result: &Result<Answer, Failure>) -> AttemptResult {
    match result {
        Ok(_) => AttemptResult::Answered,
        Err(Failure::Busy { .. }) => AttemptResult::TooManyRequests,
        // Neither costs anything.
        Err(Failure::Rejected { .. } | Failure::Undone { .. }) => AttemptResult::Rejected,
        Err(Failure::Garbled(_)) => AttemptResult::Unusable,
        Err(Failure::Unreachable { .. }) => AttemptResult::NoConnection,
        // A gateway that lost patience says nothing about what the model behind it has done.
        Err(
            Failure::Broken { .. }
            | Failure::TimedOut { .. }
            | Failure::Server {
                status: 408 | 504 | 524,
                ..
            },
        ) => AttemptResult::NoAnswer,
        Err(Failure::Server { .. }) => AttemptResult::ServerError,
    }
}
