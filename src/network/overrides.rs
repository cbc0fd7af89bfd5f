//! `--set path=value`: changes to a network's TOML before it is read.

use super::spec::{NetworkError, Stop};

/// Deepest network that `layers=N` makes.
const DEEPEST: usize = 16;

/// Applies `path.to.key=value` texts, in their order but for `roles.source` and `stop`, which come first: their values go with different keys,
/// so the one starts the table `[roles]` afresh, and the other drops `[sequential]` where that is not the rule.
pub(super) fn apply(table: &mut toml::Table, overrides: &[String]) -> Result<(), NetworkError> {
    let mut assignments = Vec::new();
    for text in overrides {
        let fault = |what: &str| NetworkError::Override {
            text: text.clone(),
            what: what.to_owned(),
        };
        let (path, value) = text
            .split_once('=')
            .ok_or_else(|| fault("write it as `key=value`, for example `reply.evidence_tokens=64`"))?;
        let path: Vec<&str> = path.split('.').map(str::trim).collect();
        if path.iter().any(|key| key.is_empty()) {
            return Err(fault(
                "a key is empty: write it as `key=value`, for example `reply.evidence_tokens=64`",
            ));
        }
        assignments.push((text, path, parse_value(value.trim())));
    }
    // Stable: everything else keeps its order.
    assignments.sort_by_key(|(_, path, _)| !matches!(path.as_slice(), ["roles", "source"] | ["stop"]));
    for (text, path, value) in assignments {
        assign(table, &path, value).map_err(|what| NetworkError::Override {
            text: text.clone(),
            what,
        })?;
    }
    Ok(())
}

fn assign(table: &mut toml::Table, path: &[&str], value: toml::Value) -> Result<(), String> {
    match path {
        ["layers"] => set_depth(table, &value),
        ["layers", ..] => Err(
            "single layers cannot be set: `layers=N` sets the depth, everything else is up to the network's file"
                .into(),
        ),
        ["roles", "source"] => {
            let fresh = toml::Table::from_iter([("source".to_owned(), value)]);
            table.insert("roles".to_owned(), toml::Value::Table(fresh));
            Ok(())
        }
        ["stop"] => {
            if value.as_str() != Some(Stop::Sequential.name()) {
                table.remove("sequential");
            }
            table.insert("stop".to_owned(), value);
            Ok(())
        }
        [key] => {
            table.insert((*key).to_owned(), value);
            Ok(())
        }
        [key, rest @ ..] => {
            let below = table
                .entry(*key)
                .or_insert_with(|| toml::Value::Table(toml::Table::new()));
            let below = below
                .as_table_mut()
                .ok_or_else(|| format!("`{key}` is a value, not a table with keys of its own"))?;
            assign(below, rest, value)
        }
        [] => Ok(()),
    }
}

/// A TOML value, or a bare word as a string.
fn parse_value(text: &str) -> toml::Value {
    toml::from_str::<toml::Table>(&format!("value = {text}"))
        .ok()
        // More than one key: the text has lines of its own, and is no value.
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

fn set_depth(table: &mut toml::Table, value: &toml::Value) -> Result<(), String> {
    let depth = value
        .as_integer()
        .and_then(|n| usize::try_from(n).ok())
        .filter(|n| (1..=DEEPEST).contains(n))
        .ok_or_else(|| format!("the depth is a whole number from 1 to {DEEPEST}"))?;
    let layers = table
        .get_mut("layers")
        .and_then(toml::Value::as_array_mut)
        .ok_or("the network has no layers")?;
    let deepest = layers
        .last()
        .cloned()
        .unwrap_or_else(|| toml::Value::Table(toml::Table::new()));
    layers.resize(depth, deepest);
    Ok(())
}
