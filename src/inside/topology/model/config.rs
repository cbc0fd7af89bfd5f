//! What `config.json` says of a checkpoint.

use std::path::Path;

use super::OpenError;
use crate::inside::topology::decoder::{Heads, Wiring};

/// What matters here of a checkpoint's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// `model_type`, such as `llama` or `gpt_neox`.
    pub model_type: String,
    /// Query and key/value heads.
    pub heads: Heads,
    /// How attention and FFN follow one another.
    pub wiring: Wiring,
}

/// Model types of which attention and FFN read the same stream.
const PARALLEL: [&str; 2] = ["cohere", "cohere2"];

impl Configuration {
    /// Reads `config.json`.
    pub(super) fn read(path: &Path) -> Result<Self, OpenError> {
        let wrong = |reason: String| OpenError::Configuration {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read(path).map_err(|error| wrong(format!("cannot be read ({error})")))?;
        let all: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| wrong(format!("is not JSON ({error})")))?;
        // Models for text and images keep what concerns text one level deeper.
        let of_text = if all["text_config"].is_object() {
            &all["text_config"]
        } else {
            &all
        };
        let number = |key: &str| of_text[key].as_u64().and_then(|number| usize::try_from(number).ok());
        let query = number("num_attention_heads").filter(|count| *count > 0);
        let query = query.ok_or_else(|| wrong("has no `num_attention_heads`".to_owned()))?;
        let of_type = |value: &serde_json::Value| value["model_type"].as_str().map(str::to_owned);
        let model_type = of_type(of_text).or_else(|| of_type(&all));
        let model_type = model_type.ok_or_else(|| wrong("has no `model_type`".to_owned()))?;
        let parallel = match of_text["use_parallel_residual"].as_bool() {
            Some(parallel) => parallel,
            // The default of GPT-NeoX.
            None => model_type == "gpt_neox" || PARALLEL.contains(&model_type.as_str()),
        };
        Ok(Self {
            model_type,
            heads: Heads {
                query,
                key_value: number("num_key_value_heads").unwrap_or(query),
            },
            wiring: if parallel { Wiring::Parallel } else { Wiring::Sequential },
        })
    }

    /// Whether gains of norms are stored as their distance from 1 (Gemma): conversion to GGUF adds the 1.
    pub(super) fn gains_from_one(&self) -> bool {
        ["gemma", "gemma2", "gemma3", "gemma3_text"].contains(&self.model_type.as_str())
    }
}
