//! Why an analysis stopped.

use super::{config::ConfigError, degree::DegreeError, shape::ShapeError, spectrum::SpectrumError, weights::ReadError};

/// Why an analysis stopped.
#[derive(Debug, thiserror::Error)]
pub enum EmergenceError {
    /// Choices that contradict each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Maps that do not make a transformer.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Weights that could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No spectrum.
    #[error(transparent)]
    Spectrum(#[from] SpectrumError),
    /// No degree of emergence.
    #[error(transparent)]
    Degree(#[from] DegreeError),
    /// All repetitions were thrown away.
    #[error(
        "all {repetitions} repetitions were rejected by the filter on their spectra; report them with the filter off"
    )]
    AllRejected {
        /// How many there were.
        repetitions: usize,
    },
    /// Paths of several edges through a mixture of experts.
    #[error(
        "block {block} has several experts, and paths of more than one edge are defined for dense MLPs alone; take one hop"
    )]
    PathsThroughExperts {
        /// The block.
        block: usize,
    },
    /// Paths through attention whose heads are unknown.
    #[error(
        "paths of more than one edge need to know which values feed which outputs, and block {block} does not tell the size of its heads; take one hop, or give the model's `config.json`"
    )]
    UnknownHeads {
        /// The block.
        block: usize,
    },
    /// Checkpoints that do not belong together.
    #[error(
        "checkpoint `{label}` is not of the same series as `{baseline}`: {difference}; E compares weights at the same places only"
    )]
    InconsistentSeries {
        /// The checkpoint.
        label: String,
        /// The baseline's label.
        baseline: String,
        /// What first differs.
        difference: String,
    },
    /// A series that is none.
    #[error("a series needs a baseline among its checkpoints: number {baseline} of {checkpoints} was asked for")]
    NoBaseline {
        /// The place asked for, from 0.
        baseline: usize,
        /// How many checkpoints there are.
        checkpoints: usize,
    },
    /// A baseline that cannot be compared with.
    #[error("the baseline `{label}` has no spectrum to compare with")]
    Baseline {
        /// The checkpoint.
        label: String,
        /// Why.
        #[source]
        cause: Box<EmergenceError>,
    },
    /// Controls need samples.
    #[error(
        "a series is traced over sampled networks, since its controls permute samples; take a sample instead of the full network"
    )]
    SeriesNeedsSample,
}
