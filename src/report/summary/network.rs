//! What only networks have: the aggregation grid, position bias, discussion, cost.

use super::{
    agreement::{Measure, measures},
    number::{UNDEFINED, decimals, figure, interval, p_value, pairs, percent},
    page::{Page, figures, words},
};
use crate::{
    agreement::Flips,
    network::{
        score::{Score, ScorePair},
        spec::Orders,
    },
    report::{CellRow, Discussion, LayerAgreement, Metrics, StageMetrics},
};

pub(super) fn grid(page: &mut Page, metrics: &Metrics) {
    let Some(grid) = &metrics.grid else {
        return;
    };
    page.heading(&format!(
        "Aggregation grid (the same opinions by every rule; tie margin {})",
        grid.tie_margin
    ));
    let columns = [
        words("method/layers/score"),
        words(""),
        figures("N"),
        figures("accuracy"),
        figures("macro-F1"),
        figures("kappa"),
        figures("tie rate"),
    ];
    let row = |row: &CellRow| {
        let chosen = if row.chosen { "* chosen" } else { "" };
        let mut cells = vec![row.cell.to_string(), chosen.to_owned()];
        cells.extend(match row.score {
            Some(score) => [
                score.n.to_string(),
                figure(score.accuracy),
                figure(score.macro_f1_all),
                figure(score.kappa),
                figure(score.tie_rate),
            ],
            None => [UNDEFINED; 5].map(str::to_owned),
        });
        cells
    };
    page.table(&columns, grid.cells.iter().map(row));
    if grid.cells.iter().any(|row| row.score.is_none()) {
        page.note("The run has no score distributions, so there are no expected scores.");
    }
    page.note("A cell or margin picked by this table must be reported on other pairs than these.");
}

pub(super) fn position(page: &mut Page, metrics: &Metrics) {
    let Some(position) = &metrics.position else {
        return;
    };
    let bias = &position.bias;
    page.heading(&format!("Position ({} scores)", position.reading));
    let mean = |side: fn(ScorePair) -> Score| bias.mean_by_position.map(|pair| side(pair).to_f64());
    let rows = [
        Measure::new(
            "neurons whose verdict changes with the order",
            bias.conflict_rate,
            bias.conflict_interval,
            bias.neurons,
        ),
        Measure::new(
            "calls that prefer what they see first",
            bias.first_position_preference,
            bias.preference_interval,
            bias.first_preferred + bias.second_preferred,
        ),
        Measure::new(
            "mean score of what is shown first",
            mean(|pair| pair.score1),
            None,
            bias.calls,
        ),
        Measure::new(
            "mean score of what is shown second",
            mean(|pair| pair.score2),
            None,
            bias.calls,
        ),
    ];
    measures(page, metrics.bootstrap, rows);
    match position.orders {
        Orders::Both => {
            page.note("N counts neurons with scores in both orders, calls with a preference, and calls with scores.");
            if bias.one_sided > 0 {
                page.note(&format!(
                    "Neurons with scores in one order only, which tilt the means: {}.",
                    bias.one_sided
                ));
            }
        }
        Orders::One => page.note(
            "Every pair was shown in one order only: a preference for what is shown first cannot be told from one for response 1.",
        ),
    }
}

pub(super) fn discussion(page: &mut Page, metrics: &Metrics) {
    let (Some(found), Some(layers)) = (&metrics.discussion, metrics.run.layers) else {
        return;
    };
    page.heading(&format!(
        "Discussion (layer 1 alone and layer {layers} alone, by the same rule)"
    ));
    if let (Some(first), Some(last)) = (found.layer1, found.last) {
        let columns = [
            words("layer"),
            figures("N"),
            figures("accuracy"),
            figures("macro-F1"),
            figures("kappa"),
        ];
        let row = |layer: usize, found: LayerAgreement| {
            vec![
                format!("layer {layer}"),
                found.n.to_string(),
                figure(found.accuracy),
                figure(found.macro_f1_all),
                figure(found.kappa),
            ]
        };
        page.table(&columns, [row(1, first), row(layers, last)]);
    }
    if found.pairs > 0 || found.stopped == 0 {
        page.note(&flips(found));
    }
    if let Some(gain) = &found.gain {
        page.note(&format!(
            "Gain in accuracy {} {}, {} (exact McNemar test).",
            figure(gain.accuracy.difference),
            interval(gain.accuracy.interval),
            p_value(gain.mcnemar.p_value),
        ));
    }
    if found.stopped > 0 {
        page.note(&format!(
            "Left out because the network stopped early: {}.",
            pairs(found.stopped)
        ));
    }
    if found.left_out > 0 {
        page.note(&format!(
            "Left out because a layer has no scores: {}.",
            pairs(found.left_out)
        ));
    }
}

fn flips(found: &Discussion) -> String {
    let Flips {
        helped, hurt, neutral, ..
    } = found.flips;
    let changed = format!("The verdict changed on {} of {}", found.changed, pairs(found.pairs));
    match found.flips.n() {
        0 => format!("{changed}."),
        _ => format!(
            "{changed}; of the changes on pairs with a label, {helped} helped (wrong to right), {hurt} hurt (right to wrong), {neutral} were neutral (wrong to wrong)."
        ),
    }
}

pub(super) fn stages(page: &mut Page, metrics: &Metrics) {
    let Some(stages) = &metrics.stages else {
        return;
    };
    page.heading("Cost by stage");
    let columns = [
        words("stage"),
        figures("calls"),
        figures("prompt tokens"),
        figures("shared"),
        figures("reply tokens"),
        figures("seconds"),
        figures("s/pair"),
    ];
    let row = |stage: &StageMetrics| {
        vec![
            stage.stage.clone(),
            stage.sum.calls.to_string(),
            stage.sum.prompt_tokens.to_string(),
            percent(stage.shared()),
            stage.sum.completion_tokens.to_string(),
            decimals(stage.sum.seconds, 1),
            decimals((stages.pairs > 0).then_some(stage.per_pair.seconds), 2),
        ]
    };
    page.table(&columns, stages.stages.iter().chain([&stages.total]).map(row));
    page.note(
        "Shared: prompt tokens taken from the cache instead of being evaluated. Seconds are wall-clock per pair; pairs under way at the same time share the machine.",
    );
}
