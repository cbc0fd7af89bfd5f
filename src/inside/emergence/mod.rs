//! Multifractal analysis of a model's weights (NeuroMFA): how irregular and how heterogeneous the network of its weights is, and how both
//! change over training.
//!
//! Components of the model's linear maps are nodes, and a weight w is an edge of length 1/|w|: strong weights are near, weak ones far. Around every
//! sampled node a box grows, and the mass N(r) within radius r is counted. Sums of powers of the masses scale as r^τ(q); the Legendre transform of τ
//! is the spectrum f(α). The α at its top, α0, is the *degree of irregularity*, and its width the *degree of heterogeneity*. The *degree of emergence*
//! of a checkpoint is E = (w / w₀) · ln(α0₀ / α0) against a baseline.
//!
//! E is a structural index, not a score of capability: it rises with mere growth of weights, and in a model that is trained on noise. Controls
//! therefore stand beside every E (see [`Trace`]), and a spectrum is refused where masses do not scale (see [`ScalingRule`]).
//!
//! The way through the rooms: [`Weights`] gives rows; [`Plan`] draws nodes; [`sample()`] reads the weights between them; [`Measure`] says how they become
//! lengths and masses; [`Spectrum`] holds τ, α and f; [`Measurement`] joins repetitions; [`degree()`] compares two; [`trace()`] follows a series;
//! [`network`] does the same for plain graphs.
//!
//! Work is spread over all cores with rayon: checkpoints, repetitions and matrices are nested and uneven, so idle threads have to steal, and sums are
//! collected in a fixed order, so that the number of threads changes nothing.

mod beside;
mod bins;
mod companion;
mod config;
mod control;
mod degree;
pub mod dimension;
mod error;
mod figures;
mod folder;
mod full;
mod gguf;
mod grid;
mod lengths;
mod measurement;
mod moments;
mod names;
pub mod network;
mod open;
mod origin;
mod partition;
mod parts;
mod plan;
mod relate;
mod report;
mod safetensors;
mod sample;
mod sampler;
mod series;
mod shape;
mod spectrum;
mod tables;
mod trace;
mod weights;

pub use self::{
    beside::{Beside, BesideError, Relation, read_beside},
    companion::{Companion, Summary},
    config::{
        Analysis, Average, Centre, Config, ConfigError, Derivative, GatedMlp, Hops, Line, Measure, Normaliser, Peak,
        Radii, Reject, Rounding, Scale, ScalingRule, Scope, TARGET_RMS, Window,
    },
    control::{Surrogate, rescaled, surrogate},
    degree::{Degree, DegreeError, Metrics, Place, degree},
    error::EmergenceError,
    figures::{
        beside_figure, blocks_figure, emergence_figure, metrics_figure, rms_figure, spectra_figure,
        trace_spectra_figure,
    },
    folder::{WriteError, write_report, write_trace},
    gguf::Gguf,
    grid::QGrid,
    lengths::{Fate, Lengths},
    measurement::{Estimate, MeanCurve, Measurement, Repetition, measure, measure_samples},
    moments::Moments,
    names::NameError,
    open::{OpenError, Opened, open},
    origin::{Hashed, Origin},
    parts::{Dissection, dissect},
    plan::{BlockNodes, Nodes, Plan},
    relate::{Correlation, Saturation, saturation, spearman},
    report::{Part, Report, SurrogateRow, report},
    safetensors::Safetensors,
    sample::{Group, Sample, SampledMatrix, sample},
    sampler::SplitMix64,
    series::{Named, SeriesError, place_of, series},
    shape::{BlockShape, KeyValueIndices, MatrixShape, Projection, Shape, ShapeError},
    spectrum::{Curve, Scaling, Spectrum, SpectrumError},
    tables::{FORMAT, companions_csv, parts_csv, report_json, spectra_csv, surrogates_csv, trace_csv, trace_json},
    trace::{Checkpoint, Controls, Emergence, Row, Trace, TraceConfig, emergence, trace, trace_watched},
    weights::{BlockMatrices, InMemory, Matrix, ReadError, Weights},
};
