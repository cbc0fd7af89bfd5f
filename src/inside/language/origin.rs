//! What a set of counts was made from: the model, the text and the counting rule.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rule::Rule;

/// The provenance of counts. Counts may be added up only where everything but the text agrees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The model's name, or its file's.
    pub model: String,
    /// A hash of the model's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_hash: Option<String>,
    /// The architecture that the file names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The quantisation that the file names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantisation: Option<String>,
    /// Which positions were counted. Absent where the counts come from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// Per language the hashes of the texts that were counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<String, Vec<String>>,
    /// The program that counted, with its version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub program: String,
}

impl Origin {
    /// The first field, if any, in which two origins differ and whose difference forbids adding their counts up.
    pub(super) fn differs(&self, other: &Self) -> Option<&'static str> {
        if self.model != other.model {
            Some("model")
        } else if self.model_hash != other.model_hash {
            Some("model_hash")
        } else if self.architecture != other.architecture {
            Some("architecture")
        } else if self.quantisation != other.quantisation {
            Some("quantisation")
        } else if self.rule != other.rule {
            Some("rule")
        } else if self.program != other.program {
            Some("program")
        } else {
            None
        }
    }

    /// A language and the hash of a text of it that both origins list.
    pub(super) fn common_text<'a>(&'a self, other: &Self) -> Option<(&'a str, &'a str)> {
        self.texts.iter().find_map(|(language, hashes)| {
            let others = other.texts.get(language)?;
            let hash = hashes.iter().find(|hash| others.contains(hash))?;
            Some((language.as_str(), hash.as_str()))
        })
    }
}
