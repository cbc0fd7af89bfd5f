//! What configurations cost, as if each had run alone.

use serde::Serialize;

use crate::{
    cost::{Tariff, is_local},
    report,
    run::{Judge, Store, StoreError},
};

/// What one run took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    billed: Part,
    reused: Part,
    /// US dollars for the tokens of both; `None` where a price is not known.
    token_usd: Option<f64>,
    /// Seconds at work.
    seconds: f64,
    /// US dollars for an hour of the machine, where the run needs it.
    hour: Hour,
}

/// Calls and tokens.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Part {
    calls: u64,
    prompt: u64,
    cached: u64,
    reply: u64,
}

impl std::ops::AddAssign for Part {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.prompt += other.prompt;
        self.cached += other.cached;
        self.reply += other.reply;
    }
}

impl Part {
    /// Tokens that a model had to evaluate or write.
    fn work(self) -> u64 {
        self.prompt.saturating_sub(self.cached) + self.reply
    }
}

/// What the machine's time costs.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Hour {
    /// Nothing: models run elsewhere, or there are none.
    #[default]
    Free,
    Usd(f64),
    Unknown,
}

impl Spent {
    pub(super) fn of(store: &Store, tariff: &Tariff) -> Result<Self, StoreError> {
        let seconds = store.seconds()?;
        let Some(bill) = report::cost(store, tariff)? else {
            return Ok(Self {
                seconds,
                token_usd: Some(0.0),
                ..Self::default()
            });
        };
        let part = |calls, tokens: crate::cost::Tokens| Part {
            calls,
            prompt: tokens.prompt,
            cached: tokens.cached_prompt,
            reply: tokens.completion,
        };
        let local = match &store.config().judge {
            Judge::Network { model, named, .. } => {
                std::iter::once(model).chain(named).any(|model| is_local(&model.name))
            }
            Judge::Baseline(_) => false,
        };
        Ok(Self {
            billed: part(bill.total.requests, bill.total.billed),
            reused: part(bill.total.reused, bill.total.saved),
            token_usd: bill
                .total
                .usd
                .zip(bill.total.saved_usd)
                .map(|(paid, saved)| paid + saved),
            seconds,
            hour: match tariff.machine_usd_per_hour {
                _ if !local => Hour::Free,
                Some(usd) => Hour::Usd(usd),
                None => Hour::Unknown,
            },
        })
    }
}

/// What a configuration took, over all its runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spending {
    /// Verdicts, of all runs together.
    pub verdicts: u64,
    /// Requests that were sent.
    pub billed_calls: u64,
    /// Calls that a shared cache answered: another run had made them.
    pub reused_calls: u64,
    /// Seconds that its processes were at work.
    pub seconds: f64,
    /// Whether the seconds below are an estimate: those for the reused calls are taken to be as many per token as for the others.
    pub seconds_estimated: bool,
    /// For 1,000 pairs, as if nothing had been reused; absent without a verdict.
    pub per_thousand: Option<PerThousand>,
}

impl Spending {
    /// Seconds that can be set against those of others: judging without calls takes none worth comparing.
    pub(in crate::report) fn comparable_seconds(&self) -> Option<f64> {
        self.per_thousand.filter(|cost| cost.calls > 0.0)?.seconds
    }

    pub(in crate::report) fn usd(&self) -> Option<f64> {
        self.per_thousand?.usd
    }
}

/// What 1,000 pairs take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PerThousand {
    /// Calls, repetitions included.
    pub calls: f64,
    /// Prompt tokens.
    pub prompt_tokens: f64,
    /// Tokens of the replies.
    pub completion_tokens: f64,
    /// Seconds of wall-clock time; `None` where everything was reused.
    pub seconds: Option<f64>,
    /// US dollars; `None` where a price is not known.
    pub usd: Option<f64>,
}

impl Spending {
    pub(super) fn of<'a>(runs: impl Iterator<Item = (&'a Spent, usize)>) -> Self {
        let (mut billed, mut reused) = (Part::default(), Part::default());
        let (mut seconds, mut verdicts, mut token_usd) = (0.0, 0, Some(0.0));
        let mut hour = Hour::Free;
        for (spent, judged) in runs {
            billed += spent.billed;
            reused += spent.reused;
            seconds += spent.seconds;
            verdicts += judged as u64;
            token_usd = token_usd.zip(spent.token_usd).map(|(sum, usd)| sum + usd);
            hour = spent.hour;
        }
        let seconds_estimated = reused.calls > 0;
        // A run whose calls were all made by others says nothing about how long they take.
        let alone = match (reused.work(), billed.work()) {
            (0, _) => Some(seconds),
            (_, 0) => None,
            (reused, billed) => Some(seconds * (billed + reused) as f64 / billed as f64),
        };
        let time_usd = match hour {
            Hour::Free => Some(0.0),
            Hour::Usd(hour) => alone.map(|seconds| seconds / 3600.0 * hour),
            Hour::Unknown => None,
        };
        let per = |sum: f64| 1000.0 * sum / verdicts as f64;
        let per_thousand = (verdicts > 0).then(|| PerThousand {
            calls: per((billed.calls + reused.calls) as f64),
            prompt_tokens: per((billed.prompt + reused.prompt) as f64),
            completion_tokens: per((billed.reply + reused.reply) as f64),
            seconds: alone.map(per),
            usd: token_usd.zip(time_usd).map(|(tokens, time)| per(tokens + time)),
        });
        Self {
            verdicts,
            billed_calls: billed.calls,
            reused_calls: reused.calls,
            seconds,
            seconds_estimated,
            per_thousand,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn spent(billed: u64, reused: u64, seconds: f64) -> Spent {
        let part = |calls| Part {
            calls,
            prompt: 100 * calls,
            cached: 50 * calls,
            reply: 10 * calls,
        };
        Spent {
            billed: part(billed),
            reused: part(reused),
            token_usd: Some(0.0),
            seconds,
            hour: Hour::Usd(3.6),
        }
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn a_configuration_is_reckoned_as_if_it_had_run_alone() {
        // Ten calls made and ten taken over in 20 s: alone it would have been about 40 s for its 10 pairs.
        let found = Spending::of([(&spent(10, 10, 20.0), 10)].into_iter());
        let per = found.per_thousand.unwrap();
        close(per.calls, 2000.0);
        close(per.prompt_tokens, 200_000.0);
        close(per.seconds.unwrap(), 4000.0);
        close(per.usd.unwrap(), 4.0);
        assert!(found.seconds_estimated);
        assert_eq!((found.billed_calls, found.reused_calls), (10, 10));
    }

    #[test]
    fn a_seed_whose_calls_were_all_reused_counts_like_the_one_that_made_them() {
        let runs = [spent(10, 0, 20.0), spent(0, 10, 0.0)];
        let per = Spending::of(runs.iter().map(|run| (run, 10))).per_thousand.unwrap();
        close(per.seconds.unwrap(), 2000.0);
        let only_reused = Spending::of([(&runs[1], 10)].into_iter()).per_thousand.unwrap();
        assert_eq!((only_reused.seconds, only_reused.usd), (None, None));
    }

    #[test]
    fn an_unknown_price_is_not_zero() {
        let mut run = spent(10, 0, 20.0);
        run.hour = Hour::Unknown;
        assert_eq!(Spending::of([(&run, 10)].into_iter()).per_thousand.unwrap().usd, None);
        assert_eq!(Spending::of([(&run, 0)].into_iter()).per_thousand, None);
    }
}
