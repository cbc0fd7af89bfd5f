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

pub(super) fn write(judged: &[Judged], file: &mut impl Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(file);
    if judged.is_empty() {
        // The header comes with the first row; a run in which nothing is finished yet has none.
        table.write_record(HEADER).map_err(io::Error::from)?;
    }
    for pair in judged {
        table.serialize(row(pair)).map_err(io::Error::from)?;
    }
    table.flush()
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
