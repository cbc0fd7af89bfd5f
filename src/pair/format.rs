//! The formats that can be read, their names, and telling them apart.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::fault::list;
use super::input::{Content, without_bom};
use super::intake::{holds_nothing, is_blank, lines, utf8};
use super::row::Row;
use super::{ReadError, csv, jsonl, judgebench, llmbar, llmeval2};

/// Bytes from which a format is told at first, and at most: the first entry may be long.
const FIRST_LOOK: usize = 64 << 10;
const LAST_LOOK: usize = FIRST_LOOK << 10;

/// A file format that [`read`](fn@super::read) understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// LLMEval² as published: JSON Lines with exactly `query`, `response1`, `response2`, `human` (`model1`, `model2`, `TIE`) and
    /// `dataset`. The index is the 0-based line.
    Llmeval2,
    /// FairEval as published: a directory with `question.jsonl`, `answer_*.jsonl` and `review_*_human.txt`; see
    /// [`faireval`](super::faireval).
    FairEval,
    /// JudgeBench as published: JSON Lines with `pair_id`, `source`, `question`, `response_A`, `response_B` and `label` (`A>B` or
    /// `B>A`). `dataset` is the source, for instance `mmlu-pro-law`; other fields are ignored.
    JudgeBench,
    /// LLMBar as published: one JSON array of objects with `input`, `output_1`, `output_2` and `label` (1 or 2). `dataset` is
    /// `llmbar`; other fields are ignored.
    LlmBar,
    /// Your own JSON Lines: `query`, `response1`, `response2`, and optionally `label` (or `human`), `dataset`, `id`.
    ///
    /// Labels, in any case: `model1`, `1` or `A` for the first response, `model2`, `2` or `B` for the second, `tie`; an absent,
    /// `null` or empty label is none. `dataset` defaults to `custom`; `id` is a string or an integer. Other fields are ignored.
    Jsonl,
    /// Your own CSV: a header line with the same names as [`Format::Jsonl`], in any order; commas, double quotes, UTF-8. Empty
    /// cells of `label`, `dataset` and `id` count as absent. Other columns are ignored.
    Csv,
}

impl Format {
    /// All formats, published ones first.
    pub const ALL: [Format; 6] = [
        Format::Llmeval2,
        Format::FairEval,
        Format::JudgeBench,
        Format::LlmBar,
        Format::Jsonl,
        Format::Csv,
    ];

    /// The name used on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Llmeval2 => "llmeval2",
            Format::FairEval => "faireval",
            Format::JudgeBench => "judgebench",
            Format::LlmBar => "llmbar",
            Format::Jsonl => "jsonl",
            Format::Csv => "csv",
        }
    }

    /// Tells the format of a file or directory from its content; only CSV is also known by its extension.
    ///
    /// An object with exactly LLMEval²'s five fields is LLMEval², one with more is [`Format::Jsonl`].
    pub fn detect(path: &Path) -> Result<Self, ReadError> {
        if path.is_dir() {
            return Self::of_directory(path);
        }
        Self::of_content(path, &Content::at(path)?)
    }

    /// As [`Format::detect`], from the beginning of a file: as much of it as it takes to tell.
    pub(super) fn of_content(path: &Path, content: &Content) -> Result<Self, ReadError> {
        let mut length = FIRST_LOOK;
        loop {
            let head = content.head(length).map_err(|source| ReadError::open(path, source))?;
            match Self::of_head(path, &head) {
                Err(_) if head.len() == length && length < LAST_LOOK => length *= 4,
                told => return told,
            }
        }
    }

    fn of_head(path: &Path, bytes: &[u8]) -> Result<Self, ReadError> {
        if holds_nothing(bytes) {
            return Err(ReadError::Empty { path: path.to_owned() });
        }
        if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
        {
            return Ok(Format::Csv);
        }
        let seen = match first_sight(bytes) {
            Sight::Table => return Ok(Format::Csv),
            Sight::Array(row) if row.has(&llmbar::FIELDS) => return Ok(Format::LlmBar),
            Sight::Array(row) => format!("a JSON array whose first item has the fields {}", list(&row.names())),
            Sight::Object(row) if row.has(&judgebench::FIELDS) => return Ok(Format::JudgeBench),
            Sight::Object(row) if row.has(&llmeval2::FIELDS) && row.names().len() == llmeval2::FIELDS.len() => {
                return Ok(Format::Llmeval2);
            }
            Sight::Object(row) if row.has(&jsonl::REQUIRED) => return Ok(Format::Jsonl),
            Sight::Object(row) if row.has(&["question_id", "text"]) => {
                "one file of FairEval; give its directory instead".to_owned()
            }
            Sight::Object(row) => format!("JSON objects with the fields {}", list(&row.names())),
            Sight::Other(seen) => seen,
        };
        Err(ReadError::Unrecognised {
            path: path.to_owned(),
            seen,
        })
    }

    fn of_directory(path: &Path) -> Result<Self, ReadError> {
        if super::faireval::Files::in_dir(path).is_ok() || path.join("question.jsonl").is_file() {
            return Ok(Format::FairEval);
        }
        let open = |source| ReadError::Open {
            path: path.to_owned(),
            source,
        };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(open)? {
            names.push(entry.map_err(open)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        let more = if names.len() > 5 {
            format!(" and {} more", names.len() - 5)
        } else {
            String::new()
        };
        names.truncate(5);
        let seen = format!("a directory without `question.jsonl` ({}{more})", list(&names));
        Err(ReadError::Unrecognised {
            path: path.to_owned(),
            seen,
        })
    }
}

/// What a file looks like at first sight.
enum Sight {
    /// The first line that is a JSON object.
    Object(Row),
    /// The first item of a JSON array.
    Array(Row),
    /// A CSV header.
    Table,
    /// Anything else, in words.
    Other(String),
}

fn first_sight(bytes: &[u8]) -> Sight {
    match bytes {
        [b'P', b'K', 3, 4, ..] => return Sight::Other("a ZIP archive; unpack it first".to_owned()),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            return Sight::Other("UTF-16 text; save it as UTF-8".to_owned());
        }
        _ => {}
    }
    if let Some(row) = llmbar::first_item(bytes) {
        return Sight::Array(row);
    }
    // A damaged first line must not hide what the file is: it is reported, or skipped, when the file is read.
    let objects = lines(bytes)
        .take(100)
        .filter_map(|line| Row::parse(utf8(line).ok()?).ok());
    if let Some(row) = objects.into_iter().next() {
        return Sight::Object(row);
    }
    if csv::has_header(without_bom(bytes)) {
        return Sight::Table;
    }
    let first = lines(bytes).find(|line| !is_blank(line)).unwrap_or_default();
    Sight::Other(match utf8(first) {
        Ok(text) if text.contains('\0') => "binary data".to_owned(),
        Ok(text) => format!("text that starts with `{}`", text.chars().take(40).collect::<String>()),
        Err(_) => "binary data or text that is not UTF-8".to_owned(),
    })
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A format name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{name}`; known: {}", list(&Format::ALL.map(Format::name)))]
pub struct UnknownFormat {
    /// The name as given.
    pub name: String,
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Format::ALL
            .into_iter()
            .find(|format| format.name().eq_ignore_ascii_case(name));
        known.ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn seen(path: &str, content: &str) -> Result<Format, String> {
        Format::of_content(Path::new(path), &Content::Held(content.as_bytes().into()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_name_reads_back_in_any_case() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
            assert_eq!(format.name().to_uppercase().parse(), Ok(format));
        }
        insta::assert_snapshot!("excel".parse::<Format>().unwrap_err(), @"unknown format `excel`; known: `llmeval2`, `faireval`, `judgebench`, `llmbar`, `jsonl`, `csv`");
    }

    #[test]
    fn formats_are_told_apart_by_their_fields() {
        let own = r#"{"query":"","response1":"","response2":""}"#;
        let llmeval2 = r#"{"query":"","response1":"","response2":"","human":"TIE","dataset":"d"}"#;
        let more = r#"{"id":1,"query":"","response1":"","response2":"","human":"TIE","dataset":"d"}"#;
        let judgebench =
            r#"{"pair_id":"","original_id":"","source":"","question":"","response_A":"","response_B":"","label":""}"#;
        assert_eq!(seen("a", own), Ok(Format::Jsonl));
        assert_eq!(seen("a", llmeval2), Ok(Format::Llmeval2));
        assert_eq!(seen("a", more), Ok(Format::Jsonl));
        assert_eq!(seen("a", judgebench), Ok(Format::JudgeBench));
        assert_eq!(
            seen(
                "a",
                "\n [ {\"input\":\"\",\"output_1\":\"\",\"output_2\":\"\",\"label\":1}]"
            ),
            Ok(Format::LlmBar)
        );
        assert_eq!(seen("a.CSV", "anything"), Ok(Format::Csv));
        assert_eq!(seen("a", "id,response2,query,response1\n"), Ok(Format::Csv));
        assert_eq!(
            seen("a", &format!("\u{feff}{{broken\n\n{llmeval2}\n")),
            Ok(Format::Llmeval2)
        );
    }

    #[test]
    fn an_unknown_format_is_described_and_the_way_out_named() {
        insta::assert_snapshot!(seen("a.jsonl", r#"{"prompt":"","chosen":""}"#).unwrap_err(), @"cannot tell the format of `a.jsonl`: it holds JSON objects with the fields `prompt`, `chosen`; name it with `--format` (`llmeval2`, `faireval`, `judgebench`, `llmbar`, `jsonl`, `csv`)");
        for (content, what) in [
            ("\n \n", "`a` is empty"),
            ("PK\u{3}\u{4}", "a ZIP archive; unpack it first"),
            (
                "[{\"instruction\":1}]",
                "a JSON array whose first item has the fields `instruction`",
            ),
            (
                "{\"question_id\":1,\"text\":\"\"}",
                "one file of FairEval; give its directory instead",
            ),
            ("Dear judge,\n", "text that starts with `Dear judge,`"),
        ] {
            let message = seen("a", content).unwrap_err();
            assert!(message.contains(what), "{message}");
        }
    }
}
