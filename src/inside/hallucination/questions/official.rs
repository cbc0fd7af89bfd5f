//! What the H-Neurons repository writes between its stages (spec h_neurons, section 7): sampled and judged responses, responses with their answer
//! tokens, and lists of ids by class.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::record::records;
use super::{QuestionsError, lenient};
use crate::inside::hallucination::judge::Verdict;

/// The instruction that stands after every question of these files.
pub const SUFFIX: &str = "Respond with the answer only, without any explanation.";

/// Responses to one question with their verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampled {
    /// Id of the question.
    pub id: String,
    /// The question, without the instruction.
    pub question: String,
    /// What the model answered.
    pub responses: Vec<String>,
    /// One per response; empty where the file has none.
    pub verdicts: Vec<Verdict>,
    /// Accepted answers; empty where the file has none.
    pub golds: Vec<String>,
}

/// A response with the tokens that carry the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned {
    /// Id of the question.
    pub id: String,
    /// The question, without the instruction.
    pub question: String,
    /// The response.
    pub response: String,
    /// Its tokens, as the tokeniser writes them.
    pub tokens: Vec<String>,
    /// Those of them that carry the answer.
    pub answer: Vec<String>,
}

/// Ids of the faithful and of the hallucinated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// Faithful: right every time.
    pub faithful: BTreeSet<String>,
    /// Hallucinated: wrong every time.
    pub hallucinated: BTreeSet<String>,
    /// Ids that a list names more than once, with how often.
    pub repeated: Vec<(String, usize)>,
}

/// Reads `{id: {question, responses, judges, ground_truth}}`, one object a line.
pub fn read_sampled(path: &Path) -> Result<Vec<Sampled>, QuestionsError> {
    let text = lenient(path)?;
    let mut all = Vec::new();
    for record in records(path, &text)? {
        let (id, fields) = record.keyed().ok_or_else(|| {
            record.fault("expected one id with an object, as in `{\"tc_1\": {\"question\": …, \"responses\": […]}}`")
        })?;
        let responses = fields.texts("responses")?;
        let verdicts = if fields.has("judges") {
            let names = fields.texts("judges")?;
            let verdicts = names.iter().map(|name| {
                Verdict::named(name).ok_or_else(|| {
                    fields.fault(format!(
                        "`judges` holds `{name}`; expected true, false, uncertain or error"
                    ))
                })
            });
            verdicts.collect::<Result<Vec<_>, _>>()?
        } else {
            Vec::new()
        };
        if !verdicts.is_empty() && verdicts.len() != responses.len() {
            return Err(fields.fault(format!(
                "there are {} responses and {} verdicts",
                responses.len(),
                verdicts.len()
            )));
        }
        all.push(Sampled {
            id: id.to_owned(),
            question: without_suffix(fields.text("question")?),
            responses,
            verdicts,
            golds: if fields.has("ground_truth") {
                fields.texts("ground_truth")?
            } else {
                Vec::new()
            },
        });
    }
    Ok(all)
}

/// Reads `{id: {response, tokenized_response, answer_tokens, question}}`, one object a line.
pub fn read_spanned(path: &Path) -> Result<Vec<Spanned>, QuestionsError> {
    let text = lenient(path)?;
    let mut all = Vec::new();
    for record in records(path, &text)? {
        let (id, fields) = record.keyed().ok_or_else(|| {
            record
                .fault("expected one id with an object, as in `{\"tc_1\": {\"response\": …, \"answer_tokens\": […]}}`")
        })?;
        all.push(Spanned {
            id: id.to_owned(),
            question: without_suffix(fields.text("question")?),
            response: fields.text("response")?.to_owned(),
            tokens: fields.texts("tokenized_response")?,
            answer: fields.texts("answer_tokens")?,
        });
    }
    Ok(all)
}

/// Reads `{"t": [ids], "f": [ids]}`.
pub fn read_ids(path: &Path) -> Result<Ids, QuestionsError> {
    let text = lenient(path)?;
    let lists: HashMap<String, Vec<String>> = serde_json::from_str(&text).map_err(|error| {
        QuestionsError::line(
            path,
            error.line(),
            format!("expected {{\"t\": [ids], \"f\": [ids]}}: {error}"),
        )
    })?;
    let list = |name: &str| {
        lists
            .get(name)
            .ok_or_else(|| QuestionsError::line(path, 1, format!("there is no list `{name}`")))
    };
    let mut times: HashMap<&String, usize> = HashMap::new();
    let (faithful, hallucinated) = (list("t")?, list("f")?);
    for id in faithful.iter().chain(hallucinated) {
        *times.entry(id).or_default() += 1;
    }
    let faithful: BTreeSet<String> = faithful.iter().cloned().collect();
    let hallucinated: BTreeSet<String> = hallucinated.iter().cloned().collect();
    if let Some(id) = faithful.intersection(&hallucinated).next() {
        return Err(QuestionsError::line(path, 1, format!("`{id}` is in both lists")));
    }
    let mut repeated: Vec<(String, usize)> = times
        .into_iter()
        .filter(|(_, times)| *times > 1)
        .map(|(id, times)| (id.clone(), times))
        .collect();
    repeated.sort();
    Ok(Ids {
        faithful,
        hallucinated,
        repeated,
    })
}

/// Whether the first record of a file is of one of these formats.
pub fn format(path: &Path) -> Result<Option<Format>, QuestionsError> {
    let text = lenient(path)?;
    if !text.trim_start().starts_with('{') {
        return Ok(None);
    }
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    // A damaged line is for the reader of the format to report.
    let Ok(first) = records(path, first) else {
        return Ok(None);
    };
    Ok(first.first().and_then(|record| record.keyed()).and_then(|(_, fields)| {
        if fields.has("responses") {
            Some(Format::Sampled)
        } else if fields.has("answer_tokens") {
            Some(Format::Spanned)
        } else {
            None
        }
    }))
}

/// The repository's formats with texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// [`Sampled`].
    Sampled,
    /// [`Spanned`].
    Spanned,
}

fn without_suffix(question: &str) -> String {
    let question = question.trim();
    question.strip_suffix(SUFFIX).unwrap_or(question).trim_end().to_owned()
}
