//! What can go wrong with a tap.

use std::path::PathBuf;

use super::Unit;
use crate::llama::{ModelError, WeightsError};

/// Failures to read activations.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The model failed to load.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model's file lacks something, or cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A layer has something that is not accounted for.
    #[error("`{path}` has `{tensor}`, which scales a projection's result: such models are not read")]
    Scaled {
        /// The model's file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A gate was asked for of a model without.
    #[error(
        "the gate's pre-activation was asked for, but `{path}` has no tensor `blk.0.ffn_gate.weight`: its layers have no gate; read `ffn_up` instead"
    )]
    NoGate {
        /// The model's file.
        path: PathBuf,
    },
    /// What `ffn_up` gives was asked for of a model without.
    #[error("what `ffn_up` gives was asked for, but `{path}` has no tensor `blk.0.ffn_up.weight`")]
    NoUp {
        /// The model's file.
        path: PathBuf,
    },
    /// The context could not be made.
    #[error(
        "llama.cpp failed to make a context of {context} tokens, {chunk} at a time: {reason}; ask for fewer of either"
    )]
    Context {
        /// Tokens.
        context: usize,
        /// Tokens that are evaluated together.
        chunk: usize,
        /// llama.cpp's complaint.
        reason: String,
    },
    /// llama.cpp failed while evaluating.
    #[error("llama.cpp failed to evaluate tokens: {reason}")]
    Decode {
        /// Its complaint.
        reason: String,
    },
    /// There is nothing to read or to predict.
    #[error("the text is too short: a text has at least one token, and two where the second is predicted")]
    NoTokens,
    /// The text does not fit.
    #[error("the text has {tokens} tokens, but the tap's context {context}; cut the text, or ask for a larger context")]
    TooLong {
        /// Tokens of the text.
        tokens: usize,
        /// Tokens that fit.
        context: usize,
    },
    /// The graph does not use a tensor as expected.
    #[error(
        "the model multiplied by `{tensor}` {times} times in one pass, but should do so once; its architecture is not one that can be read"
    )]
    Passes {
        /// The tensor.
        tensor: String,
        /// How often it was used.
        times: usize,
    },
    /// An operation's data are not as expected.
    #[error("what the model computes with `{tensor}` cannot be read: {problem}")]
    Data {
        /// The tensor that names the operation.
        tensor: String,
        /// What is wrong with the data.
        problem: String,
    },
    /// A unit that the model does not have.
    #[error("there is no unit {} in layer {}: the model has {layers} layers of {units} units, both counted from 0", unit.index, unit.layer)]
    NoUnit {
        /// The unit.
        unit: Unit,
        /// Layers of the model.
        layers: usize,
        /// Units of a layer.
        units: usize,
    },
    /// A scale that is no number.
    #[error("units cannot be scaled by {scale}; give a finite number")]
    Scale {
        /// The scale.
        scale: f32,
    },
    /// The operation that makes z cannot be told apart, so that it cannot be changed.
    #[error("the units of layer {layer} cannot be scaled in this model: {problem}")]
    Producer {
        /// The layer.
        layer: usize,
        /// Why not.
        problem: String,
    },
}
