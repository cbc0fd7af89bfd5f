//! How many requests an endpoint bears at once, found out by asking (additive increase, multiplicative decrease).
//!
//! [`Controller`] decides: values and times in, a change out. [`Gate`] does: it holds the permits and lets requests wait.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::Limits;

/// Changes that are kept; older ones are forgotten.
const HISTORY: usize = 10_000;

/// A change of an endpoint's concurrency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Milliseconds since the endpoint was set up.
    pub at_ms: u64,
    /// Requests at once before.
    pub from: usize,
    /// Requests at once from now on.
    pub to: usize,
    /// Why.
    pub cause: Cause,
    /// Milliseconds during which nothing is sent (after a 429) or the limit does not grow (after a server error).
    pub pause_ms: u64,
}

/// Why concurrency changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// As many clean replies came as may be under way, and all places were taken.
    CleanReplies,
    /// 429.
    TooManyRequests,
    /// A server error or a broken connection: the limit stays, but does not grow for a while.
    Trouble,
}

/// What a request told about the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// A reply.
    Clean(Load),
    /// 429, with what it asked to wait.
    Busy(Option<Duration>),
    /// A server error or a broken connection.
    Trouble,
}

/// Whether the limit was what kept further requests back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// All places were taken.
    Full,
    /// There were places left, or requests per minute kept them empty: nothing is known about a higher limit.
    Spare,
}

/// The pure part.
#[derive(Debug)]
struct Controller {
    start: Instant,
    limit: usize,
    cap: usize,
    cool_down: Duration,
    growth_pause: Duration,
    /// Clean replies under full load since the last growth.
    clean: usize,
    /// Requests sent before it were sent under an older limit.
    cut_at: Option<Instant>,
    /// Nothing is sent before.
    resume_at: Option<Instant>,
    /// The limit does not grow before.
    grow_at: Option<Instant>,
}

impl Controller {
    fn new(limits: &Limits, start: Instant) -> Self {
        let cap = limits.concurrency.get();
        Self {
            start,
            limit: limits.first_concurrency.get().min(cap),
            cap,
            cool_down: limits.cool_down,
            growth_pause: limits.growth_pause,
            clean: 0,
            cut_at: None,
            resume_at: None,
            grow_at: None,
        }
    }

    /// Takes in what came of a request that was sent at `sent`.
    fn learn(&mut self, signal: Signal, sent: Instant, now: Instant) -> Option<Change> {
        match signal {
            Signal::Clean(Load::Spare) => None,
            Signal::Clean(Load::Full) => {
                // A reply to a request from before the cut says nothing about what came after.
                let old = self.cut_at.is_some_and(|cut| sent < cut) || self.grow_at.is_some_and(|at| now < at);
                if old || self.limit == self.cap {
                    return None;
                }
                self.clean += 1;
                (self.clean >= self.limit).then(|| self.change(self.limit + 1, Cause::CleanReplies, None, now))
            }
            Signal::Busy(wait) => {
                let pause = wait.unwrap_or(self.cool_down);
                let resume = now + pause;
                self.resume_at = Some(self.resume_at.map_or(resume, |at| at.max(resume)));
                // One overload answers all that was under way: it is one signal.
                if self.cut_at.is_some_and(|cut| sent < cut) {
                    return None;
                }
                self.cut_at = Some(now);
                Some(self.change((self.limit / 2).max(1), Cause::TooManyRequests, Some(pause), now))
            }
            Signal::Trouble => {
                let known = self.grow_at.is_some_and(|at| now < at);
                self.grow_at = Some(now + self.growth_pause);
                self.clean = 0;
                (!known).then(|| self.change(self.limit, Cause::Trouble, Some(self.growth_pause), now))
            }
        }
    }

    fn change(&mut self, to: usize, cause: Cause, pause: Option<Duration>, now: Instant) -> Change {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let from = std::mem::replace(&mut self.limit, to);
        self.clean = 0;
        Change {
            at_ms: milliseconds(now - self.start),
            from,
            to,
            cause,
            pause_ms: pause.map_or(0, milliseconds),
        }
    }
}

/// Where requests wait for their place.
pub(super) struct Gate {
    state: Mutex<State>,
    places: Arc<Semaphore>,
}

struct State {
    controller: Controller,
    /// Places to be taken away when they are given back.
    excess: usize,
    history: VecDeque<Change>,
}

/// A place among the requests under way.
pub(super) struct Place {
    gate: Arc<Gate>,
    permit: Option<OwnedSemaphorePermit>,
    sent: Instant,
    pub(super) load: Load,
}

impl Gate {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        let controller = Controller::new(limits, Instant::now());
        Arc::new(Self {
            places: Arc::new(Semaphore::new(controller.limit)),
            state: Mutex::new(State {
                controller,
                excess: 0,
                history: VecDeque::new(),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place, and for the end of a cool-down.
    pub(super) async fn enter(self: &Arc<Self>) -> Place {
        // The semaphore is never closed; without a permit the place would merely not be counted.
        let permit = Arc::clone(&self.places).acquire_owned().await.ok();
        loop {
            let resume = self.state().controller.resume_at.filter(|&at| at > Instant::now());
            let Some(resume) = resume else { break };
            sleep_until(resume).await;
        }
        let load = if self.places.available_permits() == 0 {
            Load::Full
        } else {
            Load::Spare
        };
        Place {
            gate: Arc::clone(self),
            permit,
            sent: Instant::now(),
            load,
        }
    }

    /// Requests that may be under way at once.
    pub(super) fn limit(&self) -> usize {
        self.state().controller.limit
    }

    /// The changes so far, the oldest first.
    pub(super) fn history(&self) -> Vec<Change> {
        self.state().history.iter().copied().collect()
    }

    fn learn(&self, signal: Signal, sent: Instant) -> Option<Change> {
        let mut state = self.state();
        let change = state.controller.learn(signal, sent, Instant::now())?;
        if change.to > change.from {
            if state.excess > 0 {
                state.excess -= 1;
            } else {
                self.places.add_permits(1);
            }
        } else {
            let fewer = change.from - change.to;
            state.excess += fewer - self.places.forget_permits(fewer);
        }
        if state.history.len() == HISTORY {
            state.history.pop_front();
        }
        state.history.push_back(change);
        Some(change)
    }
}

impl Place {
    /// The request leaves now, after whatever else it had to wait for.
    pub(super) fn depart(&mut self) {
        self.sent = Instant::now();
    }

    /// Tells what came of the request; gives the change that follows from it.
    pub(super) fn learn(&self, signal: Signal) -> Option<Change> {
        self.gate.learn(signal, self.sent)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        if let Some(permit) = self.permit.take()
            && state.excess > 0
        {
            state.excess -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits(first: usize, cap: usize) -> Limits {
        Limits {
            first_concurrency: first.try_into().unwrap(),
            concurrency: cap.try_into().unwrap(),
            cool_down: SECOND,
            growth_pause: 10 * SECOND,
            ..Limits::default()
        }
    }

    /// A controller and a clock that moves when it is told to.
    struct Bench {
        controller: Controller,
        now: Instant,
    }

    fn bench(first: usize, cap: usize) -> Bench {
        let now = Instant::now();
        Bench {
            controller: Controller::new(&limits(first, cap), now),
            now,
        }
    }

    impl Bench {
        /// One request after another, each sent just before it is answered.
        fn learn(&mut self, signal: Signal, times: usize) -> Vec<Change> {
            (0..times)
                .filter_map(|_| {
                    self.now += Duration::from_millis(1);
                    self.controller
                        .learn(signal, self.now - Duration::from_micros(1), self.now)
                })
                .collect()
        }
    }

    #[test]
    fn the_limit_grows_by_one_for_every_round_of_clean_replies_up_to_the_cap() {
        let mut bench = bench(2, 5);
        let steps: Vec<(usize, usize)> = bench
            .learn(Signal::Clean(Load::Full), 50)
            .iter()
            .map(|change| (change.from, change.to))
            .collect();
        assert_eq!(steps, [(2, 3), (3, 4), (4, 5)]);
        // 2 + 3 + 4 replies, no more.
        assert_eq!(bench.controller.limit, 5);
    }

    #[test]
    fn a_limit_that_nothing_pushes_against_does_not_grow() {
        assert_eq!(bench(2, 9).learn(Signal::Clean(Load::Spare), 100), []);
    }

    #[test]
    fn too_many_requests_halve_the_limit_once_and_pause_everything() {
        let mut bench = bench(16, 64);
        let sent = bench.now;
        bench.now += SECOND;
        let first = bench
            .controller
            .learn(Signal::Busy(Some(3 * SECOND)), sent, bench.now)
            .unwrap();
        assert_eq!(
            (first.from, first.to, first.cause, first.pause_ms, first.at_ms),
            (16, 8, Cause::TooManyRequests, 3000, 1000)
        );
        assert_eq!(bench.controller.resume_at, Some(bench.now + 3 * SECOND));
        // The others that were under way met the same overload; a longer wait among them counts.
        assert_eq!(
            bench.controller.learn(Signal::Busy(Some(9 * SECOND)), sent, bench.now),
            None
        );
        assert_eq!(bench.controller.resume_at, Some(bench.now + 9 * SECOND));
        assert_eq!(bench.controller.learn(Signal::Busy(None), sent, bench.now), None);
        assert_eq!(
            bench.controller.resume_at,
            Some(bench.now + 9 * SECOND),
            "never shorter"
        );
        // One that was sent afterwards is news.
        bench.now += 10 * SECOND;
        assert_eq!(bench.learn(Signal::Busy(None), 1)[0].to, 4);
        for _ in 0..5 {
            bench.now += 2 * SECOND;
            bench.learn(Signal::Busy(None), 1);
        }
        assert_eq!(bench.controller.limit, 1, "never nothing");
    }

    #[test]
    fn replies_from_before_a_cut_do_not_undo_it() {
        let mut bench = bench(4, 64);
        let sent = bench.now;
        bench.learn(Signal::Busy(None), 1);
        for _ in 0..20 {
            assert_eq!(bench.controller.learn(Signal::Clean(Load::Full), sent, bench.now), None);
        }
        assert_eq!(bench.learn(Signal::Clean(Load::Full), 2).len(), 1);
    }

    #[test]
    fn server_errors_pause_growth_and_nothing_else() {
        let mut bench = bench(2, 64);
        let changes = bench.learn(Signal::Trouble, 3);
        assert_eq!(changes.len(), 1, "one entry for one pause");
        assert_eq!((changes[0].from, changes[0].to, changes[0].pause_ms), (2, 2, 10_000));
        assert_eq!(bench.learn(Signal::Clean(Load::Full), 20), []);
        bench.now += 11 * SECOND;
        assert_eq!(bench.learn(Signal::Clean(Load::Full), 2).len(), 1);
        assert_eq!(bench.controller.resume_at, None, "requests go on");
    }

    #[tokio::test]
    async fn the_gate_lets_in_as_many_as_the_limit_says_after_every_change() {
        let gate = Gate::new(&limits(4, 8));
        let mut inside = Vec::new();
        for _ in 0..4 {
            inside.push(gate.enter().await);
        }
        assert_eq!(inside[3].load, Load::Full);
        assert_eq!(inside[0].load, Load::Spare);
        // A cut below what is inside: the first two to leave make no room.
        inside[0].learn(Signal::Busy(Some(Duration::ZERO)));
        assert_eq!(gate.limit(), 2);
        inside.truncate(2);
        let waits = tokio::time::timeout(Duration::from_millis(20), gate.enter()).await;
        assert!(waits.is_err());
        inside.truncate(1);
        inside.push(gate.enter().await);
        // Two clean replies under full load make room for a third.
        inside[1].learn(Signal::Clean(Load::Full));
        inside[1].learn(Signal::Clean(Load::Full));
        inside.push(gate.enter().await);
        assert_eq!(gate.limit(), 3);
        let causes: Vec<Cause> = gate.history().iter().map(|change| change.cause).collect();
        assert_eq!(causes, [Cause::TooManyRequests, Cause::CleanReplies]);
    }

    #[tokio::test]
    async fn a_cool_down_holds_back_those_who_already_have_a_place() {
        let gate = Gate::new(&limits(4, 8));
        let place = gate.enter().await;
        let start = Instant::now();
        place.learn(Signal::Busy(Some(Duration::from_millis(60))));
        let _next = gate.enter().await;
        assert!(start.elapsed() >= Duration::from_millis(60));
    }
}
