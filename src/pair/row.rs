//! One JSON object with its fields in file order, taken apart field by field with errors that name the field.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::Fault;

/// The fields of one JSON object. serde's derive would stop at the first surprise with a message about Rust types; this keeps what
/// was there, so that a fault can say it.
#[derive(Debug, Default)]
pub(super) struct Row {
    fields: Vec<(String, Value)>,
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Row;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut row = Row::default();
                while let Some(field) = map.next_entry()? {
                    row.fields.push(field);
                }
                Ok(row)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl Row {
    /// Reads one object; the text must hold nothing else.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let row: Row = serde_json::from_str(text).map_err(|error| match serde_json::from_str::<Value>(text) {
            Ok(value) => Fault::NotObject { found: kind(&value) },
            Err(_) => not_json(&error),
        })?;
        for (i, (name, _)) in row.fields.iter().enumerate() {
            if row.fields[..i].iter().any(|(earlier, _)| earlier == name) {
                return Err(Fault::RepeatedField { field: name.clone() });
            }
        }
        Ok(row)
    }

    /// Field names in file order.
    pub fn names(&self) -> Vec<String> {
        self.fields.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Whether all of the names are there.
    pub fn has(&self, names: &[&str]) -> bool {
        names
            .iter()
            .all(|name| self.fields.iter().any(|(there, _)| there == name))
    }

    /// The value of a field that may be absent; `null` counts as absent.
    pub fn optional(&self, field: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find(|(name, value)| name == field && !value.is_null())
            .map(|(_, value)| value)
    }

    /// The value of a required field.
    pub fn value(&self, field: &'static str) -> Result<&Value, Fault> {
        let found = self
            .fields
            .iter()
            .find(|(name, _)| name == field)
            .map(|(_, value)| value);
        found.ok_or_else(|| Fault::MissingField {
            field,
            present: self.names(),
        })
    }

    /// The text of a required string field, exactly as it stands there.
    pub fn text(&self, field: &'static str) -> Result<String, Fault> {
        text_of(field, self.value(field)?)
    }

    /// The text of a string field that may be absent.
    pub fn optional_text(&self, field: &'static str) -> Result<Option<String>, Fault> {
        self.optional(field).map(|value| text_of(field, value)).transpose()
    }

    /// An id: a string or an integer.
    pub fn id(&self, field: &'static str) -> Result<String, Fault> {
        id_of(field, self.value(field)?)
    }

    /// An id that may be absent.
    pub fn optional_id(&self, field: &'static str) -> Result<Option<String>, Fault> {
        self.optional(field).map(|value| id_of(field, value)).transpose()
    }
}

fn text_of(field: &'static str, value: &Value) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(Fault::WrongType {
            field,
            found: kind(other),
            expected: "a string",
        }),
    }
}

fn id_of(field: &'static str, value: &Value) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) if !number.is_f64() => Ok(number.to_string()),
        other => Err(Fault::WrongType {
            field,
            found: kind(other),
            expected: "a string or an integer",
        }),
    }
}

/// The kind of a JSON value, with its article.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fractional number",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The parser's message without its own "at line 1 column 7": the line of the file is known better, the column is a field.
pub(super) fn not_json(error: &serde_json::Error) -> Fault {
    let full = error.to_string();
    let what = full.rsplit_once(" at line ").map_or(full.as_str(), |(what, _)| what);
    Fault::NotJson {
        what: what.to_owned(),
        column: error.column(),
    }
}
