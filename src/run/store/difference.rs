//! Whether two runs are of the same.

use crate::run::RunConfig;

/// Which parts of two configurations differ, in words; the program's version may.
pub(super) fn difference(old: &RunConfig, new: &RunConfig) -> Option<String> {
    let parts = |config: &RunConfig| {
        // By way of text, in which a temperature of 0.7 is 0.7 and not the double nearest to its single-precision number.
        let text = serde_json::to_string(config).unwrap_or_default();
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(map) = value.as_object_mut() {
            map.remove("widedeep");
        }
        // The hash of what was read says which data it is; where the file lies may change.
        if let Some(map) = value.get_mut("data").and_then(serde_json::Value::as_object_mut) {
            map.remove("path");
        }
        let mut flat = Vec::new();
        flatten("", &value, &mut flat);
        flat
    };
    let (old, new) = (parts(old), parts(new));
    let mut differs: Vec<String> = Vec::new();
    for (path, value) in &old {
        match new.iter().find(|(other, _)| other == path) {
            Some((_, other)) if other == value => {}
            Some((_, other)) => differs.push(format!("`{path}` was {value} and is {other}")),
            None => differs.push(format!("`{path}` was {value} and is unset")),
        }
    }
    for (path, value) in &new {
        if !old.iter().any(|(other, _)| other == path) {
            differs.push(format!("`{path}` was unset and is {value}"));
        }
    }
    (!differs.is_empty()).then(|| differs.join(", "))
}

fn flatten(path: &str, value: &serde_json::Value, into: &mut Vec<(String, String)>) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        serde_json::Value::Object(map) => map.iter().for_each(|(key, value)| flatten(&below(key), value, into)),
        serde_json::Value::Array(values) => {
            values
                .iter()
                .enumerate()
                .for_each(|(i, value)| flatten(&below(&i.to_string()), value, into));
        }
        // As good as absent: an option that was not given.
        serde_json::Value::Null => {}
        other => into.push((path.to_owned(), other.to_string())),
    }
}
