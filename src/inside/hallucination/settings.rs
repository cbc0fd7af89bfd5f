//! What a collection is of.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::balance::Balance;
use super::consistency::Consistency;
use super::judge::Matching;
use super::rule::{ModelId, RegionRule};
use super::sampling::Draws;
use super::style::Style;
use crate::chat::Identity;

/// What a collection is of. It is frozen when the folder is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The model.
    pub model: ModelId,
    /// BLAKE3 of the questions, or of the file that the answers were read from.
    pub questions: String,
    /// Names of the sets.
    pub sets: Vec<String>,
    /// How questions are put.
    pub style: Style,
    /// How answers are drawn; nothing where they were read from a file.
    pub draws: Option<Draws>,
    /// How answers are judged where their set does not say.
    pub matching: Matching,
    /// The model that judges in place of the rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Identity>,
    /// The model that marks answers in place of the rule for spans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extractor: Option<Identity>,
    /// Which questions are kept.
    pub consistency: Consistency,
    /// How many of them are read.
    pub balance: Balance,
    /// Which tokens are read, and how.
    pub rule: RegionRule,
}

impl Settings {
    /// Which settings differ, in words.
    pub(super) fn difference(&self, new: &Self) -> Option<String> {
        // By way of text, in which a temperature of 0.7 is 0.7 and not the double nearest to its single-precision number.
        let fields = |settings: &Settings| -> serde_json::Map<String, serde_json::Value> {
            let mut settings = settings.clone();
            // The same file under another name.
            settings.model.name.clear();
            let text = serde_json::to_string(&settings).unwrap_or_default();
            serde_json::from_str(&text).unwrap_or_default()
        };
        let (old, new) = (fields(self), fields(new));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let value = |fields: &serde_json::Map<String, serde_json::Value>, name: &String| {
            fields.get(name).map_or_else(|| "unset".to_owned(), ToString::to_string)
        };
        let differs: Vec<String> = names
            .into_iter()
            .filter(|&name| old.get(name) != new.get(name))
            .map(|name| format!("`{name}` was {} and is {}", value(&old, name), value(&new, name)))
            .collect();
        (!differs.is_empty()).then(|| differs.join(", "))
    }
}
