//! LLMEval² as published: JSON Lines, exactly five string fields, no id (spec section 2).

use super::row::Row;
use super::{Fault, Format, Label, Pair};

/// All fields of a line, in the published order.
pub(super) const FIELDS: [&str; 5] = ["query", "response1", "response2", "human", "dataset"];

/// The pair on line `index` (0-based), which is the only id that the format has.
pub(super) fn pair(index: usize, row: &Row) -> Result<Pair, Fault> {
    let pair = Pair {
        index,
        id: None,
        query: row.text("query")?,
        response1: row.text("response1")?,
        response2: row.text("response2")?,
        label: Some(label(&row.text("human")?)?),
        dataset: row.text("dataset")?,
    };
    // After the required fields: a line with a mistyped name is better described by the name that is missing.
    match row.names().into_iter().find(|name| !FIELDS.contains(&name.as_str())) {
        Some(field) => Err(Fault::UnexpectedField {
            field,
            format: Format::Llmeval2,
            expected: &FIELDS,
        }),
        None => Ok(pair),
    }
}

fn label(name: &str) -> Result<Label, Fault> {
    match name {
        "model1" => Ok(Label::Model1),
        "model2" => Ok(Label::Model2),
        "TIE" => Ok(Label::Tie),
        other => Err(Fault::unknown_label(other, &["model1", "model2", "TIE"])),
    }
}
