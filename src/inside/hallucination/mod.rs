//! Hallucination: which FFN units predict that an answer is wrong, how well, and what becomes of the model when they are scaled (specification
//! `h_neurons`, arXiv 2512.01797).
//!
//! The statistics half works on plain numbers and never runs a model: [`features`] are rows on disk, [`split`] divides questions, [`logistic`] fits,
//! [`evaluate`] measures, [`study`] does all of it in order and makes a [`Detector`] and an [`Evaluation`], [`origin`] compares two models.

pub mod columns;
pub mod detector;
pub mod evaluate;
pub mod evaluation;
pub mod example;
pub mod features;
pub mod figure;
pub mod logistic;
mod npy;
pub mod origin;
pub mod report;
pub mod rule;
pub mod split;
pub mod study;
pub mod training;
mod writer;

pub use columns::Columns;
pub use detector::{Detector, DetectorError, Refusal, Score};
pub use evaluation::Evaluation;
pub use example::{Example, Part, Truth};
pub use features::{Features, FeaturesError, Provenance, Writer};
pub use rule::{Aggregation, ModelId, OtherScope, Region, RegionRule};
pub use training::Mode;
