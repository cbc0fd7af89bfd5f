//! Scaling chosen units of a model, in three forms that do the same (h_neurons §9.3, bricks §6.3).
//!
//! A unit's activation z is multiplied by α: 0 silences it, 1 changes nothing, more amplifies.
//!
//! | form | how | exactness |
//! | --- | --- | --- |
//! | live ([`live`]) | the tap multiplies z before `ffn_down` reads it | exact |
//! | file ([`rewrite`]) | the unit's row of `ffn_up` is multiplied, in the row's own blocks | α = 0 and 1 exact; otherwise the blocks' 16-bit scales are rounded (2⁻¹¹), powers of two exact |
//! | adapter ([`adapter`]) | a LoRA of `ffn_down` adds `(α − 1)·W[:, j]·z_j` | exact on files of floats; on quantised files the base product reads z in 8 bits, and the adapter reads it in floats |
//!
//! At α = 1 the file is the original, byte for byte. An adapter made for α multiplies by `1 + t·(α − 1)` at runtime scale t, so one file made for α = 2 serves all
//! strengths, at t = α − 1.

mod compare;
mod forms;
mod units;

pub use compare::{CompareError, Comparison, Predictions, compare, predictions};
pub(in crate::inside) use forms::patch_blocks;
pub use forms::{EditError, Store, adapter, live, rewrite};
pub use units::{UnitsError, read_units};
