//! Agreement with the labels: the headline, the confusion matrix, the groups.

use super::{
    number::{UNDEFINED, figure, interval},
    page::{Column, Page, figures, words},
};
use crate::{
    agreement::{Bootstrap, Interval},
    pair::Label,
    report::{Group, Metrics, metrics::FEW},
};

/// One line of a table of measures.
pub(super) struct Measure {
    pub(super) name: String,
    pub(super) value: Option<f64>,
    pub(super) interval: Option<Interval>,
    pub(super) n: u64,
}

impl Measure {
    pub(super) fn new(
        name: &str,
        value: impl Into<Option<f64>>,
        interval: impl Into<Option<Interval>>,
        n: u64,
    ) -> Self {
        Self {
            name: name.to_owned(),
            value: value.into(),
            interval: interval.into(),
            n,
        }
    }
}

/// The header of a column of intervals.
pub(super) fn level(bootstrap: Bootstrap) -> String {
    format!("{} % interval", 100.0 * bootstrap.level.get())
}

/// A table of measures.
pub(super) fn measures(page: &mut Page, bootstrap: Bootstrap, measures: impl IntoIterator<Item = Measure>) {
    let columns = [
        words("measure"),
        figures("value"),
        Column::Figures(level(bootstrap)),
        figures("N"),
    ];
    let row = |measure: Measure| {
        vec![
            measure.name,
            figure(measure.value),
            interval(measure.interval),
            measure.n.to_string(),
        ]
    };
    page.table(&columns, measures.into_iter().map(row));
}

pub(super) fn headline(page: &mut Page, metrics: &Metrics) {
    page.heading("Agreement with the human labels");
    let Some(overall) = &metrics.overall else {
        page.note("No pair has both a human label and a verdict, so there is nothing to compare.");
        return;
    };
    let intervals = overall.intervals;
    let recall = |label: Label| {
        Measure::new(
            &format!("recall of {}", label.name()),
            *overall.recall.get(label),
            None,
            overall.confusion.gold(label),
        )
    };
    let mut rows = vec![
        Measure::new("accuracy", overall.accuracy, intervals.accuracy, overall.n),
        Measure::new(
            "macro-F1 (all three classes)",
            overall.macro_f1_all,
            intervals.macro_f1_all,
            overall.n,
        ),
        Measure::new("Cohen's kappa", overall.kappa, intervals.kappa.interval, overall.n),
        Measure::new(
            "accuracy without the pairs labelled tie",
            overall.accuracy_without_tie,
            None,
            overall.n_without_tie,
        ),
    ];
    rows.extend(Label::ALL.map(recall));
    rows.push(Measure::new(
        "tie rate of the verdicts",
        overall.tie_rate,
        None,
        overall.n,
    ));
    measures(page, metrics.bootstrap, rows);
    page.note(&format!(
        "N counts pairs with a label and a verdict. Intervals are percentiles of {} bootstrap resamples (seed {}).",
        metrics.bootstrap.draws, metrics.bootstrap.seed
    ));
}

pub(super) fn confusion(page: &mut Page, metrics: &Metrics) {
    let Some(overall) = &metrics.overall else {
        return;
    };
    let judge = match metrics.run.layers {
        Some(_) => "network",
        None => "baseline",
    };
    page.heading(&format!(
        "Confusion matrix (rows: human label; columns: verdict of the {judge})"
    ));
    let mut columns = vec![words("")];
    columns.extend(Label::ALL.map(|label| Column::Figures(format!("{judge} {}", label.name()))));
    columns.push(figures("sum"));
    let row = |gold: Label| {
        let mut row = vec![format!("human {}", gold.name())];
        row.extend(Label::ALL.map(|verdict| overall.confusion.count(gold, verdict).to_string()));
        row.push(overall.confusion.gold(gold).to_string());
        row
    };
    let mut sums = vec!["sum".to_owned()];
    sums.extend(Label::ALL.map(|verdict| overall.confusion.predicted(verdict).to_string()));
    sums.push(overall.n.to_string());
    page.table(&columns, Label::ALL.into_iter().map(row).chain([sums]));
}

pub(super) fn groups(page: &mut Page, metrics: &Metrics) {
    if metrics.overall.is_none() {
        return;
    }
    let mut few = group_table(page, metrics, "By dataset", "dataset", &metrics.datasets);
    let listed = |groups: &[Group]| groups.iter().any(|group| group.name != Group::NOT_LISTED);
    if listed(&metrics.task_types) {
        few |= group_table(page, metrics, "By task type", "task type", &metrics.task_types);
    }
    if listed(&metrics.abilities) {
        few |= group_table(
            page,
            metrics,
            "By ability (a pair counts in each ability of its dataset)",
            "ability",
            &metrics.abilities,
        );
    }
    if !listed(&metrics.task_types) && !listed(&metrics.abilities) {
        page.note("The taxonomy lists no task type and no ability for these datasets.");
    }
    page.note("Macro-F1 of a group is over the classes that its labels or verdicts have.");
    if few {
        page.note(&format!(
            "Groups of fewer than {FEW} pairs: neither figures nor intervals can be relied on."
        ));
    }
}

/// Whether a group has few pairs.
fn group_table(page: &mut Page, metrics: &Metrics, heading: &str, what: &str, groups: &[Group]) -> bool {
    page.heading(heading);
    let undecided = groups.iter().any(|group| group.undecided > 0);
    let mut columns = vec![
        words(what),
        figures("N"),
        figures("accuracy"),
        figures("macro-F1"),
        figures("kappa"),
        Column::Figures(format!("{} of kappa", level(metrics.bootstrap))),
    ];
    columns.extend(undecided.then(|| figures("undecided")));
    let row = |group: &Group| {
        let figures = match &group.agreement {
            Some(found) => [
                found.n.to_string(),
                figure(found.accuracy),
                figure(found.macro_f1_present),
                figure(found.kappa),
                interval(found.intervals.kappa.interval),
            ],
            None => ["0", UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED].map(str::to_owned),
        };
        let mut row = vec![group.name.clone()];
        row.extend(figures);
        row.extend(undecided.then(|| group.undecided.to_string()));
        row
    };
    page.table(&columns, groups.iter().map(row));
    groups
        .iter()
        .any(|group| group.agreement.is_none_or(|found| found.n < FEW))
}
