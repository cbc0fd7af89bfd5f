//! JudgeBench as published: JSON Lines with one objectively correct response per pair, hence no ties (arXiv 2410.12784).

use super::row::Row;
use super::{Fault, Label, Pair};

/// The fields that are read; the published lines have more.
pub(super) const FIELDS: [&str; 6] = ["pair_id", "source", "question", "response_A", "response_B", "label"];

/// The pair on line `index` (0-based); its `source` becomes the dataset.
pub(super) fn pair(index: usize, row: &Row) -> Result<Pair, Fault> {
    Ok(Pair {
        index,
        id: Some(row.id("pair_id")?),
        query: row.text("question")?,
        response1: row.text("response_A")?,
        response2: row.text("response_B")?,
        label: Some(match row.text("label")?.as_str() {
            "A>B" => Label::Model1,
            "B>A" => Label::Model2,
            other => return Err(Fault::unknown_label(other, &["A>B", "B>A"])),
        }),
        dataset: row.text("source")?,
    })
}
