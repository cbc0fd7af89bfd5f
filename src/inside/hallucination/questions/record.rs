//! JSON records of a file, each with the line on which it begins: the lines of JSONL, or the elements of one array.

use std::path::Path;

use serde_json::{Map, Value};

use super::QuestionsError;

/// One JSON object of a file.
#[derive(Debug, Clone)]
pub(super) struct Record<'p> {
    path: &'p Path,
    pub(super) line: usize,
    fields: Map<String, Value>,
}

/// The objects of a JSONL file or of a JSON array, in order.
pub(super) fn records<'p>(path: &'p Path, text: &str) -> Result<Vec<Record<'p>>, QuestionsError> {
    let pieces = if text.trim_start().starts_with('[') {
        elements(path, text)?
    } else {
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.filter(|(_, line)| !line.trim().is_empty()).collect()
    };
    pieces
        .into_iter()
        .map(|(line, piece)| Record::parse(path, line, piece))
        .collect()
}

/// The elements of the array that a text is, each with its line. Elements are told apart by their brackets, so that a mistake within one of them is
/// reported with that one's line.
fn elements<'t>(path: &Path, text: &'t str) -> Result<Vec<(usize, &'t str)>, QuestionsError> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    let (mut line, mut begun) = (1, None);
    let mut found = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'\n' {
            line += 1;
        }
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth == 2 {
                    begun = Some((line, at));
                }
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if let (1, Some((line, start))) = (depth, begun) {
                    found.push((line, &text[start..=at]));
                    begun = None;
                }
            }
            _ => {}
        }
    }
    if depth > 0 {
        let problem = "the array is not closed: the file is cut off or damaged";
        return Err(QuestionsError::line(path, line, problem));
    }
    Ok(found)
}

impl<'p> Record<'p> {
    fn parse(path: &'p Path, line: usize, text: &str) -> Result<Self, QuestionsError> {
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(Self { path, line, fields }),
            Ok(other) => Err(QuestionsError::line(
                path,
                line,
                format!("expected a JSON object, found {}", kind(&other)),
            )),
            Err(error) => Err(QuestionsError::line(path, line, format!("no valid JSON: {error}"))),
        }
    }

    /// A file says `{id: {…}}` on a line where others say `{"id": id, …}`: the id and what it stands for.
    pub(super) fn keyed(&self) -> Option<(&str, Self)> {
        let mut fields = self.fields.iter();
        match (fields.next(), fields.next()) {
            (Some((id, Value::Object(inner))), None) => Some((
                id,
                Self {
                    path: self.path,
                    line: self.line,
                    fields: inner.clone(),
                },
            )),
            _ => None,
        }
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    pub(super) fn names(&self) -> String {
        let names: Vec<String> = self.fields.keys().take(8).map(|name| format!("`{name}`")).collect();
        names.join(", ")
    }

    /// A field that is text and not blank.
    pub(super) fn text(&self, field: &str) -> Result<&str, QuestionsError> {
        match self.fields.get(field) {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
            Some(Value::String(_)) => Err(self.fault(format!("`{field}` is blank"))),
            Some(other) => Err(self.fault(format!("`{field}` is {}, and text is expected", kind(other)))),
            None => Err(self.fault(format!("there is no `{field}`"))),
        }
    }

    /// A field that is a list of texts.
    pub(super) fn texts(&self, field: &str) -> Result<Vec<String>, QuestionsError> {
        let Some(value) = self.fields.get(field) else {
            return Err(self.fault(format!("there is no `{field}`")));
        };
        let wrong = |found: &Value| {
            self.fault(format!(
                "`{field}` holds {}, and a list of texts is expected",
                kind(found)
            ))
        };
        let Value::Array(values) = value else {
            return Err(wrong(value));
        };
        values
            .iter()
            .map(|value| value.as_str().map(str::to_owned).ok_or_else(|| wrong(value)))
            .collect()
    }

    /// A text or a whole number, as an id may be.
    pub(super) fn id(&self, field: &str) -> Result<String, QuestionsError> {
        match self.fields.get(field) {
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => self.text(field).map(str::to_owned),
        }
    }

    pub(super) fn fault(&self, problem: impl Into<String>) -> QuestionsError {
        QuestionsError::line(self.path, self.line, problem)
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
