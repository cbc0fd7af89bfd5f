//! Every choice of the method, as data (spec 7 and 16). The defaults are the ones that the spec recommends, and say why.

use serde::Serialize;

use super::{bins::Bins, grid::QGrid};

/// All choices of one analysis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// Which nodes are looked at.
    pub scope: Scope,
    /// How far from a node its box may reach.
    pub hops: Hops,
    /// What a gated MLP gives as targets.
    pub gated: GatedMlp,
    /// Whether weights are taken as they are.
    pub scale: Scale,
    /// From weights to masses.
    pub measure: Measure,
    /// From masses to a spectrum.
    pub analysis: Analysis,
}

/// Which nodes are looked at. Values of different scopes or sizes must never be compared (spec 6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// `size` nodes per group (twice as many of the MLP's hidden units), in `repetitions` independent samples.
    Sampled {
        /// Nodes per group; 64 fits the earliest published spectra best, 32 is what the authors' released code takes.
        size: usize,
        /// Independent samples; 10 in the paper.
        repetitions: usize,
        /// The seed of the first; the others follow it. 0 in the paper.
        seed: u64,
    },
    /// Every node and every weight: no sampling noise, one repetition.
    Full,
}

/// How many edges a path from a box's centre may have. One is what the published curves were made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hops {
    /// Direct edges alone (*direct mode*).
    #[default]
    One,
    /// Shortest paths of at most two edges.
    Two,
    /// Shortest paths of at most three edges.
    Three,
}

impl Hops {
    /// The number of edges.
    pub fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
        }
    }
}

/// What a gated MLP gives as the targets of its input (spec 3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GatedMlp {
    /// Gate and up projection, concatenated, as query, key and value are.
    #[default]
    GateAndUp,
    /// The up projection alone, so that the out-degree is that of an MLP without gate.
    UpOnly,
}

/// Whether weights are taken as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// As they are: what the paper does, and what makes mere growth of weights look like emergence (spec 10).
    #[default]
    Absolute,
    /// Divided by the root mean square of all weights of the sample, times this number; 0.02 in the spec.
    RootMeanSquare(f64),
}

/// The root mean square that [`Scale::RootMeanSquare`] brings weights to by default.
pub const TARGET_RMS: f64 = 0.02;

/// From weights to masses: N(r) of every node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// β in d = |w|^−β; 1 in the paper.
    pub exponent: f64,
    /// Lengths must be greater than this; 1 drops weights of 1 and more.
    pub longer_than: f64,
    /// Lengths may not be greater than this; 150 drops weights below 1/150. A threshold ε on |w| is the same as 1/ε here.
    pub at_most: Option<f64>,
    /// A node counts if more lengths than this are left; 10.
    pub more_than: usize,
    /// What happens to the lengths that are left.
    pub rounding: Rounding,
    /// At which radii masses are taken.
    pub radii: Radii,
    /// What masses are divided by.
    pub normaliser: Normaliser,
    /// Whether a box holds its own centre.
    pub centre: Centre,
}

/// What happens to lengths after the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// To the nearest integer, ties to even.
    Integer,
    /// Nothing.
    None,
}

/// At which radii masses are taken.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Radii {
    /// All lengths seen at any node. One extreme weight adds a far radius that tilts the fit (spec 6.3).
    Observed,
    /// `count` radii from `low` to `high`, evenly spaced in their logarithm.
    LogGrid {
        /// The first radius.
        low: f64,
        /// The last radius.
        high: f64,
        /// How many.
        count: usize,
    },
    /// 1, 2, 4, … up to the greatest length seen.
    Dyadic,
    /// These, ascending.
    Given(Vec<f64>),
}

/// What masses are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normaliser {
    /// The node's own mass at the greatest radius.
    OwnMaximum,
    /// The number of all source nodes. Where every node ends with the same mass, as along the shortest paths of a connected graph, this differs from
    /// [`Self::OwnMaximum`] by one factor, and slopes with a free intercept are the same. Elsewhere, sampled weights in direct mode among them, nodes with
    /// many lengths count for more, and the slopes differ.
    TotalNodes,
}

/// Whether a box holds its own centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Centre {
    /// N(r) = 1 + neighbours.
    Counted,
    /// N(r) = neighbours; boxes without any are left out of the sum at that radius.
    Excluded,
}

/// From masses to a spectrum.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Analysis {
    /// The distortion exponents.
    pub q: QGrid,
    /// Which α is called α0.
    pub peak: Peak,
    /// How α is made from τ.
    pub derivative: Derivative,
    /// Which line is laid through ln Z.
    pub line: Line,
    /// The radii that the line is laid through; all without.
    pub window: Option<Window>,
    /// Which repetitions are thrown away.
    pub reject: Reject,
    /// What is averaged over repetitions.
    pub average: Average,
    /// When a spectrum may be reported.
    pub scaling: ScalingRule,
}

/// Which α is called α0. The place of the greatest f is a tie that rounding decides (spec 6.1), hence the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peak {
    /// (τ(h) − τ(−h)) / 2h, with h the grid's step.
    #[default]
    Centred,
    /// The slope of the mean logarithm of the normalised mass: the limit of the same.
    Exact,
    /// α where f is greatest.
    ArgMax,
}

/// How α is made from τ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Derivative {
    /// Forward differences, as the authors do; the last q has no α.
    #[default]
    Forward,
    /// Central differences; the first and the last q have no α.
    Central,
    /// The exact derivative of the fitted slope (spec 6.2).
    Exact,
}

/// Which line is laid through ln Z against ln(r / `r_max`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// Least squares with a free intercept.
    #[default]
    FreeIntercept,
    /// Least squares through the origin; refused with [`Normaliser::OwnMaximum`], under which ln Z ends at ln n.
    ThroughOrigin,
}

/// The radii that a line is laid through.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Window {
    /// The smallest radius taken.
    pub low: f64,
    /// The greatest radius taken.
    pub high: f64,
}

/// Which repetitions are thrown away (the authors' optional filters).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reject {
    /// None.
    #[default]
    None,
    /// Those with a positive f.
    PositiveF,
    /// Those whose greatest α exceeds the α of the smallest q by more than 0.01.
    NonMonotone,
    /// Those with either.
    Both,
}

/// What is averaged over repetitions before E is formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Average {
    /// α0 and width, as the authors do.
    #[default]
    Metrics,
    /// The curves; α0 and width are then read off the mean curve.
    Spectra,
}

/// When a spectrum may be reported.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScalingRule {
    /// Only where ln Z is close enough to a line over enough radii.
    Require {
        /// The least R² over all q, averaged over repetitions. Gaussian weights of σ = 0.02 have 0.88 and of 0.04 have 0.76, while a model far
        /// outside the range that the thresholds were made for has 0.59 (spec 10), hence 0.75.
        r2: f64,
        /// The fewest radii.
        radii: usize,
        /// The least ratio of the greatest to the smallest radius.
        span: f64,
    },
    /// Always; the quality of the fit stands beside it all the same.
    ReportAnyway,
}

impl Default for ScalingRule {
    fn default() -> Self {
        Self::Require {
            r2: 0.75,
            radii: 5,
            span: 5.0,
        }
    }
}

impl Default for Measure {
    /// Direct mode of the spec's section 7, row `compat`.
    fn default() -> Self {
        Self {
            exponent: 1.0,
            longer_than: 1.0,
            at_most: Some(150.0),
            more_than: 10,
            rounding: Rounding::Integer,
            radii: Radii::Observed,
            normaliser: Normaliser::OwnMaximum,
            centre: Centre::Counted,
        }
    }
}

impl Measure {
    /// The same quantity without the leverage of extreme weights: 30 radii from 15 to 150, no rounding (spec 7, row `fixed_grid`).
    pub fn fixed_grid() -> Self {
        Self {
            rounding: Rounding::None,
            radii: Radii::LogGrid {
                low: 15.0,
                high: 150.0,
                count: 30,
            },
            ..Self::default()
        }
    }

    /// For graphs whose edge lengths are given and whose boxes grow along shortest paths: no filter, no rounding, centre left out.
    pub fn shortest_paths() -> Self {
        Self {
            longer_than: 0.0,
            at_most: None,
            more_than: 0,
            rounding: Rounding::None,
            centre: Centre::Excluded,
            ..Self::default()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            scope: Scope::Sampled {
                size: 64,
                repetitions: 10,
                seed: 0,
            },
            hops: Hops::default(),
            gated: GatedMlp::default(),
            scale: Scale::default(),
            measure: Measure::default(),
            analysis: Analysis::default(),
        }
    }
}

impl Config {
    /// The choices of the paper's released code: the default.
    pub fn compat() -> Self {
        Self::default()
    }

    /// The default with [`Measure::fixed_grid`].
    pub fn fixed_grid() -> Self {
        Self {
            measure: Measure::fixed_grid(),
            ..Self::default()
        }
    }

    /// The same choices with weights brought to a root mean square of 0.02.
    #[must_use]
    pub fn with_rms(mut self) -> Self {
        self.scale = Scale::RootMeanSquare(TARGET_RMS);
        self
    }

    /// The same choices over another sample.
    #[must_use]
    pub fn with_sample(mut self, size: usize, repetitions: usize) -> Self {
        self.scope = Scope::Sampled {
            size,
            repetitions,
            seed: 0,
        };
        self
    }

    /// Refuses choices that contradict each other, before any weight is read.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.measure.check()?;
        if self.analysis.line == Line::ThroughOrigin && self.measure.normaliser == Normaliser::OwnMaximum {
            return Err(ConfigError::OriginUnderOwnMaximum);
        }
        if let Some(Window { low, high }) = self.analysis.window
            && (low.is_nan() || high.is_nan() || low >= high)
        {
            return Err(ConfigError::Window { low, high });
        }
        if let Scale::RootMeanSquare(target) = self.scale
            && !(target.is_finite() && target > 0.0)
        {
            return Err(ConfigError::TargetRms(target));
        }
        match self.scope {
            Scope::Sampled { size, repetitions, .. } if size == 0 || repetitions == 0 => Err(ConfigError::EmptySample),
            Scope::Full if self.hops != Hops::One => Err(ConfigError::FullNeedsDirect),
            Scope::Full if Bins::known(&self.measure).is_none() => Err(ConfigError::FullNeedsBins),
            _ => Ok(()),
        }
    }
}

impl Measure {
    fn check(&self) -> Result<(), ConfigError> {
        if !(self.exponent.is_finite() && self.exponent > 0.0) {
            return Err(ConfigError::Exponent(self.exponent));
        }
        let ascending = |radii: &[f64]| {
            radii.len() >= 2
                && radii.iter().all(|radius| radius.is_finite() && *radius > 0.0)
                && radii.windows(2).all(|pair| pair[0] < pair[1])
        };
        let well_formed = match &self.radii {
            Radii::Observed | Radii::Dyadic => true,
            Radii::LogGrid { low, high, count } => ascending(&[*low, *high]) && *count >= 2,
            Radii::Given(radii) => ascending(radii),
        };
        if well_formed {
            Ok(())
        } else {
            Err(ConfigError::Radii(self.radii.clone()))
        }
    }
}

/// Choices that contradict each other.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ConfigError {
    /// A length exponent that gives no length.
    #[error("the exponent `{0}` of edge lengths is not a positive number; 1 is the paper's")]
    Exponent(f64),
    /// Radii that no line can be laid through.
    #[error("`{0:?}` is not two or more ascending positive radii")]
    Radii(Radii),
    /// An empty window.
    #[error("no radius lies between `{low}` and `{high}`; the first must be the smaller one")]
    Window {
        /// The smallest radius asked for.
        low: f64,
        /// The greatest.
        high: f64,
    },
    /// A line through the origin where ln Z does not end at zero.
    #[error(
        "a line through the origin makes no sense with masses divided by the node's own maximum, since ln Z ends at ln n; take a free intercept"
    )]
    OriginUnderOwnMaximum,
    /// Nothing to look at.
    #[error("a sample needs at least one node per group and one repetition")]
    EmptySample,
    /// A scale that is none.
    #[error("`{0}` is not a root mean square that weights can be brought to; 0.02 is the spec's")]
    TargetRms(f64),
    /// Shortest paths over the whole network.
    #[error("the full network is analysed over direct edges only; sample it for two or three hops")]
    FullNeedsDirect,
    /// Radii that would need all lengths in memory.
    #[error(
        "the full network needs radii that are known beforehand: lengths rounded up to a greatest one, a log grid, or given radii"
    )]
    FullNeedsBins,
    /// A grid of q without the values around zero.
    #[error(
        "q from {low}/{per_unit} to {high}/{per_unit} does not hold a step on either side of zero, or reaches beyond ±20"
    )]
    Grid {
        /// The lowest numerator.
        low: i32,
        /// The highest numerator.
        high: i32,
        /// Steps per unit.
        per_unit: u32,
    },
}
