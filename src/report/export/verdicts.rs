//! `verdicts.csv`: one row per finished pair, in source order.

use std::io::{self, Write};

use serde::Serialize;

use crate::{
    network::{Stopped, score::Score},
    pair::Label,
    run::Judged,
};

/// A row. What a pair does not have is empty.
#[derive(Serialize)]
struct Row<'a> {
    index: usize,
    id: Option<&'a str>,
    dataset: &'a str,
    /// The human label.
    label: Option<Label>,
    verdict: Option<Label>,
    /// Mean scores of the calls that took part in the decision.
    score1: Option<String>,
    score2: Option<String>,
    /// Opinions asked for, missing ones included.
    n_opinions: Option<usize>,
    /// Opinions without readable scores.
    missing: Option<usize>,
    /// Roles; 0 for a judge without.
    n_roles: Option<usize>,
    roles: Option<String>,
    /// Whether the verdict is the label; empty unless there are both.
    correct: Option<bool>,
    /// The rule by which the network stopped early; empty if it did not.
    stopped: Option<&'static str>,
}

/// The table while it is written.
pub(super) struct Table<W: Write> {
    rows: csv::Writer<W>,
    is_empty: bool,
}

impl<W: Write> Table<W> {
    pub(super) fn new(file: W) -> Self {
        Self {
            rows: csv::Writer::from_writer(file),
            is_empty: true,
        }
    }

    pub(super) fn add(&mut self, judged: &Judged) -> io::Result<()> {
        self.is_empty = false;
        self.rows.serialize(row(judged)).map_err(io::Error::from)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.is_empty {
            // The header comes with the first row; a run in which nothing is finished yet has none.
            self.rows.write_record(HEADER).map_err(io::Error::from)?;
        }
        self.rows.flush()
    }
}

const HEADER: [&str; 13] = [
    "index",
    "id",
    "dataset",
    "label",
    "verdict",
    "score1",
    "score2",
    "n_opinions",
    "missing",
    "n_roles",
    "roles",
    "correct",
    "stopped",
];

fn row(judged: &Judged) -> Row<'_> {
    let pair = &judged.pair;
    let scores = judged.decision.map(|decision| decision.pair);
    let text = |score: Score| score.to_string();
    let opinions = judged.evaluation.as_ref().map(|evaluation| &evaluation.opinions);
    let roles = judged.evaluation.as_ref().map(|evaluation| -> Vec<&str> {
        let named = evaluation.roles.roles.iter().flatten();
        named.map(String::as_str).collect()
    });
    Row {
        index: pair.index,
        id: pair.id.as_deref(),
        dataset: &pair.dataset,
        label: pair.label,
        verdict: judged.verdict,
        score1: scores.map(|scores| text(scores.score1)),
        score2: scores.map(|scores| text(scores.score2)),
        n_opinions: opinions.map(Vec::len),
        missing: opinions.map(|opinions| opinions.iter().filter(|opinion| opinion.missing.is_some()).count()),
        n_roles: roles.as_ref().map(Vec::len),
        roles: roles.map(|roles| roles.join(" | ")),
        correct: pair.label.zip(judged.verdict).map(|(label, verdict)| label == verdict),
        stopped: judged
            .evaluation
            .as_ref()
            .and_then(|evaluation| evaluation.stopped)
            .map(Stopped::rule),
    }
}
