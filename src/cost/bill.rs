//! What a run's ledger comes to at given prices.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Attempt, Line, Listed, Price, Prices, Served, Stage, Tokens};

/// At what prices a run is reckoned.
#[derive(Debug, Clone, PartialEq)]
pub struct Tariff {
    /// Models behind an API.
    pub prices: Prices,
    /// What an hour of the machine costs that judges with local models, in US dollars.
    pub machine_usd_per_hour: Option<f64>,
}

impl Default for Tariff {
    /// The embedded prices, and a machine of which nothing is known.
    fn default() -> Self {
        Self {
            prices: Prices::embedded(),
            machine_usd_per_hour: None,
        }
    }
}

/// A run's cost. Amounts are US dollars; `None` where a price is not known, since an unknown price is not 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bill {
    /// Everything that was or may have been paid: billed tokens, and the machine's time. Without the unknown requests.
    pub usd: Option<f64>,
    /// What it would have been without the shared cache: what configurations are compared by.
    pub usd_without_cache: Option<f64>,
    /// What the published code would have said (defect B2), for runs of a single model with a price.
    pub usd_as_published: Option<f64>,
    /// All rows together.
    pub total: Row,
    /// By model.
    pub models: Vec<OfModel>,
    /// By stage: the probe of endpoints, role generation, layers.
    pub stages: Vec<OfStage>,
    /// By neuron of a layer.
    pub neurons: Vec<OfNeuron>,
    /// The machine's time, for runs with local models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    /// Requests of which nobody knows what they took: cut off, timed out, or answered without usage.
    pub unknown: u64,
    /// The most that those can have cost.
    pub unknown_usd_at_most: Option<f64>,
}

/// Sums of a part of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Row {
    /// Requests that were sent.
    pub requests: u64,
    /// Of these, repetitions, because the one before failed or could not be read.
    pub retries: u64,
    /// Calls that the shared cache answered.
    pub reused: u64,
    /// Tokens of the requests that were sent.
    pub billed: Tokens,
    /// Tokens of the calls that the shared cache answered.
    pub saved: Tokens,
    /// Tokens of the repetitions that were sent.
    pub retried: Tokens,
    /// US dollars for the billed tokens.
    pub usd: Option<f64>,
    /// US dollars that the cache saved.
    pub saved_usd: Option<f64>,
    /// US dollars for the repetitions, which `usd` includes.
    pub retried_usd: Option<f64>,
}

/// The part of one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfModel {
    /// Its name.
    pub model: String,
    /// Its price, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Listed>,
    /// Its sums.
    #[serde(flatten)]
    pub row: Row,
}

/// The part of one stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfStage {
    /// `probe`, `roles`, `layer1` …
    pub stage: String,
    /// Its sums.
    #[serde(flatten)]
    pub row: Row,
}

/// The part of one neuron.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfNeuron {
    /// Its layer.
    pub stage: Stage,
    /// Its place in the layer, 0-based.
    pub neuron: usize,
    /// Its sums.
    #[serde(flatten)]
    pub row: Row,
}

/// The machine that judged with local models.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Machine {
    /// Seconds that processes were at work on the run.
    pub seconds: f64,
    /// The price of an hour, if one was given.
    pub usd_per_hour: Option<f64>,
    /// What the time cost.
    pub usd: Option<f64>,
}

/// Adds what may be unknown: an unknown part makes the sum unknown.
fn plus(sum: Option<f64>, part: Option<f64>) -> Option<f64> {
    Some(sum? + part?)
}

impl Row {
    fn zero() -> Self {
        Self {
            usd: Some(0.0),
            saved_usd: Some(0.0),
            retried_usd: Some(0.0),
            ..Self::default()
        }
    }

    fn add(&mut self, line: &Line, listed: Pricing<'_>) {
        let usd = listed.of(line.tokens, line.served);
        match line.served {
            Served::Model | Served::Batch => {
                self.requests += line.requests;
                self.billed += line.tokens;
                self.usd = plus(self.usd, usd);
                if line.attempt == Attempt::Retry {
                    self.retries += line.requests;
                    self.retried += line.tokens;
                    self.retried_usd = plus(self.retried_usd, usd);
                }
            }
            Served::Cache => {
                self.reused += line.requests;
                self.saved += line.tokens;
                self.saved_usd = plus(self.saved_usd, usd);
            }
        }
    }
}

/// How a line is paid for.
#[derive(Clone, Copy)]
enum Pricing<'a> {
    /// By tokens.
    Listed(&'a Listed),
    /// By the machine's time, if at all: its tokens cost nothing beside that.
    Machine,
    /// Nobody knows.
    Unknown,
}

impl Pricing<'_> {
    fn of(self, tokens: Tokens, served: Served) -> Option<f64> {
        match self {
            Pricing::Listed(listed) => {
                let factor = match served {
                    // Where no discount is known, none is counted on.
                    Served::Batch => listed.batch.unwrap_or(1.0),
                    Served::Model | Served::Cache => 1.0,
                };
                Some(factor * listed.price().of(tokens))
            }
            Pricing::Machine => Some(0.0),
            Pricing::Unknown => None,
        }
    }
}

impl Tariff {
    /// What a model's tokens cost; `None` if its price is not known. Local models are paid by time.
    pub fn of(&self, model: &str, tokens: Tokens) -> Option<f64> {
        self.pricing(model).of(tokens, Served::Model)
    }

    /// The same for tokens of a batch.
    pub fn of_batch(&self, model: &str, tokens: Tokens) -> Option<f64> {
        self.pricing(model).of(tokens, Served::Batch)
    }

    fn pricing(&self, model: &str) -> Pricing<'_> {
        match self.prices.of(model) {
            Some(listed) => Pricing::Listed(listed),
            None if is_local(model) => Pricing::Machine,
            None => Pricing::Unknown,
        }
    }

    /// Reckons a run's ledger. `seconds` are those that processes were at work on it.
    pub fn bill(&self, ledger: &[Line], seconds: f64) -> Bill {
        let mut total = Row::zero();
        let mut models: BTreeMap<&str, Row> = BTreeMap::new();
        let mut stages: BTreeMap<Option<Stage>, Row> = BTreeMap::new();
        let mut neurons: BTreeMap<(Stage, usize), Row> = BTreeMap::new();
        let mut unknown = 0;
        let mut unknown_usd = Some(0.0);
        for line in ledger {
            let pricing = self.pricing(&line.model);
            total.add(line, pricing);
            models.entry(&line.model).or_insert_with(Row::zero).add(line, pricing);
            stages.entry(line.stage).or_insert_with(Row::zero).add(line, pricing);
            if let (Some(stage @ Stage::Layer(_)), Some(neuron)) = (line.stage, line.neuron) {
                neurons
                    .entry((stage, neuron))
                    .or_insert_with(Row::zero)
                    .add(line, pricing);
            }
            if line.unknown > 0 {
                unknown += line.unknown;
                unknown_usd = plus(unknown_usd, pricing.of(line.unknown_at_most, line.served));
            }
        }
        let machine = ledger.iter().any(|line| is_local(&line.model)).then(|| Machine {
            seconds,
            usd_per_hour: self.machine_usd_per_hour,
            usd: self.machine_usd_per_hour.map(|hour| hour * seconds / 3600.0),
        });
        let time = machine.map_or(Some(0.0), |machine| machine.usd);
        let only: Vec<&Listed> = models.keys().filter_map(|model| self.prices.of(model)).collect();
        let usd_as_published = match (only.as_slice(), models.len()) {
            ([listed], 1) => Some(as_published(&stages, &listed.price())),
            _ => None,
        };
        Bill {
            usd: plus(total.usd, time),
            usd_without_cache: plus(plus(total.usd, total.saved_usd), time),
            usd_as_published,
            total,
            models: models
                .into_iter()
                .map(|(model, row)| OfModel {
                    model: model.to_owned(),
                    price: self.prices.of(model).cloned(),
                    row,
                })
                .collect(),
            stages: stages
                .into_iter()
                .map(|(stage, row)| OfStage {
                    stage: stage.map_or_else(|| "probe".to_owned(), |stage| stage.to_string()),
                    row,
                })
                .collect(),
            neurons: neurons
                .into_iter()
                .map(|((stage, neuron), row)| OfNeuron { stage, neuron, row })
                .collect(),
            machine,
            unknown,
            unknown_usd_at_most: unknown_usd,
        }
    }
}

/// What the published code reports, in US dollars (spec 10.5, defect B2): roles and layer 1 when that is the only layer, otherwise the last layer and
/// layer 1. Role generation and middle layers are lost. It knows no cache of replies, so those count as billed.
fn as_published(stages: &BTreeMap<Option<Stage>, Row>, price: &Price) -> f64 {
    let cost = |stage| {
        let tokens = stages.get(&Some(stage)).map(|row| row.billed + row.saved);
        price.of(tokens.unwrap_or_default())
    };
    // The running cost starts with roles; every deeper layer overwrites it, and layer 1 is added at the end.
    let running = match stages.keys().next_back() {
        Some(&Some(last @ Stage::Layer(1..))) => last,
        _ => Stage::Roles,
    };
    cost(running) + cost(Stage::Layer(0))
}

/// Whether a model runs on this machine, within this program.
pub fn is_local(model: &str) -> bool {
    !model.starts_with("openai:")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const GPT4: &str = "openai:gpt-4@api.openai.com/v1";

    fn line(model: &str, stage: Option<Stage>, attempt: Attempt, served: Served, tokens: Tokens) -> Line {
        Line {
            model: model.to_owned(),
            stage,
            neuron: stage.map(|_| 0),
            attempt,
            served,
            requests: 1,
            tokens,
            unknown: 0,
            unknown_at_most: Tokens::default(),
        }
    }

    fn close(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    const PAPERS: &str = "openai:gpt-3.5-turbo-0301@api.openai.com/v1";

    /// Spec 14.7: roles 500 + 100; layer 1, four calls of 600 + 200; deeper layers, four of 1,500 + 200 each.
    fn papers(layers: usize) -> Vec<Line> {
        let first = |stage, tokens| line(PAPERS, Some(stage), Attempt::First, Served::Model, tokens);
        let mut ledger = vec![first(Stage::Roles, Tokens::new(500, 100))];
        for layer in 0..layers {
            let prompt = if layer == 0 { 600 } else { 1500 };
            ledger.extend((0..4).map(|neuron| Line {
                neuron: Some(neuron),
                ..first(Stage::Layer(layer), Tokens::new(prompt, 200))
            }));
        }
        ledger
    }

    #[test]
    fn a_run_of_the_papers_model_costs_what_the_spec_says_and_what_the_published_code_says() {
        // Layers, what is paid, and what the published code reports: it loses roles and middle layers.
        for (layers, paid, published) in [
            (0, 0.0012, 0.0012),
            (1, 0.0076, 0.0076),
            (2, 0.0212, 0.0200),
            (3, 0.0348, 0.0200),
        ] {
            let bill = Tariff::default().bill(&papers(layers), 60.0);
            close(bill.usd, paid);
            close(bill.usd_as_published, published);
            assert_eq!(bill.machine, None, "time on somebody else's machine is in the price");
        }
        let bill = Tariff::default().bill(&papers(2), 60.0);
        let stages: Vec<&str> = bill.stages.iter().map(|stage| stage.stage.as_str()).collect();
        assert_eq!(stages, ["roles", "layer1", "layer2"]);
        for (stage, usd) in bill.stages.iter().zip([0.0012, 0.0064, 0.0136]) {
            close(stage.row.usd, usd);
        }
        close(bill.neurons[0].row.usd, 0.0016);
        assert_eq!(bill.neurons.len(), 8);
    }

    /// It knows no cache of its own: what the cache answered counts as billed, and so do repetitions.
    #[test]
    fn the_published_code_counts_reused_and_repeated_calls() {
        let mut ledger = papers(2);
        let more = |attempt, served| line(PAPERS, Some(Stage::Layer(1)), attempt, served, Tokens::new(1500, 200));
        ledger.push(more(Attempt::First, Served::Cache));
        close(Tariff::default().bill(&ledger, 0.0).usd, 0.0212);
        close(Tariff::default().bill(&ledger, 0.0).usd_as_published, 0.0234);
        ledger.push(more(Attempt::Retry, Served::Model));
        close(Tariff::default().bill(&ledger, 0.0).usd, 0.0246);
        close(Tariff::default().bill(&ledger, 0.0).usd_as_published, 0.0268);
    }

    #[test]
    fn retries_are_paid_and_reused_calls_are_not() {
        let layer = Some(Stage::Layer(0));
        let tokens = Tokens::new(1_000_000, 0);
        let bill = Tariff::default().bill(
            &[
                line(GPT4, layer, Attempt::First, Served::Model, tokens),
                line(GPT4, layer, Attempt::Retry, Served::Model, tokens),
                line(GPT4, layer, Attempt::First, Served::Cache, tokens),
                line(GPT4, None, Attempt::First, Served::Model, tokens),
            ],
            0.0,
        );
        close(bill.usd, 90.0);
        close(bill.usd_without_cache, 120.0);
        close(bill.total.retried_usd, 30.0);
        assert_eq!((bill.total.requests, bill.total.retries, bill.total.reused), (3, 1, 1));
        assert_eq!(bill.stages[0].stage, "probe");
    }

    #[test]
    fn an_unknown_price_is_not_zero() {
        let unknown = "openai:mine@llm.example.org/v1";
        let layer = Some(Stage::Layer(0));
        let bill = Tariff::default().bill(
            &[
                line(GPT4, layer, Attempt::First, Served::Model, Tokens::new(1, 1)),
                line(unknown, layer, Attempt::First, Served::Model, Tokens::new(1, 1)),
            ],
            0.0,
        );
        assert_eq!((bill.usd, bill.total.usd), (None, None));
        assert_eq!(bill.total.billed, Tokens::new(2, 2));
        assert!(bill.models[0].row.usd.is_some());
    }

    #[test]
    fn local_models_are_paid_by_the_hour_of_the_machine() {
        let ledger = [line(
            "smollm2-135m",
            Some(Stage::Roles),
            Attempt::First,
            Served::Model,
            Tokens::new(9, 9),
        )];
        let hourly = Tariff {
            machine_usd_per_hour: Some(2.0),
            ..Tariff::default()
        };
        close(hourly.bill(&ledger, 1800.0).usd, 1.0);
        assert_eq!(
            Tariff::default().bill(&ledger, 1800.0).usd,
            None,
            "an hour has a price, too"
        );
    }

    #[test]
    fn requests_that_nobody_knows_about_are_shown_with_the_most_they_can_have_cost() {
        let mut lost = line(
            GPT4,
            Some(Stage::Roles),
            Attempt::First,
            Served::Model,
            Tokens::default(),
        );
        lost.unknown = 1;
        lost.unknown_at_most = Tokens::new(1_000_000, 1_000_000);
        let bill = Tariff::default().bill(&[lost], 0.0);
        close(bill.usd, 0.0);
        assert_eq!(bill.unknown, 1);
        close(bill.unknown_usd_at_most, 90.0);
    }
}
