//! What an evaluation found: everything that tables and figures show, as data.

use serde::{Deserialize, Serialize};

use super::{
    evaluate::{Effect, Gap, Measures, Permutation, Reliability},
    rule::{ModelId, RegionRule},
    training::Mode,
};

/// The version of the file.
pub const FORMAT: u32 = 1;

/// A detector beside its baselines, on questions that none of them has seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// The version of the file, [`FORMAT`].
    pub format: u32,
    /// The model.
    pub model: ModelId,
    /// Which tokens, and how.
    pub rule: RegionRule,
    /// What the detector was trained against.
    pub mode: Mode,
    /// Units with a positive weight, of all units of the model.
    pub h_units: Share,
    /// Units with a weight, of all units of the model.
    pub weighted_units: Share,
    /// The test questions.
    pub test: Set,
    /// Other data sets, on which nothing was fitted or chosen.
    pub transfer: Vec<Set>,
    /// The detector's probabilities on the test questions.
    pub reliability: Reliability,
    /// Every H-unit by itself on the test questions.
    pub units: Vec<UnitEffect>,
    /// The whole procedure on shuffled labels, by the test's AUROC; `None` where it was not asked for.
    pub permutation: Option<Permutation>,
    /// The seed.
    pub seed: u64,
}

/// A part of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub of: usize,
}

impl Share {
    /// Per mille, as the paper tells it.
    pub fn per_mille(self) -> f64 {
        1000.0 * self.count as f64 / self.of.max(1) as f64
    }
}

/// Scorers on one set of questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// What it is called.
    pub name: String,
    /// Right answers.
    pub faithful: usize,
    /// Wrong answers.
    pub hallucinated: usize,
    /// Answers of each class in the length-matched part.
    pub matched: usize,
    /// Questions that were left out because training saw them, or something about their entity.
    pub seen: usize,
    /// One per scorer; the first is the detector.
    pub rows: Vec<Row>,
}

/// One scorer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The scorer.
    pub scorer: Scorer,
    /// Units that it reads; 0 for what is no unit.
    pub units: usize,
    /// AUROC, and accuracy and F1 at the threshold that validation fixed.
    pub measures: Measures,
    /// Accuracy at a probability of one half, as the released code has it, for those that have one.
    pub official_accuracy: Option<f64>,
    /// The detector's AUROC less this one's, on the same resamples.
    pub gap: Gap,
    /// The same measures where both classes have the same lengths; `None` where too few are left.
    pub matched: Option<Measures>,
    /// AUROC over pairs of answers of equal length.
    pub within_length: Option<f64>,
    /// Over several draws of random units: the standard deviation of the AUROC, and the share of draws that reach the detector's.
    pub draws: Option<Draws>,
    /// The ROC curve: false positive rate and true positive rate. That of the first draw for random units.
    pub roc: Vec<(f64, f64)>,
}

/// Many draws of random units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draws {
    /// The AUROC of each draw.
    pub aurocs: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub sd: f64,
    /// `(1 + #{draws ≥ the H-units' refit}) / (1 + n)`.
    pub p_value: f64,
}

/// What gives the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scorer {
    /// The detector with its own weights.
    Detector,
    /// The H-units alone, fitted anew with an L2 penalty: what random units are compared with.
    HUnits,
    /// As many units as there are H-units, drawn from those without a weight and fitted in the same way; the draw with the median AUROC.
    RandomUnits,
    /// The same with as many in every layer as the H-units have there.
    RandomInLayers,
    /// All units, with an L2 penalty.
    AllUnits,
    /// The number of tokens of the answer.
    Length,
    /// The mean log-probability of the answer's tokens.
    LogProbability,
    /// The least log-probability of the answer's tokens.
    LowestLogProbability,
    /// The mean entropy of the distributions that the answer's tokens come from.
    Entropy,
    /// The entropy at the first token of the answer.
    FirstEntropy,
    /// The share of samples that are this very answer.
    Agreement,
    /// Log-probability, entropy and length in one logistic regression.
    Confidence,
    /// The same with the detector's score.
    ConfidenceAndDetector,
}

impl Scorer {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Detector => "H-unit detector",
            Self::HUnits => "H-units, fitted anew",
            Self::RandomUnits => "random units",
            Self::RandomInLayers => "random units, same layers",
            Self::AllUnits => "all units, L2",
            Self::Length => "answer length",
            Self::LogProbability => "mean log-probability",
            Self::LowestLogProbability => "least log-probability",
            Self::Entropy => "mean entropy",
            Self::FirstEntropy => "entropy of first token",
            Self::Agreement => "agreement of samples",
            Self::Confidence => "log-probability + entropy + length",
            Self::ConfidenceAndDetector => "the same + detector",
        }
    }
}

/// One H-unit by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitEffect {
    /// The layer, from 0.
    pub layer: usize,
    /// The index, from 0.
    pub index: usize,
    /// Its weight in the detector.
    pub weight: f64,
    /// What it says alone.
    pub effect: Effect,
    /// Its p-value, adjusted over the H-units by Benjamini and Hochberg.
    pub adjusted: f64,
}
