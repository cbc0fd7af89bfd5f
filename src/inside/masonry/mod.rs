//! Bricks on real files: what [`bricks`](super::bricks) computes, fed from a model and written as files that llama.cpp loads.
//!
//! | module | does |
//! | --- | --- |
//! | [`functions`] | texts that are labelled with the function they serve: files of the user's, and small sets that come with the program |
//! | [`profiles`] | every unit's activity on every such text, kept on disk while it grows |
//! | [`specialise`] | which units serve which function, beside chance and on texts that did not choose them |
//! | [`sparsity`] | how few units carry each layer's output |
//! | [`partition`] | which units work together, beside units that fire independently |
//! | [`prune`] | what removing a function's units costs on every function |
//! | [`route`] | which function a query belongs to |
//! | [`merge`], [`adapters`] | one model out of several, one adapter out of several, an adapter built into a model |
//! | [`update`] | units replaced by another model's, a fact written as an adapter of rank 1 |
//! | [`grow`] | wider feed-forward layers and further layers that compute what the model did before |

pub mod adapters;
mod error;
pub mod functions;
pub mod grow;
pub mod merge;
pub mod partition;
pub mod profiles;
pub mod prune;
pub mod route;
pub mod sparsity;
pub mod specialise;
pub mod update;

pub use error::MasonryError;
pub use functions::sample_text;

/// Told how far a long piece of work is: what is done, and how much there is.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);
