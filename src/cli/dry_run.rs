//! `widedeep eval --dry-run`: what the run would ask, and what that would cost.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use comfy_table::{CellAlignment, Table, presets};

use super::backend::Prepared;
use super::material::Material;
use super::session::Models;
use super::{Failure, failed, say};
use widedeep::chat::ChatModel;
use widedeep::cost::{Tariff, is_local};
use widedeep::run::{Judge, Limit, Outlook, Store, Tokeniser, rehearse};

pub(crate) fn run(
    judge: &Judge,
    material: &mut Material<'_>,
    folder: &Path,
    seed: u64,
    models: &Models,
    tariff: &Tariff,
    limit: Option<&Limit>,
) -> Result<(), Failure> {
    let Judge::Network { model, .. } = judge else {
        return say("a baseline asks no model and costs nothing");
    };
    // What a run in this folder has finished is not asked again.
    let finished: HashSet<usize> = match Store::open(folder) {
        Ok(store) => store
            .outcomes()
            .map_err(failed)?
            .iter()
            .map(|outcome| outcome.pair)
            .collect(),
        Err(_) => HashSet::new(),
    };
    let tokenisers: BTreeMap<String, Tokeniser> = models
        .prepared()
        .filter_map(|prepared| match prepared {
            Prepared::Local(model) => Some((model.identity().name.clone(), Arc::clone(model) as Tokeniser)),
            Prepared::Endpoint(..) | Prepared::Detector(_) => None,
        })
        .collect();
    material.survey()?;
    let mut open = 0;
    let pairs = material.pairs()?.filter(|pair| {
        let is_open = !matches!(pair, Ok(pair) if finished.contains(&pair.index));
        open += usize::from(is_open);
        is_open
    });
    let outlooks = rehearse(judge, pairs, &material.prompts, &material.taxonomy, seed, &tokenisers)?;
    let [least, expected, most] = outlooks.as_slice() else {
        return Err(failed(anyhow::anyhow!("the rehearsal has no outcome")));
    };
    let mut text = format!(
        "{} pairs to judge ({} are finished); no request was made\n\n",
        open,
        finished.len()
    );
    text += &table(least, expected, most, tariff);
    text += "\n\nExpected, with the least and the most in brackets. The prompts are the real ones; unknown are the replies: their length, the number of roles,\n\
             replies that have to be asked for again, and where a network stops early. Requests that fail on their way and are sent again come on top.\n";
    let by_bytes = outlooks[1]
        .parts
        .iter()
        .any(|part| !tokenisers.contains_key(&part.model));
    if by_bytes {
        text += "The tokeniser is the server's: a token is taken for 4 bytes (6 at least, 2.5 at most). A provider's prompt cache would make it cheaper.\n";
    }
    if is_local(&model.name) {
        text += "Time depends on the machine: measure it on a few pairs with --limit.\n";
    }
    if let Some(limit) = limit {
        text += &affordable(limit, open, expected, tariff);
    }
    say(text.trim_end())
}

fn table(least: &Outlook, expected: &Outlook, most: &Outlook, tariff: &Tariff) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["stage", "model", "calls", "prompt tokens", "reply tokens", "USD"]);
    let with_bounds = |expected: String, least: String, most: String| format!("{expected} [{least}, {most}]");
    let usd = |amount: Option<f64>| amount.map_or("–".to_owned(), |amount| format!("{amount:.4}"));
    for part in &expected.parts {
        let same = |outlook: &Outlook| {
            let found = outlook
                .parts
                .iter()
                .find(|other| other.stage == part.stage && other.model == part.model);
            found.map(|found| (found.calls, found.tokens)).unwrap_or_default()
        };
        let (low, high) = (same(least), same(most));
        let price = |tokens| {
            if is_local(&part.model) {
                None
            } else {
                tariff.of(&part.model, tokens)
            }
        };
        table.add_row([
            part.stage.to_string(),
            part.model.clone(),
            with_bounds(part.calls.to_string(), low.0.to_string(), high.0.to_string()),
            with_bounds(
                part.tokens.prompt.to_string(),
                low.1.prompt.to_string(),
                high.1.prompt.to_string(),
            ),
            with_bounds(
                part.tokens.completion.to_string(),
                low.1.completion.to_string(),
                high.1.completion.to_string(),
            ),
            with_bounds(usd(price(part.tokens)), usd(price(low.1)), usd(price(high.1))),
        ]);
    }
    let sum = |of: &dyn Fn(&Outlook) -> String| with_bounds(of(expected), of(least), of(most));
    let priced = expected.parts.iter().any(|part| !is_local(&part.model));
    table.add_row([
        "total".to_owned(),
        String::new(),
        sum(&|outlook| outlook.calls().to_string()),
        sum(&|outlook| outlook.tokens().prompt.to_string()),
        sum(&|outlook| outlook.tokens().completion.to_string()),
        sum(&|outlook| usd(outlook.usd(tariff).filter(|_| priced))),
    ]);
    for column in 2..=5 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// How far a limit reaches.
fn affordable(limit: &Limit, pairs: usize, expected: &Outlook, tariff: &Tariff) -> String {
    let of_pairs = |all: f64, limit: f64| {
        let per_pair = all / pairs.max(1) as f64;
        if per_pair * pairs as f64 <= limit {
            format!("enough for all {pairs} pairs, as expected")
        } else {
            format!(
                "as expected it would stop after about {:.0} of {pairs} pairs",
                (limit / per_pair).floor()
            )
        }
    };
    let mut lines = Vec::new();
    if let (Some(usd), Some(all)) = (limit.usd, expected.usd(tariff).filter(|all| *all > 0.0)) {
        lines.push(format!("--budget-usd {usd}: {}", of_pairs(all, usd)));
    }
    if let Some(calls) = limit.calls {
        lines.push(format!(
            "--max-calls {calls}: {}",
            of_pairs(expected.calls() as f64, calls as f64)
        ));
    }
    lines.join("\n")
}
