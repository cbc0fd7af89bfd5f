//! Reducers that several analyses need. All of them add up over texts.

mod capture;
mod cett;
mod counts;
mod likelihood;
mod maxima;
mod next;
mod sums;

pub use capture::Capture;
pub use cett::{Cett, Region};
pub use counts::Counts;
pub use likelihood::Likelihood;
pub use maxima::Maxima;
pub use next::{NextToken, NextTokens};
pub use sums::Sums;
