//! Texts of several languages in one JSON file: an object with an entry per language.
//!
//! An entry is a list of texts, or an object of such lists (articles, in the order of their numbers). A text is a string, or an object like a line of a
//! JSONL file. Parallel editions of the Universal Declaration of Human Rights and of MGSM come so.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::text::{Corpus, Line, Sample, TextError};

/// Reads such a file; languages come in alphabetical order.
pub(super) fn read(text: &str, path: &Path, hash: &str) -> Result<Vec<Corpus>, TextError> {
    let table: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|source| TextError::Table {
        path: path.to_owned(),
        line: source.line(),
        source,
    })?;
    let mut corpora = Vec::new();
    for (language, entry) in table {
        let mut samples = Vec::new();
        collect(entry, &mut samples).map_err(|place| TextError::Entry {
            path: path.to_owned(),
            place: format!("language `{language}`{place}"),
        })?;
        if !samples.is_empty() {
            corpora.push(Corpus {
                language,
                samples,
                hash: hash.to_owned(),
            });
        }
    }
    Ok(corpora)
}

/// Adds an entry's samples; the error says where in the entry something else stands.
fn collect(entry: Value, samples: &mut Vec<Sample>) -> Result<(), String> {
    match entry {
        Value::Array(texts) => {
            for (nth, text) in texts.into_iter().enumerate() {
                let sample = sample(text).ok_or_else(|| format!(", text {}", nth + 1))?;
                samples.extend(sample);
            }
            Ok(())
        }
        Value::Object(lists) => {
            let mut lists: Vec<(String, Value)> = lists.into_iter().collect();
            // Numbers by size; other names, which sort stably, after them.
            lists.sort_by_key(|(name, _)| name.parse::<u64>().unwrap_or(u64::MAX));
            for (name, list) in lists {
                if !list.is_array() {
                    return Err(format!(", `{name}`"));
                }
                collect(list, samples).map_err(|place| format!(", `{name}`{place}"))?;
            }
            Ok(())
        }
        _ => Err(String::new()),
    }
}

/// `None` for what is no text; nothing for a blank one.
#[expect(
    clippy::option_option,
    reason = "the two kinds of nothing are told apart right where it is called"
)]
fn sample(text: Value) -> Option<Option<Sample>> {
    match text {
        Value::String(text) if text.trim().is_empty() => Some(None),
        Value::String(text) => Some(Some(Sample::plain(text))),
        object => serde_json::from_value::<Line>(object).ok()?.sample().1.map(Some),
    }
}
