//! Prompts with responses that somebody else wrote: what a detector is applied to.

use std::collections::HashSet;
use std::path::Path;

use super::record::records;
use super::{QuestionsError, lenient, unique};

/// A prompt and a response to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Unique within its file.
    pub id: String,
    /// What was asked.
    pub prompt: String,
    /// What was answered, verbatim.
    pub response: String,
}

/// Reads JSON or JSONL with `prompt` (or `question`, `query`, `instruction`) and `response` (or `answer`, `output`), and `id` where there is one. A line with
/// `response1` and `response2` holds two exchanges.
pub fn read_exchanges(path: &Path) -> Result<Vec<Exchange>, QuestionsError> {
    let text = lenient(path)?;
    let (mut seen, mut all) = (HashSet::new(), Vec::new());
    for record in records(path, &text)? {
        let named = |names: &[&'static str]| names.iter().copied().find(|name| record.has(name));
        let prompts = ["prompt", "question", "query", "instruction"];
        let prompt =
            named(&prompts).ok_or_else(|| record.fault(format!("there is no `{}`", prompts.join("` or `"))))?;
        let prompt = record.text(prompt)?.to_owned();
        let id = match named(&["id", "question_id", "qid"]) {
            Some(field) => record.id(field)?,
            None => format!("line_{}", record.line),
        };
        let responses: Vec<(String, &str)> = match named(&["response", "answer", "output"]) {
            Some(field) => vec![(id, field)],
            None if record.has("response1") && record.has("response2") => {
                vec![(format!("{id}/1"), "response1"), (format!("{id}/2"), "response2")]
            }
            None => return Err(record.fault("there is no `response`, `answer` or `output`")),
        };
        for (id, field) in responses {
            all.push(Exchange {
                id: unique(id, record.line, &mut seen),
                prompt: prompt.clone(),
                response: record.text(field)?.to_owned(),
            });
        }
    }
    if all.is_empty() {
        return Err(QuestionsError::Empty { path: path.to_owned() });
    }
    Ok(all)
}

/// A question with a true and a false response, each in a short and a long form: for the test of length against truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verbosity {
    /// Subject area.
    pub domain: String,
    /// The question.
    pub question: String,
    /// True and short.
    pub short_true: String,
    /// True and long.
    pub long_true: String,
    /// False and short.
    pub short_false: String,
    /// False and long.
    pub long_false: String,
}

/// Reads a JSON array of questions with `short_true`, `long_true`, `short_false` and `long_false`.
pub fn read_verbosity(path: &Path) -> Result<Vec<Verbosity>, QuestionsError> {
    let text = lenient(path)?;
    let items = records(path, &text)?;
    let item = |record: &super::record::Record<'_>| {
        let field = |name: &str| record.text(name).map(str::to_owned);
        Ok(Verbosity {
            domain: field("domain")?,
            question: field("question")?,
            short_true: field("short_true")?,
            long_true: field("long_true")?,
            short_false: field("short_false")?,
            long_false: field("long_false")?,
        })
    };
    items.iter().map(item).collect()
}
