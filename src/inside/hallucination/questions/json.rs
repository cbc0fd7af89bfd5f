//! Sets in JSON and JSONL, told apart by the names of their fields.

use std::collections::HashSet;
use std::path::Path;

use super::record::{Record, records};
use super::{Kind, Question, QuestionsError, same_text, unique};
use crate::inside::hallucination::judge::Matching;

/// Which set a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    /// `id`, `template`, `question`, `aliases`, `match`.
    Templated,
    /// `id`, `kind`, `question`, `entity`.
    Invented,
    /// `known_id`, `prompt`, `attribute`.
    Known,
    /// `qId`, `qText`, `answers`.
    WebQuestions,
    /// `question` and one of `aliases`, `answers`, `answer`, `ground_truth`: TriviaQA, NQ-Open, PopQA and others.
    Plain(&'static str),
}

impl Set {
    fn of(record: &Record<'_>) -> Option<Self> {
        let has = |fields: &[&str]| fields.iter().all(|field| record.has(field));
        if has(&["template", "question", "aliases", "match"]) {
            Some(Self::Templated)
        } else if has(&["kind", "question", "entity"]) {
            Some(Self::Invented)
        } else if has(&["known_id", "prompt", "attribute"]) {
            Some(Self::Known)
        } else if has(&["qText", "answers"]) {
            Some(Self::WebQuestions)
        } else {
            let answers = ["aliases", "answers", "answer", "ground_truth"];
            let field = answers.into_iter().find(|field| record.has(field))?;
            record.has("question").then_some(Self::Plain(field))
        }
    }
}

pub(super) fn questions(path: &Path, text: &str, set: &str) -> Result<Vec<Question>, QuestionsError> {
    let mut seen = HashSet::new();
    let mut questions = Vec::new();
    for record in records(path, text)? {
        let Some(format) = Set::of(&record) else {
            return Err(record.fault(format!(
                "no known set has the fields {}; expected `question` and a list `answers`",
                record.names()
            )));
        };
        let mut question = question(&record, format, set)?;
        question.id = unique(question.id, record.line, &mut seen);
        questions.push(question);
    }
    Ok(questions)
}

fn question(record: &Record<'_>, format: Set, set: &str) -> Result<Question, QuestionsError> {
    let plain = |id: String, text: &str, golds: Vec<String>| Question {
        id,
        set: set.to_owned(),
        text: text.trim().to_owned(),
        kind: Kind::Answerable,
        golds,
        wrong: Vec::new(),
        matching: None,
        stratum: set.to_owned(),
        group: same_text(text),
    };
    Ok(match format {
        Set::Templated => {
            let (id, template) = (record.id("id")?, record.text("template")?);
            let matching = record.text("match")?;
            let matching = Matching::of_template(matching).ok_or_else(|| {
                record.fault(format!(
                    "`match` is `{matching}`; expected `contains`, `number` or `exact_case`"
                ))
            })?;
            Question {
                matching: Some(matching),
                stratum: template.to_owned(),
                group: entity(&id, template),
                ..plain(id, record.text("question")?, golds(record, "aliases")?)
            }
        }
        Set::Invented => Question {
            kind: Kind::Invented,
            stratum: record.text("kind")?.to_owned(),
            group: record.text("entity")?.to_owned(),
            ..plain(record.id("id")?, record.text("question")?, Vec::new())
        },
        Set::Known => Question {
            kind: Kind::Completion,
            stratum: record.text("relation_id")?.to_owned(),
            group: same_text(record.text("subject")?),
            ..plain(
                record.id("known_id")?,
                record.text("prompt")?,
                vec![record.text("attribute")?.to_owned()],
            )
        },
        Set::WebQuestions => plain(record.id("qId")?, record.text("qText")?, golds(record, "answers")?),
        Set::Plain(answers) => {
            let id = ["id", "question_id", "qid"].into_iter().find(|field| record.has(field));
            let id = match id {
                Some(field) => record.id(field)?,
                None => format!("{set}_{}", record.line),
            };
            plain(id, record.text("question")?, golds(record, answers)?)
        }
    })
}

/// Accepted answers: at least one.
fn golds(record: &Record<'_>, field: &str) -> Result<Vec<String>, QuestionsError> {
    let golds = record.texts(field)?;
    if golds.iter().all(|gold| gold.trim().is_empty()) {
        return Err(record.fault(format!("`{field}` names no answer, so that no response can be judged")));
    }
    Ok(golds)
}

/// What a templated fact is about: the templates over countries number the same countries, those over elements the same elements.
fn entity(id: &str, template: &str) -> String {
    let family = match template {
        "capital" | "continent" | "currency" => "country",
        "element_symbol" | "symbol_element" | "atomic_number" | "number_element" => "element",
        _ => return id.to_owned(),
    };
    match id.rsplit_once('_') {
        Some((_, number)) => format!("{family}_{number}"),
        None => id.to_owned(),
    }
}
