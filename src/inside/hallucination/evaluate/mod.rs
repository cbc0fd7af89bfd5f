//! How well scores tell wrong answers from right ones: one measure per file, pure functions of scores and classes.

mod auroc;
mod binary;
mod effect;
mod matched;
mod permute;
mod platt;
mod resample;

pub use auroc::{auroc, roc};
pub use binary::{Binary, youden};
pub use effect::{Effect, MannWhitney, benjamini_hochberg};
pub use matched::{length_matched, within_length_auroc};
pub use permute::{Permutation, shuffled};
pub use platt::{Bin, Platt, Reliability};
pub use resample::{Estimate, Gap, Measures, Sample, Scores};
