//! Which errors are the input's.

use widedeep::inside::topology::{MeasureError, ReadingError};
use widedeep::llama::TapError;

use crate::cli::{Failure, failed, input};

/// A damaged or unfit file is the input's fault; llama.cpp that fails on the way is not.
pub(super) fn sorted(error: MeasureError) -> Failure {
    match error {
        MeasureError::Reading(
            ReadingError::Tap(TapError::Decode { .. } | TapError::Context { .. }) | ReadingError::Capture(_),
        ) => failed(error),
        error => input(error),
    }
}
