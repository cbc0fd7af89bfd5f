//! The stages of a network.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A stage of the network. Written `roles`, `layer1`, `layer2` …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Stage {
    /// Role generation.
    Roles,
    /// A layer, 0-based: `Layer(0)` is the one written `layer1`.
    Layer(usize),
}

impl Stage {
    /// The stage of a request's origin: 0 is role generation, 1 the first layer.
    pub fn numbered(stage: u32) -> Self {
        match stage.checked_sub(1) {
            None => Self::Roles,
            Some(layer) => Self::Layer(layer as usize),
        }
    }
}

/// A text that names no [`Stage`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no stage of a network: write `roles`, or `layer1` and upwards")]
pub struct StageError {
    /// The text.
    pub text: String,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roles => f.pad("roles"),
            Self::Layer(layer) => f.pad(&format!("layer{}", layer + 1)),
        }
    }
}

impl FromStr for Stage {
    type Err = StageError;

    fn from_str(text: &str) -> Result<Self, StageError> {
        if text == "roles" {
            return Ok(Self::Roles);
        }
        text.strip_prefix("layer")
            .and_then(|number| number.parse::<usize>().ok()?.checked_sub(1))
            .map(Self::Layer)
            .ok_or_else(|| StageError { text: text.to_owned() })
    }
}

impl From<Stage> for String {
    fn from(stage: Stage) -> Self {
        stage.to_string()
    }
}

impl TryFrom<String> for Stage {
    type Error = StageError;

    fn try_from(text: String) -> Result<Self, StageError> {
        text.parse()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_read_as_it_is_written_and_nothing_else_is() {
        for (stage, text) in [
            (Stage::Roles, "roles"),
            (Stage::Layer(0), "layer1"),
            (Stage::Layer(11), "layer12"),
        ] {
            assert_eq!((stage.to_string().as_str(), text.parse().unwrap()), (text, stage));
        }
        for text in ["layer0", "layer", "Roles", "layer-1", ""] {
            assert!(text.parse::<Stage>().is_err(), "{text}");
        }
        assert_eq!(Stage::numbered(0), Stage::Roles);
        assert_eq!(Stage::numbered(2), Stage::Layer(1));
    }
}
