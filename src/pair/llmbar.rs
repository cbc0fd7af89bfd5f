//! LLMBar as published: one JSON array of `{input, output_1, output_2, label}`, no ties (arXiv 2310.07641).
//!
//! The array is walked item by item, so that a malformed item is reported on the line where it starts and can be left out.

use std::io::{self, BufRead};
use std::path::Path;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::input::{Input, skip_bom, without_bom};
use super::intake::{Entry, utf8};
use super::row::{Row, kind, not_json};
use super::{Fault, Label, Pair, ReadError};

/// The fields that are read.
pub(super) const FIELDS: [&str; 4] = ["input", "output_1", "output_2", "label"];

/// The items of the array.
pub(super) struct Items {
    pub walk: Walk<Input>,
    index: usize,
    at: At,
}

/// What comes next.
#[derive(PartialEq)]
enum At {
    Start,
    Item,
    End,
}

impl Items {
    pub fn new(mut input: Input) -> io::Result<Self> {
        skip_bom(&mut input)?;
        Ok(Self {
            walk: Walk::new(input),
            index: 0,
            at: At::Start,
        })
    }

    /// The next item. Broken JSON ends reading even where bad lines are skipped: no item can be found behind it.
    pub fn next(&mut self, path: &Path) -> Result<Option<Entry>, ReadError> {
        self.step().map_err(|stop| match stop {
            Stop::Io(source) => ReadError::open(path, source),
            Stop::Broken(line, fault) => ReadError::at(path, line, fault),
        })
    }

    fn step(&mut self) -> Result<Option<Entry>, Stop> {
        let walk = &mut self.walk;
        match self.at {
            At::End => return Ok(None),
            At::Item => {}
            At::Start => {
                match walk.next_byte()? {
                    Some(b'[') => walk.step(),
                    // Nothing at all: whoever asked says so.
                    None => return Ok(None),
                    _ => return Err(walk.stopped("expected `[`, the start of an array of items")),
                }
                self.at = At::Item;
                if walk.next_byte()? == Some(b']') {
                    return self.close();
                }
            }
        }
        if self.index > 0 {
            match walk.next_byte()? {
                Some(b',') => walk.step(),
                Some(b']') => return self.close(),
                _ => return Err(walk.stopped("expected `,` or `]` after an item")),
            }
        }
        walk.next_byte()?;
        let line = walk.line;
        let item = walk.item()?;
        let outcome = utf8(&item).and_then(Row::parse).and_then(|row| pair(self.index, &row));
        self.index += 1;
        Ok(Some(Entry { line, outcome }))
    }

    fn close(&mut self) -> Result<Option<Entry>, Stop> {
        self.walk.step();
        self.at = At::End;
        match self.walk.next_byte()? {
            Some(_) => Err(self.walk.stopped("text behind the array")),
            None => Ok(None),
        }
    }
}

/// The first item of an array, if `bytes` starts like one and that item is an object.
pub(super) fn first_item(bytes: &[u8]) -> Option<Row> {
    let mut walk = Walk::new(without_bom(bytes));
    if walk.next_byte().ok()?? != b'[' {
        return None;
    }
    walk.step();
    walk.next_byte().ok()?;
    Row::parse(utf8(&walk.item().ok()?).ok()?).ok()
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

/// Why the walk ends early.
enum Stop {
    Io(io::Error),
    /// The array is broken: on which line and how.
    Broken(usize, Fault),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A position in the array.
pub(super) struct Walk<R> {
    pub input: R,
    /// 1-based.
    line: usize,
    /// 1-based, in bytes.
    column: usize,
}

impl<R: BufRead> Walk<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            line: 1,
            column: 1,
        }
    }

    /// The array is broken here.
    fn stopped(&self, what: &str) -> Stop {
        let fault = Fault::NotJson {
            what: what.to_owned(),
            column: self.column,
        };
        Stop::Broken(self.line, fault)
    }

    /// The byte here.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.input.fill_buf()?.first().copied())
    }

    /// Steps over one byte, which [`peek`](Self::peek) has seen; no line end.
    fn step(&mut self) {
        self.input.consume(1);
        self.column += 1;
    }

    fn pass(&mut self, bytes: &[u8]) {
        let ends = bytes.split(|&byte| byte == b'\n').count() - 1;
        let last = bytes.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
        self.line += ends;
        self.column = last.len() + if ends == 0 { self.column } else { 1 };
    }

    /// Steps over white space; the byte that stands there.
    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(Some(byte));
            }
            self.input.consume(1);
            self.pass(&[byte]);
        }
        Ok(None)
    }

    /// Steps over one JSON value; its bytes.
    fn item(&mut self) -> Result<Vec<u8>, Stop> {
        let mut item = self.cut()?;
        if item.is_empty() && self.peek()?.is_none() {
            return Err(self.stopped("the array is never closed"));
        }
        // The parser tells a broken word from one that the text ends in by what follows it.
        let next = self.peek()?;
        let length = item.len();
        item.extend(next);
        let mut stream = serde_json::Deserializer::from_slice(&item).into_iter::<IgnoredAny>();
        if let Some(Err(error)) = stream.next() {
            return Err(Stop::Broken(self.line + error.line() - 1, not_json(&error)));
        }
        item.truncate(length);
        self.pass(&item);
        Ok(item)
    }

    /// The bytes up to where a JSON value that starts here would end: the bracket or quote that closes it, or what cannot belong to a
    /// word. Whether it is a value is for the parser to say.
    fn cut(&mut self) -> io::Result<Vec<u8>> {
        let mut item = Vec::new();
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Ok(item);
            }
            let mut used = 0;
            let mut done = false;
            for &byte in chunk {
                if quoted {
                    quoted = escaped || byte != b'"';
                    escaped = !escaped && byte == b'\\';
                    done = !quoted && depth == 0;
                } else {
                    match byte {
                        b'"' => quoted = true,
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' if depth > 0 => {
                            depth -= 1;
                            done = depth == 0;
                        }
                        b'}' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => {
                            self.input.consume(used);
                            return Ok(item);
                        }
                        _ => {}
                    }
                }
                used += 1;
                item.push(byte);
                if done {
                    break;
                }
            }
            self.input.consume(used);
            if done {
                return Ok(item);
            }
        }
    }
}
