//! Hallucination: which FFN units predict that an answer is wrong, how well, and what becomes of the model when they are scaled (specification
//! `h_neurons`, arXiv 2512.01797).
//!
//! From questions to features: [`questions`] are answered several times ([`sampling`]), every answer is judged ([`judge`]), the questions that are answered right or
//! wrong every time are kept ([`consistency`]) and balanced ([`balance`]), the tokens that carry the answer are found ([`span`], [`style`]), and CETT is averaged over
//! them and over the others ([`layout`], [`observe`]); [`collect`] does all of it and can be interrupted. A detector is applied by [`score`], and its units are scaled by
//! [`intervention`].
//!
//! The statistics half works on plain numbers and never runs a model: [`features`] are rows on disk, [`split`] divides questions, [`logistic`] fits,
//! [`evaluate`] measures, [`study`] does all of it in order and makes a [`Detector`] and an [`Evaluation`], [`origin`] compares two models.

pub mod answered;
pub mod asking;
pub mod balance;
pub mod collect;
pub mod columns;
pub mod consistency;
pub mod detector;
pub mod evaluate;
pub mod evaluation;
pub mod example;
pub mod export;
pub mod extracting;
pub mod features;
pub mod figure;
pub mod frozen;
pub mod identity;
pub mod intervention;
pub mod item;
pub mod journal;
pub mod judge;
pub mod layout;
pub mod logistic;
pub mod normalise;
mod npy;
pub mod observe;
pub mod origin;
pub mod page;
pub mod questions;
pub mod report;
pub mod rule;
pub mod sampling;
pub mod score;
pub mod sentence;
pub mod settings;
pub mod span;
pub mod split;
pub mod study;
pub mod style;
pub mod training;
pub mod whitebox;
mod writer;

pub use columns::Columns;
pub use detector::{Detector, DetectorError, Refusal, Score};
pub use evaluation::Evaluation;
pub use example::{Example, Part, Truth};
pub use features::{Features, FeaturesError, Provenance, Writer};
pub use rule::{Aggregation, ModelId, OtherScope, Region, RegionRule};
pub use training::Mode;
