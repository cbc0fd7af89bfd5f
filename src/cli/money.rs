//! Flags about money, and `widedeep prices`.

use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};

use super::{Failure, input, say};
use widedeep::cost::{Prices, Tariff, is_local};
use widedeep::run::{Judge, Limit};

/// At what prices a run is reckoned.
#[derive(Debug, clap::Args)]
pub(crate) struct TariffFlags {
    /// Price list, in the format of `widedeep prices --toml`; its entries go before the built-in ones
    #[arg(long, value_name = "FILE", help_heading = "Cost")]
    prices: Option<PathBuf>,

    /// US dollars that an hour of this machine costs, for local models
    #[arg(long, value_name = "USD", help_heading = "Cost", value_parser = amount)]
    machine_usd_per_hour: Option<f64>,
}

/// What a run may cost.
#[derive(Debug, clap::Args)]
pub(crate) struct BudgetFlags {
    /// US dollars that the run may cost, earlier sessions included. The most that a request can cost is held before it is sent, so this is never
    /// passed; the run stops where it can go on
    #[arg(long, value_name = "USD", help_heading = "Cost", value_parser = amount)]
    budget_usd: Option<f64>,

    /// Requests to models that the run may make, earlier sessions, probes and repetitions included
    #[arg(long, value_name = "N", help_heading = "Cost")]
    max_calls: Option<u64>,

    /// Make no request; estimate calls, tokens and cost from the data
    #[arg(long, help_heading = "Cost")]
    pub(crate) dry_run: bool,
}

pub(crate) fn amount(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|amount: &f64| amount.is_finite() && *amount >= 0.0)
        .ok_or_else(|| "an amount in US dollars, such as `2.50`".to_owned())
}

impl TariffFlags {
    pub(crate) fn read(&self) -> Result<Tariff, Failure> {
        Ok(Tariff {
            prices: match &self.prices {
                Some(path) => Prices::with_overrides(path).map_err(input)?,
                None => Prices::embedded(),
            },
            machine_usd_per_hour: self.machine_usd_per_hour,
        })
    }
}

impl BudgetFlags {
    /// The limit, if there is one that can be kept.
    pub(crate) fn limit(&self, judge: &Judge, tariff: &Tariff) -> Result<Option<Limit>, Failure> {
        if self.budget_usd.is_none() && self.max_calls.is_none() {
            return Ok(None);
        }
        if let (Judge::Network { model, named, .. }, Some(_)) = (judge, self.budget_usd) {
            for model in std::iter::once(model).chain(named) {
                let name = &model.name;
                if is_local(name) && tariff.machine_usd_per_hour.is_none() {
                    return Err(input(anyhow::anyhow!(
                        "`--budget-usd` needs the price of this machine's time, since `{name}` runs on it: give it with `--machine-usd-per-hour`, or use `--max-calls`"
                    )));
                }
                if !is_local(name) && tariff.prices.of(name).is_none() {
                    return Err(input(anyhow::anyhow!(
                        "`--budget-usd` needs the price of `{name}`, which is not known: give it with `--prices FILE` (see `widedeep prices`), or use `--max-calls`"
                    )));
                }
            }
        }
        Ok(Some(Limit {
            usd: self.budget_usd,
            calls: self.max_calls,
            tariff: tariff.clone(),
        }))
    }
}

/// Show what models behind an API cost
///
/// US dollars per million tokens, with the day of the price and who says so. A file of your own goes before these with `--prices`: start it with
/// `widedeep prices --toml > mine.toml`.
#[derive(Debug, clap::Args)]
pub(crate) struct PricesArguments {
    /// Price list of your own, whose entries go before the built-in ones
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,

    /// Print the list as a file for `--prices`
    #[arg(long)]
    toml: bool,
}

pub(crate) fn run(arguments: &PricesArguments) -> Result<(), Failure> {
    let prices = match &arguments.prices {
        Some(path) => Prices::with_overrides(path).map_err(input)?,
        None => Prices::embedded(),
    };
    if arguments.toml {
        return say(toml::to_string(&prices).map_err(input)?.trim_end());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "model",
        "prompt",
        "cached",
        "completion",
        "batch",
        "as of",
        "source",
    ]);
    let usd = |price: Option<f64>| price.map_or("–".to_owned(), |price| format!("{price}"));
    for listed in prices.entries() {
        table.add_row([
            listed.name.clone(),
            usd(Some(listed.prompt)),
            usd(listed.cached_prompt),
            usd(Some(listed.completion)),
            listed.batch.map_or("–".to_owned(), |factor| format!("× {factor}")),
            listed.date.clone(),
            listed.source.clone(),
        ]);
    }
    for column in 1..=4 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    say(&format!("{table}\nUS dollars per million tokens"))
}
