//! Questions with answers and verdicts, wherever the answers come from: drawn from the engine, or read from the H-Neurons repository's files.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use serde::Serialize;

use super::judge::{Matching, Verdict};
use super::questions::official::{Ids, Sampled, Spanned};
use super::questions::{Kind, Question, same_text};
use super::sampling::Samples;

/// A question, its answers, and a verdict on each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The question.
    pub question: Question,
    /// What was answered.
    pub responses: Vec<String>,
    /// One per response.
    pub verdicts: Vec<Verdict>,
    /// Where the answer is.
    pub span: Span,
}

/// Where an answer is within its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Where the rule for spans finds it.
    ByRule,
    /// At these bytes: somebody marked them.
    Marked(Range<usize>),
    /// Somebody marked tokens that are not in the response.
    Lost,
}

/// Judges answers by rules: the set's own where it has one, else `matching`.
pub fn judged(question: &Question, responses: &[String], matching: Matching) -> Vec<Verdict> {
    let matching = question.matching.unwrap_or(matching);
    responses
        .iter()
        .map(|response| matching.judge(first_line(response), &question.golds))
        .collect()
}

/// A model that does not stop goes on with questions of its own.
fn first_line(response: &str) -> &str {
    response.trim_start().lines().next().unwrap_or("")
}

/// Puts the engine's answers to their questions and judges them. Questions that have not been answered yet are left out.
pub fn of_samples(questions: &[Question], samples: &[Samples], matching: Matching) -> Vec<Answered> {
    let by_id: HashMap<&str, &Samples> = samples.iter().map(|entry| (entry.id.as_str(), entry)).collect();
    questions
        .iter()
        .filter_map(|question| {
            let entry = by_id.get(question.key().as_str())?;
            Some(Answered {
                verdicts: judged(question, &entry.responses, matching),
                question: question.clone(),
                responses: entry.responses.clone(),
                span: Span::ByRule,
            })
        })
        .collect()
}

/// Answers of a file of sampled responses, with its verdicts, or judged where it has none.
pub fn of_sampled(set: &str, items: Vec<Sampled>, matching: Matching) -> Vec<Answered> {
    let answered = |item: Sampled| {
        let question = question(set, item.id, item.question, item.golds);
        Answered {
            verdicts: if item.verdicts.is_empty() {
                judged(&question, &item.responses, matching)
            } else {
                item.verdicts
            },
            question,
            responses: item.responses,
            span: Span::ByRule,
        }
    };
    items.into_iter().map(answered).collect()
}

/// Answers of a file of answer tokens, labelled by a list of ids. Those in neither list get no answers, and so are dropped.
pub fn of_spanned(set: &str, items: Vec<Spanned>, ids: &Ids) -> Vec<Answered> {
    let answered = |item: Spanned| {
        let verdict = if ids.faithful.contains(&item.id) {
            Some(Verdict::Right)
        } else if ids.hallucinated.contains(&item.id) {
            Some(Verdict::Wrong)
        } else {
            None
        };
        let words = item.answer.concat().replace(['▁', 'Ġ'], " ");
        let words = words.trim();
        let found = item.response.find(words).filter(|_| !words.is_empty());
        let span = found.map_or(Span::Lost, |at| Span::Marked(at..at + words.len()));
        Answered {
            question: question(set, item.id, item.question, Vec::new()),
            responses: verdict.map(|_| item.response).into_iter().collect(),
            verdicts: verdict.into_iter().collect(),
            span,
        }
    };
    items.into_iter().map(answered).collect()
}

fn question(set: &str, id: String, text: String, golds: Vec<String>) -> Question {
    Question {
        id,
        set: set.to_owned(),
        group: same_text(&text),
        text,
        kind: Kind::Answerable,
        golds,
        wrong: Vec::new(),
        matching: None,
        stratum: set.to_owned(),
    }
}

impl Question {
    /// Its set and id, unique over sets.
    pub fn key(&self) -> String {
        format!("{}/{}", self.set, self.id)
    }
}

/// Writes answers in the format in which the H-Neurons repository keeps them, one question a line.
pub fn write(path: &Path, answered: &[Answered]) -> std::io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        question: &'a str,
        responses: &'a [String],
        judges: &'a [Verdict],
        ground_truth: &'a [String],
    }
    let mut text = Vec::new();
    for item in answered {
        let line = Line {
            question: &item.question.text,
            responses: &item.responses,
            judges: &item.verdicts,
            ground_truth: &item.question.golds,
        };
        serde_json::to_writer(&mut text, &HashMap::from([(item.question.key(), line)]))?;
        text.push(b'\n');
    }
    std::fs::write(path, text)
}
