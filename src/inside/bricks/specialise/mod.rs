//! Which units respond to one function (functional specialisation, spec §4).
//!
//! Every instance (a prompt) belongs to one *function*. A unit's score for an instance is its mean `|a|` over the tokens; its score for a function is
//! the average precision with which that number finds the function's instances. Chance is not 0: [`chance`] permutes the labels.

mod aggregate;
mod chance;
mod held_out;
mod labels;
mod overlap;
mod precision;
mod select;

pub use aggregate::{Aggregate, Aggregation};
pub use chance::{Chance, chance};
pub use held_out::{Halves, HeldOut, halves, held_out};
pub use labels::{LabelError, Labels};
pub use overlap::{Overlap, jaccard, overlap};
pub use precision::{FunctionScores, Predictivity, Summary, average_precision, function_scores};
pub use select::{Ties, mean_scores, residents, top, top_by_mean};
