//! LLMBar as published: one JSON array of `{input, output_1, output_2, label}`, no ties (arXiv 2310.07641).
//!
//! The array is walked item by item, so that a malformed item is reported on the line where it starts and can be left out.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::intake::{Intake, LineCounter, utf8, without_bom};
use super::row::{Row, kind, not_json};
use super::{Fault, Label, Pair, ReadError};

/// The fields that are read.
pub(super) const FIELDS: [&str; 4] = ["input", "output_1", "output_2", "label"];

/// Reads the array into `intake`. Broken JSON ends reading even where bad lines are skipped: no item can be found behind it.
pub(super) fn read(bytes: &[u8], intake: &mut Intake) -> Result<(), ReadError> {
    let mut walk = Walk::new(bytes);
    if walk.next_byte() != Some(b'[') {
        return Err(walk.stopped(intake, "expected `[`, the start of an array of items"));
    }
    walk.at += 1;
    for index in 0.. {
        if index == 0 && walk.next_byte() == Some(b']') {
            break;
        }
        walk.next_byte();
        let line = walk.line();
        let item = match walk.item() {
            Ok(item) => item,
            Err((line, fault)) => return Err(intake.fatal(line, fault)),
        };
        intake.put(line, utf8(item).and_then(Row::parse).and_then(|row| pair(index, &row)))?;
        match walk.next_byte() {
            Some(b',') => walk.at += 1,
            Some(b']') => break,
            _ => {
                return Err(walk.stopped(intake, "expected `,` or `]` after an item"));
            }
        }
    }
    walk.at += 1;
    if walk.next_byte().is_some() {
        return Err(walk.stopped(intake, "text behind the array"));
    }
    Ok(())
}

/// The first item of an array, if `bytes` starts like one and that item is an object.
pub(super) fn first_item(bytes: &[u8]) -> Option<Row> {
    let mut walk = Walk::new(bytes);
    if walk.next_byte()? != b'[' {
        return None;
    }
    walk.at += 1;
    walk.next_byte();
    Row::parse(utf8(walk.item().ok()?).ok()?).ok()
}

fn pair(index: usize, row: &Row) -> Result<Pair, Fault> {
    Ok(Pair {
        index,
        id: None,
        query: row.text("input")?,
        response1: row.text("output_1")?,
        response2: row.text("output_2")?,
        label: Some(label(row.value("label")?)?),
        dataset: "llmbar".to_owned(),
    })
}

fn label(value: &Value) -> Result<Label, Fault> {
    let name = match value {
        Value::String(name) => name.clone(),
        Value::Number(number) => number.to_string(),
        other => {
            return Err(Fault::WrongType {
                field: "label",
                found: kind(other),
                expected: "1 or 2",
            });
        }
    };
    match name.as_str() {
        "1" => Ok(Label::Model1),
        "2" => Ok(Label::Model2),
        other => Err(Fault::unknown_label(other, &["1", "2"])),
    }
}

/// A position in the array.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    lines: LineCounter,
}

impl<'a> Walk<'a> {
    /// The array is broken here.
    fn stopped(&mut self, intake: &Intake, what: &str) -> ReadError {
        let fault = Fault::NotJson {
            what: what.to_owned(),
            column: self.column(),
        };
        intake.fatal(self.line(), fault)
    }

    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: without_bom(bytes),
            at: 0,
            lines: LineCounter::default(),
        }
    }

    /// Steps over white space; the byte that stands there.
    fn next_byte(&mut self) -> Option<u8> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
            .count();
        self.bytes.get(self.at).copied()
    }

    /// Steps over one JSON value; its bytes, or the line and fault.
    fn item(&mut self) -> Result<&'a [u8], (usize, Fault)> {
        let rest = &self.bytes[self.at..];
        let mut stream = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        match stream.next() {
            Some(Ok(IgnoredAny)) => {
                let item = &rest[..stream.byte_offset()];
                self.at += item.len();
                Ok(item)
            }
            Some(Err(error)) => Err((self.line() + error.line() - 1, not_json(&error))),
            None => Err((
                self.line(),
                Fault::NotJson {
                    what: "the array is never closed".to_owned(),
                    column: self.column(),
                },
            )),
        }
    }

    /// 1-based line of the position.
    fn line(&mut self) -> usize {
        self.lines.at(self.at.min(self.bytes.len()), self.bytes)
    }

    /// 1-based column of the position, in bytes.
    fn column(&self) -> usize {
        let before = &self.bytes[..self.at.min(self.bytes.len())];
        before.len() - before.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1) + 1
    }
}
