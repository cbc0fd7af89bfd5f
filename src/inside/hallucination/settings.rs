//! What a collection is of.

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
    /// What must be the same to go on: the same file may have another name.
    pub(super) fn comparable(&self) -> Self {
        let mut settings = self.clone();
        settings.model.name.clear();
        settings
    }
}
