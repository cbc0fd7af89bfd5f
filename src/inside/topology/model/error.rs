//! Why a model cannot be opened.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::inside::topology::decoder::DecoderError;
use crate::llama::WeightsError;

/// Models that cannot be opened, or not for what is asked.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A GGUF file that cannot be read.
    #[error(transparent)]
    Gguf(#[from] WeightsError),
    /// A file that cannot be read.
    #[error("could not read `{path}`: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A folder without checkpoint.
    #[error(
        "there is no `.safetensors` file in `{path}`; give a GGUF file, a `.safetensors` file or the folder of a checkpoint"
    )]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is no safetensors file, or a part of one.
    #[error("`{path}` is not a whole safetensors file: {reason}; fetch it again")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No usable `config.json`.
    #[error(
        "`{path}` {reason}; a checkpoint needs the model's `config.json` beside its weights, which says how many heads it has"
    )]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Numbers of another kind.
    #[error(
        "`{tensor}` in `{path}` holds {kind} numbers; only F32, F16 and BF16 are read, so convert the checkpoint to one of them"
    )]
    Kind {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its kind of number.
        kind: String,
    },
    /// Names of another family.
    #[error(
        "no tensor of `{path}` is named like a block of a llama-, gemma-, qwen-, phi- or GPT-NeoX-style model (such as `model.layers.0.mlp.down_proj.weight` or `gpt_neox.layers.0.mlp.dense_4h_to_h.weight`)"
    )]
    Family {
        /// What was opened.
        path: PathBuf,
    },
    /// A fused tensor that does not divide into heads.
    #[error(
        "`{tensor}` of `{path}` has {rows} rows, which do not divide into queries, keys and values of {heads} heads; check `num_attention_heads` in `config.json`"
    )]
    Indivisible {
        /// What was opened.
        path: PathBuf,
        /// The fused tensor.
        tensor: String,
        /// Its rows.
        rows: usize,
        /// Heads.
        heads: usize,
    },
    /// Experts that are missing or unlike each other.
    #[error(
        "the experts of `{tensor}` in `{path}` are not all there or not alike; the checkpoint may be one of several files, so give their folder"
    )]
    Experts {
        /// What was opened.
        path: PathBuf,
        /// The stacked tensor's name in GGUF.
        tensor: String,
    },
    /// A header without what is needed.
    #[error("`{path}` gives `{key}` as a list, one number per block; topology reads models whose blocks are alike")]
    PerBlock {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// Tensors that make no decoder.
    #[error("`{path}`: {cause}")]
    Decoder {
        /// What was opened.
        path: PathBuf,
        /// Why not.
        cause: DecoderError,
    },
    /// A checkpoint where a model is to be run.
    #[error(
        "`{path}` is a checkpoint, which llama.cpp does not run: convert it to GGUF to measure it over a text, or leave the text out"
    )]
    NotRun {
        /// What was opened.
        path: PathBuf,
    },
}
