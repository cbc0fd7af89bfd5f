//! Questions with known answers, from the published sets.
//!
//! [`read`] takes any of them and tells the formats apart by what is in the file: TriviaQA, NQ-Open, WebQuestions, PopQA, SimpleQA, TruthfulQA, FalseQA,
//! OpenTriviaQA, known facts (ROME), templated facts, invented entities, and plain JSON or JSONL with `question` and `answers`. What the
//! H-Neurons repository writes between its stages is read by [`official`].

mod error;
mod json;
pub mod official;
mod pairs;
mod record;
mod table;
mod trivia;

use std::collections::HashSet;
use std::path::Path;

pub use error::QuestionsError;
pub use pairs::{Exchange, Verbosity, read_exchanges, read_verbosity};

use super::judge::Matching;

/// A question and what counts as answering it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Unique within its set.
    pub id: String,
    /// Name of its set: the file's, without its extension.
    pub set: String,
    /// What is asked, without any instruction.
    pub text: String,
    /// What kind of question it is.
    pub kind: Kind,
    /// Accepted answers; none where no answer is right.
    pub golds: Vec<String>,
    /// Known wrong answers, where the set has some (TruthfulQA, and the other options of multiple choice).
    pub wrong: Vec<String>,
    /// How its set says that answers are compared, where that is not for the judge to choose.
    pub matching: Option<Matching>,
    /// Template or set: classes are balanced within it.
    pub stratum: String,
    /// Questions of one group ask about the same thing, and never stand on both sides of a split.
    pub group: String,
}

/// What a question supposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It has an answer.
    Answerable,
    /// A sentence to be completed.
    Completion,
    /// It asks about something that does not exist: every answer but a refusal is made up.
    Invented,
    /// It supposes something false (FalseQA): the golds are ways to say so.
    FalsePremise,
}

/// Reads a file of questions in any of the known formats.
pub fn read(path: &Path) -> Result<Vec<Question>, QuestionsError> {
    let text = lenient(path)?;
    let set = path
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let questions = match extension.as_deref() {
        Some("csv") => table::questions(path, &text, &set)?,
        _ if text.trim_start().starts_with(['{', '[']) => json::questions(path, &text, &set)?,
        _ if text.trim_start().starts_with("#Q") => trivia::questions(path, &text, &set)?,
        _ => {
            let problem = format!("it begins with {:?}", text.chars().take(24).collect::<String>());
            return Err(QuestionsError::Format {
                path: path.to_owned(),
                problem,
            });
        }
    };
    if questions.is_empty() {
        return Err(QuestionsError::Empty { path: path.to_owned() });
    }
    Ok(questions)
}

/// The text of a file. UTF-8 where it is valid (without a byte-order mark), else each byte by itself as Latin-1: OpenTriviaQA mixes encodings.
fn lenient(path: &Path) -> Result<String, QuestionsError> {
    let bytes = std::fs::read(path).map_err(|source| QuestionsError::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = String::from_utf8(bytes).unwrap_or_else(|error| {
        let lines = error.as_bytes().split_inclusive(|&byte| byte == b'\n');
        lines
            .map(|line| match std::str::from_utf8(line) {
                Ok(line) => line.to_owned(),
                Err(_) => line.iter().map(|&byte| char::from(byte)).collect(),
            })
            .collect()
    });
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// Questions that are the same but for case and white space.
pub(super) fn same_text(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Ids have to be unique: an id that occurred before gets its line's number.
fn unique(id: String, line: usize, seen: &mut HashSet<String>) -> String {
    let id = if seen.contains(&id) { format!("{id}:{line}") } else { id };
    seen.insert(id.clone());
    id
}
