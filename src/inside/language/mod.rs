//! Language units: which FFN units of a model serve which languages.
//!
//! A unit here is a (layer, index) of the feed-forward blocks. Text of each language runs through the model and the tokens are counted on which each
//! unit is active ([`counts`]); from these counts the units of each language are identified by one of two published methods ([`mod@identify`]):
//! the alignment paper's (arXiv 2505.21505) or LAPE (arXiv 2402.16438). A unit of one language is *specific*, of several *related*, of all
//! *agnostic* ([`classes`]). Their distribution over layers divides the model into *parts*. Two models are set against each other by
//! [`mod@compare`], and [`matrix`] says whether silencing a language's units harms that language and no other, beside random units.
//!
//! Most of this knows no model: counts and losses come in as data. Three modules run one: [`counting`] makes the counts, [`silencing`] the losses, and
//! [`steering`] lets the model write while a language's units are scaled.
//!
//! ```
//! use widedeep::inside::language::{Counts, LanguageCounts, Method, Origin, Shape, identify};
//!
//! // Two layers of 100 units; unit (0, 7) is active in Swahili only, the others rarely and everywhere.
//! let shape = Shape { layers: 2, width: 100 };
//! let counts = |own: u32| (0..200).map(|unit| if unit == 7 { own } else { 50 + unit }).collect();
//! let languages = vec![
//!     LanguageCounts::new("en", 10_000, counts(0))?,
//!     LanguageCounts::new("sw", 10_000, counts(9_000))?,
//! ];
//! let found = identify(&Counts::new(shape, languages, Origin::default())?, Method::default())?;
//! assert!(found.set(1).iter().any(|unit| (unit.layer, unit.index) == (0, 7)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aligned;
pub mod classes;
pub mod compare;
mod config;
pub mod counting;
pub mod counts;
pub mod dominance;
pub mod figures;
pub mod files;
pub mod identified;
pub mod identify;
mod lape;
pub mod material;
pub mod matrix;
mod origin;
pub mod overlap;
pub mod parallel;
pub mod parts;
mod probability;
pub mod published;
pub mod random;
mod rank;
mod rate;
pub mod rule;
pub mod sequences;
pub mod silencing;
pub mod spoken;
pub mod steering;
pub mod store;
pub mod stored;
pub mod tables;
pub mod text;
pub mod transfer;
mod unit;

pub use classes::{Class, Classes, Setting};
pub use compare::{Comparison, Flow, compare};
pub use config::{Aligned, Lambda, Lape, Method, Search};
pub use counts::{Accumulator, Counts, CountsError, LanguageCounts};
pub use dominance::Dominance;
pub use files::WriteError;
pub use identified::Identified;
pub use identify::{IdentifyError, identify};
pub use material::{Material, gather};
pub use matrix::{Control, Loss, Losses, Matrix, Silenced};
pub use origin::Origin;
pub use overlap::{Overlap, jaccard};
pub use parts::Parts;
pub use rate::{Bar, Rate, RateError};
pub use rule::Rule;
pub use sequences::Sequences;
pub use text::{Corpus, Part, Sample};
pub use transfer::{Transfer, transfer};
pub use unit::{Shape, Unit};
