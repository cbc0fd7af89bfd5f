//! What can go wrong while reading weights.

use std::path::PathBuf;

/// Failures to read a GGUF file's weights.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file cannot be opened.
    #[error("failed to open the model file `{path}`: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The header cannot be read.
    #[error("failed to read the header of `{path}`: {reason}; the file is no GGUF file, or damaged: download it again")]
    Header {
        /// The file.
        path: PathBuf,
        /// ggml's complaint.
        reason: String,
    },
    /// The files of a model in several files do not fit together.
    #[error("`{path}` is one of several files of a model: {problem}")]
    Shards {
        /// The file that was given.
        path: PathBuf,
        /// What does not fit, and what to do.
        problem: String,
    },
    /// The header lacks a field.
    #[error("the header of `{path}` has no usable field `{key}`; convert the model anew with a current converter")]
    NoField {
        /// The file.
        path: PathBuf,
        /// The field.
        key: String,
    },
    /// The file lacks a tensor.
    #[error("`{path}` has no tensor `{name}`{}", hint(similar))]
    NoTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Tensors of the same layer or with a similar name.
        similar: Vec<String>,
    },
    /// A layer's FFN is a mixture of experts.
    #[error(
        "layer {layer} of `{path}` has no tensor `blk.{layer}.ffn_down.weight` but `{tensor}`: its FFN is a mixture of experts, whose units are not read; take a model with dense layers"
    )]
    Experts {
        /// The file.
        path: PathBuf,
        /// The layer.
        layer: usize,
        /// The tensor that it has instead.
        tensor: String,
    },
    /// The layers' FFNs are not alike.
    #[error(
        "`blk.{layer}.ffn_down.weight` of `{path}` has {found} columns, but the layers before it {expected}: models whose layers differ in width are not read"
    )]
    Uneven {
        /// The file.
        path: PathBuf,
        /// The layer.
        layer: usize,
        /// Its units.
        found: usize,
        /// Units of the first layer.
        expected: usize,
    },
    /// Rows beyond the tensor's end were asked for.
    #[error("rows {from}..{to} of `{name}` were asked for, which has {rows}")]
    Rows {
        /// The tensor.
        name: String,
        /// First row.
        from: usize,
        /// Row after the last.
        to: usize,
        /// Rows that there are.
        rows: usize,
    },
    /// The tensor's bytes cannot be read.
    #[error(
        "failed to read `{name}` from `{path}`: {source}; if the file is shorter than it should be, download it again"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// ggml has no conversion from the tensor's number format.
    #[error("`{name}` of `{path}` is stored as `{format}`, which ggml does not convert to numbers")]
    Format {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its format.
        format: String,
    },
}

fn hint(similar: &[String]) -> String {
    if similar.is_empty() {
        return "; it has none with a similar name".to_owned();
    }
    let quoted: Vec<String> = similar.iter().map(|name| format!("`{name}`")).collect();
    format!("; similar ones are {}", quoted.join(", "))
}

/// The names nearest to one that is missing.
pub(super) fn similar<'a>(name: &str, names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut scored: Vec<(f64, &String)> = names
        .map(|other| (strsim::normalized_levenshtein(name, other), other))
        .filter(|(score, _)| *score > 0.6)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.into_iter().take(4).map(|(_, name)| name.clone()).collect()
}
