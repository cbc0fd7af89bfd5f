//! What the run cost.

use super::{
    number::UNDEFINED,
    page::{Page, figures, words},
};
use crate::{cost::Row, report::Metrics};

/// US dollars, with as many decimals as small amounts need.
pub(super) fn usd(amount: Option<f64>) -> String {
    match amount {
        None => UNDEFINED.to_owned(),
        Some(amount) if amount == 0.0 || amount.abs() >= 1.0 => format!("${amount:.2}"),
        Some(amount) => format!("${amount:.6}"),
    }
}

pub(super) fn cost(page: &mut Page, metrics: &Metrics) {
    let Some(bill) = &metrics.cost else {
        return;
    };
    page.heading("Ledger (all requests of the run, of all its sessions)");
    let columns = [
        words("part"),
        figures("requests"),
        figures("retries"),
        figures("reused"),
        figures("prompt tokens"),
        figures("cached"),
        figures("reply tokens"),
        figures("USD"),
    ];
    // Tokens of local models cost nothing beside the time below.
    let by_time = bill.models.iter().all(|model| crate::cost::is_local(&model.model));
    let row = |name: String, row: &Row| {
        vec![
            name,
            row.requests.to_string(),
            row.retries.to_string(),
            row.reused.to_string(),
            row.billed.prompt.to_string(),
            row.billed.cached_prompt.to_string(),
            row.billed.completion.to_string(),
            usd(row.usd.filter(|_| !by_time)),
        ]
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for stage in &bill.stages {
        rows.push(row(stage.stage.clone(), &stage.row));
        for neuron in bill
            .neurons
            .iter()
            .filter(|neuron| neuron.stage.to_string() == stage.stage)
        {
            rows.push(row(format!("  neuron {}", neuron.neuron + 1), &neuron.row));
        }
    }
    for model in bill.models.iter().filter(|_| bill.models.len() > 1) {
        rows.push(row(model.model.clone(), &model.row));
    }
    rows.push(row("total".to_owned(), &bill.total));
    page.table(&columns, rows);
    if bill.total.retries > 0 {
        page.note(&format!(
            "Retries took {} prompt and {} reply tokens ({}), which the sums include.",
            bill.total.retried.prompt,
            bill.total.retried.completion,
            usd(bill.total.retried_usd.filter(|_| !by_time))
        ));
    }
    if bill.total.reused > 0 {
        page.note(&format!(
            "Reused from the shared cache: {} calls with {} prompt and {} reply tokens, which would have cost {}.",
            bill.total.reused,
            bill.total.saved.prompt,
            bill.total.saved.completion,
            usd(bill.total.saved_usd.filter(|_| !by_time))
        ));
    }
    for model in &bill.models {
        if let Some(listed) = &model.price {
            page.note(&format!(
                "Price of {}: that of {} on {}, ${} per million prompt and ${} per million reply tokens.",
                model.model, listed.name, listed.date, listed.prompt, listed.completion
            ));
        } else if !crate::cost::is_local(&model.model) {
            page.note(&format!(
                "The price of {} is not known: give it with --prices (see `widedeep prices`).",
                model.model
            ));
        }
    }
    if let Some(machine) = bill.machine {
        let cost = match (machine.usd_per_hour, machine.usd) {
            (Some(hour), Some(cost)) => format!("at ${hour} an hour {}", usd(Some(cost))),
            _ => "give its price with --machine-usd-per-hour".to_owned(),
        };
        page.note(&format!(
            "The machine was at work for {:.1} s: {cost}.",
            machine.seconds
        ));
    }
    if bill.unknown > 0 {
        page.note(&format!(
            "{} requests got no answer that says what they took; at most {}, not included.",
            bill.unknown,
            usd(bill.unknown_usd_at_most)
        ));
    }
    if let Some(all) = bill.usd
        && metrics.counts.judged > 0
    {
        page.note(&format!(
            "Total {}, {} per 1,000 pairs.",
            usd(Some(all)),
            usd(Some(1000.0 * all / metrics.counts.judged as f64))
        ));
    }
}
