//! Limits on what a run may cost, which it never passes.
//!
//! Before a request is sent, the most that it can cost is held, and the hold is on disk; afterwards it is settled at what the request did cost.
//! What does not fit beside the holds of requests under way waits until they are settled; what does not fit although nothing is under way
//! ends the run. A request whose end nobody saw (the process was killed, or the server never answered) counts as the most that it can
//! have cost, also when the run goes on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::store::StoreError;
use super::{Judge, Store};
use crate::cost::{Served, Tariff, Tokens};

/// What a run may cost, all its sessions together.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// US dollars.
    pub usd: Option<f64>,
    /// Requests to models, those of probes and repetitions included.
    pub calls: Option<u64>,
    /// At what prices.
    pub tariff: Tariff,
}

/// Why a request was not sent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OverBudget {
    /// It could have cost more than is left.
    #[error(
        "the budget of ${limit} is not passed: ${spent:.6} are spent, and the next call could cost ${next:.6}; the same command with a larger `--budget-usd` goes on"
    )]
    Usd {
        /// The budget.
        limit: f64,
        /// Spent so far, unknown requests at their most.
        spent: f64,
        /// The most that the request could have cost.
        next: f64,
    },
    /// All calls were made.
    #[error("the {limit} calls of `--max-calls` are made; the same command with a larger number goes on")]
    Calls {
        /// The limit.
        limit: u64,
    },
    /// Nobody knows what it costs.
    #[error(
        "the price of `{model}` is not known, so a budget in dollars cannot be kept: give it with `--prices FILE` (see `widedeep prices`), or use `--max-calls`"
    )]
    NoPrice {
        /// The model.
        model: String,
    },
}

/// The budget of a run at work.
#[derive(Debug)]
pub(super) struct Budget {
    limit: Limit,
    state: Mutex<State>,
    settled: Notify,
    begun: Instant,
    /// For local models: US dollars for an hour of the machine, and for its time before this process.
    machine: Option<(f64, f64)>,
}

#[derive(Debug, Default)]
struct State {
    spent: f64,
    calls: u64,
    /// Held amounts by the number of the request.
    held: HashMap<i64, f64>,
    next: i64,
}

impl State {
    fn hold(&mut self, usd: f64) -> Hold {
        self.next += 1;
        self.held.insert(self.next, usd);
        Hold(self.next)
    }
}

/// A hold on the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold(i64);

impl Budget {
    /// Takes up what earlier sessions of the run have spent.
    pub(super) fn resume(limit: Limit, store: &Store) -> Result<Self, StoreError> {
        let mut state = State::default();
        let local = match &store.config().judge {
            Judge::Network { model, named, .. } => std::iter::once(model)
                .chain(named)
                .any(|model| crate::cost::is_local(&model.name)),
            Judge::Baseline(_) => false,
        };
        for line in store.ledger()? {
            if line.served != Served::Cache {
                state.calls += line.requests;
                // Without a price the run is refused below, before anything is sent.
                let usd = |tokens| {
                    let usd = match line.served {
                        Served::Batch => limit.tariff.of_batch(&line.model, tokens),
                        Served::Model | Served::Cache => limit.tariff.of(&line.model, tokens),
                    };
                    usd.unwrap_or(0.0)
                };
                state.spent += usd(line.tokens) + usd(line.unknown_at_most);
            }
        }
        // Others' machines are in the price of their tokens.
        let hour = limit.tariff.machine_usd_per_hour.filter(|_| local);
        let machine = match hour {
            Some(hour) => Some((hour, hour * store.seconds()? / 3600.0)),
            None => None,
        };
        Ok(Self {
            limit,
            state: Mutex::new(state),
            settled: Notify::new(),
            begun: Instant::now(),
            machine,
        })
    }

    pub(super) fn limit(&self) -> &Limit {
        &self.limit
    }

    /// US dollars of the machine's time, if it is paid for.
    fn machine(&self) -> f64 {
        let of = |(hour, before): (f64, f64)| before + hour * self.begun.elapsed().as_secs_f64() / 3600.0;
        self.machine.map_or(0.0, of)
    }

    /// What is left of the dollars when everything under way costs the most that it can; `None` without such a limit.
    pub(super) fn left(&self) -> Option<f64> {
        let state = self.lock();
        Some(self.limit.usd? - state.spent - state.held.values().sum::<f64>() - self.machine())
    }

    /// Holds the most that so many requests can cost.
    pub(super) async fn hold(&self, model: &str, calls: u64, most: Tokens) -> Result<Hold, OverBudget> {
        let next = match self.limit.usd {
            None => 0.0,
            Some(_) => self.limit.tariff.of(model, most).ok_or_else(|| OverBudget::NoPrice {
                model: model.to_owned(),
            })?,
        };
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            // From here on a settlement wakes this one, even before it waits.
            settled.as_mut().enable();
            {
                let mut state = self.lock();
                if let Some(limit) = self.limit.calls
                    && state.calls + calls > limit
                {
                    return Err(OverBudget::Calls { limit });
                }
                let fits = |already: f64| self.limit.usd.is_none_or(|limit| already + next <= limit);
                let spent = state.spent + self.machine();
                if fits(spent + state.held.values().sum::<f64>()) {
                    state.calls += calls;
                    return Ok(state.hold(next));
                }
                if state.held.is_empty() || !fits(spent) {
                    return Err(OverBudget::Usd {
                        limit: self.limit.usd.unwrap_or_default(),
                        spent,
                        next,
                    });
                }
            }
            settled.await;
        }
    }

    /// Settles a hold at what was paid; `None` counts as the most that was held.
    pub(super) fn settle(&self, hold: Hold, model: &str, paid: Option<Tokens>) {
        let mut state = self.lock();
        let held = state.held.remove(&hold.0).unwrap_or(0.0);
        state.spent += match paid {
            Some(tokens) if self.limit.usd.is_some() => self.limit.tariff.of(model, tokens).unwrap_or(held),
            _ => held,
        };
        drop(state);
        self.settled.notify_waiters();
    }

    /// How many of these requests, in their order, can be put into a batch now; an error if not even the first can.
    pub(super) fn affords(&self, model: &str, requests: impl Iterator<Item = Tokens>) -> Result<usize, OverBudget> {
        let state = self.lock();
        let spent = state.spent + self.machine();
        let held: f64 = state.held.values().sum();
        let mut usd = 0.0;
        let mut count = 0;
        for most in requests {
            let over = match self.limit.calls {
                Some(limit) if state.calls + count >= limit => Some(OverBudget::Calls { limit }),
                _ => None,
            };
            let over = match (over, self.limit.usd) {
                (None, Some(limit)) => {
                    let next = self.batch_usd(model, most)?;
                    usd += next;
                    (spent + held + usd > limit).then_some(OverBudget::Usd { limit, spent, next })
                }
                (over, _) => over,
            };
            match over {
                Some(over) if count == 0 => return Err(over),
                Some(_) => break,
                None => count += 1,
            }
        }
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Holds the most that the requests of a batch can cost, which were found to fit.
    pub(super) fn hold_batch(&self, model: &str, calls: u64, most: Tokens) -> Result<Hold, OverBudget> {
        let usd = self.batch_usd(model, most)?;
        let mut state = self.lock();
        state.calls += calls;
        Ok(state.hold(usd))
    }

    /// Holds a batch of an earlier session, which counts as spent so far.
    pub(super) fn take_up_batch(&self, model: &str, most: Tokens) -> Result<Hold, OverBudget> {
        let usd = self.batch_usd(model, most)?;
        let mut state = self.lock();
        state.spent -= usd;
        Ok(state.hold(usd))
    }

    /// Settles a batch at what was paid, and takes back the calls of it that were never made.
    pub(super) fn settle_batch(&self, hold: Hold, model: &str, paid: Tokens, unmade: u64) {
        let mut state = self.lock();
        let held = state.held.remove(&hold.0).unwrap_or(0.0);
        state.spent += self.batch_usd(model, paid).unwrap_or(held);
        state.calls = state.calls.saturating_sub(unmade);
        drop(state);
        self.settled.notify_waiters();
    }

    fn batch_usd(&self, model: &str, tokens: Tokens) -> Result<f64, OverBudget> {
        if self.limit.usd.is_none() {
            return Ok(0.0);
        }
        let usd = self.limit.tariff.of_batch(model, tokens);
        usd.ok_or_else(|| OverBudget::NoPrice {
            model: model.to_owned(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is whole between any two lines that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use futures::FutureExt;
    use futures::future::poll_immediate;
    use pollster::block_on;

    use super::*;

    /// 30 dollars per million prompt tokens.
    const GPT4: &str = "openai:gpt-4@api.openai.com/v1";

    fn budget(usd: Option<f64>, calls: Option<u64>) -> Budget {
        Budget {
            limit: Limit {
                usd,
                calls,
                tariff: Tariff::default(),
            },
            state: Mutex::default(),
            settled: Notify::new(),
            begun: Instant::now(),
            machine: None,
        }
    }

    /// Tokens that cost so many dollars.
    fn worth(usd: u64) -> Tokens {
        Tokens::new(usd * 1_000_000 / 30, 0)
    }

    #[test]
    fn what_does_not_fit_beside_the_holds_waits_until_they_are_settled() {
        let budget = budget(Some(9.0), None);
        let first = block_on(budget.hold(GPT4, 1, worth(6))).unwrap();
        let mut second = std::pin::pin!(budget.hold(GPT4, 1, worth(6)));
        assert!(
            block_on(poll_immediate(&mut second)).is_none(),
            "6 and 6 are more than 9"
        );
        // The first cost less than it could have.
        budget.settle(first, GPT4, Some(worth(3)));
        let second = block_on(second).unwrap();
        budget.settle(second, GPT4, Some(worth(3)));
        assert!(budget.left().unwrap() > 2.9);
    }

    #[test]
    fn what_does_not_fit_beside_what_is_spent_is_refused_at_once() {
        let budget = budget(Some(9.0), None);
        let first = block_on(budget.hold(GPT4, 1, worth(6))).unwrap();
        let mut second = std::pin::pin!(budget.hold(GPT4, 1, worth(6)).fuse());
        assert!(block_on(poll_immediate(&mut second)).is_none());
        // Nobody knows what became of the first, so it counts as the most.
        budget.settle(first, GPT4, None);
        assert!(matches!(block_on(second), Err(OverBudget::Usd { .. })));
        assert!(block_on(budget.hold(GPT4, 1, worth(2))).is_ok());
    }

    #[test]
    fn calls_are_counted_when_they_are_held_and_groups_go_whole() {
        let budget = budget(None, Some(3));
        block_on(budget.hold(GPT4, 2, worth(1))).unwrap();
        assert!(matches!(
            block_on(budget.hold(GPT4, 2, worth(1))),
            Err(OverBudget::Calls { limit: 3 })
        ));
        assert!(block_on(budget.hold(GPT4, 1, worth(1))).is_ok());
        assert!(matches!(
            block_on(budget.hold(GPT4, 1, worth(1))),
            Err(OverBudget::Calls { .. })
        ));
    }

    #[test]
    fn a_price_that_nobody_knows_holds_nothing() {
        let unknown = "openai:mine@llm.example.org/v1";
        let refused = block_on(budget(Some(9.0), None).hold(unknown, 1, worth(1)));
        assert!(matches!(refused, Err(OverBudget::NoPrice { .. })));
        assert!(block_on(budget(None, Some(1)).hold(unknown, 1, worth(1))).is_ok());
        assert!(
            block_on(budget(Some(9.0), None).hold("smollm2-135m", 1, worth(1000))).is_ok(),
            "paid by time"
        );
    }
}
