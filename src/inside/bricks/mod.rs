//! Bricks: parts of a model that can be found, measured, taken out, combined, changed and added (Configurable Foundation Models, arXiv
//! 2409.02877).
//!
//! A *unit* is one FFN neuron of the model: a layer and an index. Its *activation* `a_i` is what multiplies column `i` of `ffn_down`; for a
//! gated FFN that is `σ(gate)_i · up_i`. A *brick* is here a set of units that serve one *function*: a kind of text, given by labelled instances.
//!
//! | module | answers |
//! | --- | --- |
//! | [`sparsity`] | how few units carry a layer's output (indicators, masks, cumulative error of tail truncation) |
//! | [`specialise`] | which units respond to one function (average precision), how far chance goes, how the sets overlap |
//! | [`partition`] | which units work together (co-activation, communities, balanced k-means), and whether groups serve functions |
//! | [`prune`] | what removing a brick costs on every function, beside random units of equal count |
//! | [`route`] | which brick serves a query |
//! | [`merge`] | one tensor out of several (linear, SLERP, TIES and others) |
//! | [`lora`] | low-rank adapters: merging, joining, truncating, extracting |
//! | [`update`] | units scaled or replaced, facts written by a rank-one edit |
//! | [`grow`] | wider FFNs that compute what the narrow ones did |
//! | [`requantise`] | rows of quantised tensors zeroed, scaled and written anew |
//! | [`record`], [`export`], [`figure`] | what is kept: JSON records, CSV and JSON tables, SVG figures |
//!
//! Everything here is arithmetic over slices: nothing knows llama.cpp. Numbers come as f32 (from a model) or f64 (from a reference); sums are in f64.

mod element;
pub mod export;
pub mod figure;
pub mod grow;
pub mod lora;
mod matrix;
pub mod merge;
pub mod partition;
pub mod prune;
pub mod record;
pub mod requantise;
pub mod route;
pub mod sparsity;
pub mod specialise;
mod unit;
pub mod update;

pub use element::Element;
pub use matrix::{Matrix, ShapeError};
pub use unit::{Unit, UnitSet};

/// `floor(fraction · count)`, with what is below zero or no number as 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a fraction of a count that exists; the cast saturates"
)]
fn part_of(fraction: f64, count: usize) -> usize {
    (fraction * count as f64) as usize
}
