//! The reader's own JSON Lines; names and labels are documented at [`Format::Jsonl`](super::Format::Jsonl).

use serde_json::Value;

use super::row::{Row, kind};
use super::{Fault, Label, Pair};

/// What every line, or CSV header, must have.
pub(super) const REQUIRED: [&str; 3] = ["query", "response1", "response2"];

/// Names of the label, in order of preference.
pub(super) const LABEL: [&str; 2] = ["label", "human"];

/// The dataset of pairs that name none. No taxonomy entry exists for it, so it gets the default prompt family.
pub(super) const DEFAULT_DATASET: &str = "custom";

/// The pair on line `index` (0-based).
pub(super) fn pair(index: usize, row: &Row) -> Result<Pair, Fault> {
    let label = LABEL.iter().find_map(|field| Some((field, row.optional(field)?)));
    Ok(Pair {
        index,
        id: row.optional_id("id")?,
        query: row.text("query")?,
        response1: row.text("response1")?,
        response2: row.text("response2")?,
        label: match label {
            None => None,
            Some((_, Value::String(name))) => parse_label(name)?,
            Some((_, Value::Number(number))) => parse_label(&number.to_string())?,
            Some((field, other)) => {
                return Err(Fault::WrongType {
                    field,
                    found: kind(other),
                    expected: "a string, 1 or 2",
                });
            }
        },
        dataset: row
            .optional_text("dataset")?
            .unwrap_or_else(|| DEFAULT_DATASET.to_owned()),
    })
}

/// A label in any of the accepted spellings; none if empty.
pub(super) fn parse_label(name: &str) -> Result<Option<Label>, Fault> {
    Ok(Some(match name.to_ascii_lowercase().as_str() {
        "" => return Ok(None),
        "model1" | "1" | "a" => Label::Model1,
        "model2" | "2" | "b" => Label::Model2,
        "tie" => Label::Tie,
        _ => {
            return Err(Fault::unknown_label(
                name,
                &["model1", "model2", "tie", "1", "2", "A", "B"],
            ));
        }
    }))
}
