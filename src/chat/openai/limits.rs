//! Requests and tokens per minute.
//!
//! A limit of *n* per minute is kept in every window of a minute, not on average: a bucket that starts full would let through nearly
//! twice as much in its first minute.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Mutex;

use super::Limits;

const MINUTE: u128 = 60_000_000_000;

/// Whether a request had to wait for its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    AtOnce,
    AfterWaiting,
}

/// The limits of one endpoint.
pub(super) struct RateLimits {
    requests: Option<Pace>,
    tokens: Option<Pace>,
    /// Tokens that were used beyond what was reserved for them; negative where less was used. The next request makes up for it.
    debt: AtomicI64,
}

struct Pace {
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
    burst: NonZeroU32,
    /// Held while waiting, so that requests go in the order in which they came.
    turn: Mutex<()>,
}

impl Pace {
    /// At most `per_minute` in any minute, at most `burst` of them at once.
    ///
    /// After a burst of `b`, one every `T` makes `b − 1 + 60 s / T` in the minute that begins with the burst.
    fn quota(per_minute: NonZeroU32, burst: u32) -> Option<Quota> {
        let burst = NonZeroU32::new(burst.clamp(1, per_minute.get()))?;
        let steady = per_minute.get() - burst.get() + 1;
        let period = u64::try_from(MINUTE.div_ceil(u128::from(steady))).ok()?;
        Some(Quota::with_period(Duration::from_nanos(period))?.allow_burst(burst))
    }

    fn new(per_minute: NonZeroU32, burst: u32) -> Option<Self> {
        let quota = Self::quota(per_minute, burst)?;
        Some(Self {
            limiter: RateLimiter::direct(quota),
            clock: DefaultClock::default(),
            burst: quota.burst_size(),
            turn: Mutex::new(()),
        })
    }

    /// Waits until `n` (no more than a burst) may pass.
    async fn take(&self, n: NonZeroU32) -> Admission {
        let mut admission = Admission::AtOnce;
        // More than a burst never asks: it cannot be refused for good.
        while let Ok(Err(not_until)) = self.limiter.check_n(n) {
            admission = Admission::AfterWaiting;
            let wait = not_until.wait_time_from(self.clock.now());
            // Timers count in milliseconds.
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
        admission
    }
}

impl RateLimits {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            // A tenth of a second's worth at once, for timers are no finer than a millisecond.
            requests: limits
                .requests_per_minute
                .and_then(|limit| Pace::new(limit, limit.get() / 600)),
            // Half a minute's worth at once: a single request may need that much.
            tokens: limits
                .tokens_per_minute
                .and_then(|limit| Pace::new(limit, limit.get() / 2)),
            debt: AtomicI64::new(0),
        }
    }

    /// Waits until a request may be sent for which this many tokens are expected.
    pub(super) async fn admit(&self, expected: u64) -> Admission {
        let mut admission = Admission::AtOnce;
        if let Some(pace) = &self.tokens {
            let _turn = pace.turn.lock().await;
            let due = self.debt.swap(0, Ordering::Relaxed).saturating_add(signed(expected));
            // What does not fit into one burst is left to the requests that follow.
            let now = due.clamp(0, i64::from(pace.burst.get()));
            self.debt.fetch_add(due - now, Ordering::Relaxed);
            if let Some(now) = u32::try_from(now).ok().and_then(NonZeroU32::new) {
                admission = pace.take(now).await;
            }
        }
        if let Some(pace) = &self.requests {
            let _turn = pace.turn.lock().await;
            if pace.take(NonZeroU32::MIN).await == Admission::AfterWaiting {
                admission = Admission::AfterWaiting;
            }
        }
        admission
    }

    /// Corrects a reservation by what was really used.
    pub(super) fn settle(&self, expected: u64, used: u64) {
        let Some(pace) = &self.tokens else { return };
        let most_credit = -i64::from(pace.burst.get() / 4);
        let correct = |debt: i64| Some((debt + signed(used) - signed(expected)).max(most_credit));
        // The closure never declines, so there is no error to see to.
        let _ = self.debt.fetch_update(Ordering::Relaxed, Ordering::Relaxed, correct);
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Instant;

    use super::*;

    fn limits(requests: Option<u32>, tokens: Option<u32>) -> RateLimits {
        RateLimits::new(&Limits {
            requests_per_minute: requests.map(|n| n.try_into().unwrap()),
            tokens_per_minute: tokens.map(|n| n.try_into().unwrap()),
            ..Limits::default()
        })
    }

    #[tokio::test]
    async fn requests_are_spread_over_the_minute() {
        // 1,200 a minute: two at once, then one every 50 ms.
        let limits = limits(Some(1200), None);
        let start = Instant::now();
        assert_eq!(limits.admit(0).await, Admission::AtOnce);
        for _ in 0..6 {
            limits.admit(0).await;
        }
        assert!(start.elapsed() >= Duration::from_millis(245), "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn tokens_are_reserved_and_settled() {
        // 60,000 a minute: 30,000 at once, then about 500 a second.
        let limits = limits(None, Some(60_000));
        let start = Instant::now();
        assert_eq!(limits.admit(29_950).await, Admission::AtOnce);
        // Far less was used, so the next one passes as well …
        limits.settle(29_950, 27_950);
        assert_eq!(limits.admit(2_000).await, Admission::AtOnce);
        // … and when more was used than reserved, the next one pays for it.
        limits.settle(2_000, 2_150);
        assert_eq!(limits.admit(1).await, Admission::AfterWaiting);
        assert!(start.elapsed() >= Duration::from_millis(190), "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn without_limits_nothing_waits_and_a_huge_request_does_not_wait_for_ever() {
        let none = limits(None, None);
        assert_eq!(none.admit(u64::MAX).await, Admission::AtOnce);
        none.settle(5, u64::MAX);
        assert_eq!(limits(None, Some(1)).admit(1_000_000).await, Admission::AtOnce);
    }

    #[test]
    fn no_minute_sees_more_than_its_limit() {
        for (limit, burst) in [(1, 0), (2, 0), (60, 0), (6000, 10), (90_000, 45_000)] {
            let limit = NonZeroU32::new(limit).unwrap();
            let pace = Pace::quota(limit, burst).unwrap();
            let after = MINUTE.div_ceil(pace.replenish_interval().as_nanos());
            let in_a_minute = u128::from(pace.burst_size().get()) - 1 + after;
            assert!(in_a_minute <= u128::from(limit.get()), "{limit}: {in_a_minute}");
        }
    }
}
