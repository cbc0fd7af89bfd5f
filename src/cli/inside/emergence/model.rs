//! Models and checkpoints by name or path.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use widedeep::fetch;
use widedeep::inside::emergence::{EmergenceError, OpenError, Opened, SpectrumError, open};

use crate::cli::{Failure, failed, input};

/// The file or folder that a word means: safetensors by their path, GGUF files as every command takes them.
pub(super) fn place(word: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(word);
    let is_safetensors = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
    if path.is_dir() || is_safetensors {
        return Ok(path.to_owned());
    }
    fetch::resolve_model(word).map_err(input)
}

pub(super) fn opened(path: &Path) -> Result<Opened, Failure> {
    open(path).map_err(|error: OpenError| input(error))
}

/// What to do where masses do not scale.
const WAY_OUT: &str = "no spectrum is reported (`--mode compat-rms` and `--mode fixed-grid-rms` bring weights to one scale; \
                       `--report-anyway` reports it all the same)";

/// Tells choices and files that do not fit from weights that have no spectrum.
pub(super) fn sorted(error: EmergenceError) -> Failure {
    match error {
        EmergenceError::Spectrum(SpectrumError::NoScaling { .. }) => {
            failed(anyhow::Error::from(error).context(WAY_OUT))
        }
        EmergenceError::Config(_)
        | EmergenceError::Shape(_)
        | EmergenceError::PathsThroughExperts { .. }
        | EmergenceError::UnknownHeads { .. }
        | EmergenceError::InconsistentSeries { .. }
        | EmergenceError::NoBaseline { .. }
        | EmergenceError::SeriesNeedsSample => input(error),
        _ => failed(error),
    }
}

/// Spreads the work over so many threads; over all cores without a number.
pub(super) fn threads(count: Option<NonZeroUsize>) -> Result<(), Failure> {
    match count {
        Some(count) => rayon::ThreadPoolBuilder::new()
            .num_threads(count.get())
            .build_global()
            .map_err(failed),
        None => Ok(()),
    }
}
