//! A detector is a file: which units of which model to read over which tokens, how much each counts, and what a score means.
//!
//! The score of a response is `s = bias + Σ weight · CETT`, its CETT the mean over the answer's tokens; the score is then also the mean of the
//! tokens' scores (spec 12). `σ(slope · s + intercept)` is a probability that was calibrated on questions that the weights were not fitted to.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    evaluate::Platt,
    features::Provenance,
    logistic::Penalty,
    rule::{Aggregation, ModelId, RegionRule},
    training::Mode,
};
use crate::{
    fetch::Sha256,
    inside::language::{Shape, Unit, WriteError, files},
};

/// The version of detector files that this program writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// Answers longer than this many times the longest one in training are not scored (spec 12).
const LONGER: u32 = 3;

/// A detector that was read or fitted: its units are the model's, once each, and its numbers are finite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// The model that it reads, and no other.
    pub model: ModelId,
    /// The model's layers and units per layer.
    pub shape: Shape,
    /// Which tokens, and how.
    pub rule: RegionRule,
    /// The name and version of the prompt that questions were asked with.
    pub prompt: String,
    /// Units with a weight, in order of layer and index.
    pub units: Vec<Weighted>,
    /// What is added to the weighted sum.
    pub bias: f64,
    /// Responses whose score `s` is at least this are called hallucinated; fixed on the validation questions.
    pub threshold: f64,
    /// From scores to probabilities.
    pub calibration: Platt,
    /// How it was trained.
    pub training: Training,
}

/// A unit and what its CETT counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weighted {
    /// The unit's layer, from 0.
    pub layer: usize,
    /// Its index in the layer, from 0.
    pub index: usize,
    /// Its weight: above zero for an H-unit.
    pub weight: f64,
}

/// Training statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Which rows were the negatives.
    pub mode: Mode,
    /// The penalty.
    pub penalty: Penalty,
    /// Its strength: the weight of the loss against the penalty.
    pub c: f64,
    /// Largest violation of the optimality conditions at which the solver stopped.
    pub tolerance: f64,
    /// Rows fitted.
    pub rows: usize,
    /// Questions with a right answer among them.
    pub faithful: usize,
    /// Questions with a wrong answer among them.
    pub hallucinated: usize,
    /// Questions for the threshold and the calibration.
    pub validation: usize,
    /// Questions that none of this has seen.
    pub test: usize,
    /// The share of wrong answers among the rows of the calibration: what the probabilities take for granted.
    pub prevalence: f64,
    /// Tokens of the longest answer in training.
    pub longest: u32,
    /// AUROC in cross-validation over the training questions, at this C.
    pub cross_validated_auroc: f64,
    /// The seed of sampling and splitting.
    pub seed: u64,
    /// The data sets.
    pub datasets: Vec<String>,
    /// What the features' description said beside.
    #[serde(default)]
    pub notes: std::collections::BTreeMap<String, String>,
}

/// What a detector says about a response.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// `bias + Σ weight · CETT`, the logit of the classifier.
    pub logit: f64,
    /// The calibrated probability that the response is hallucinated.
    pub probability: f64,
}

impl Score {
    /// What the threshold makes of it.
    pub fn verdict(self, detector: &Detector) -> super::Truth {
        if self.logit >= detector.threshold {
            super::Truth::Hallucinated
        } else {
            super::Truth::Faithful
        }
    }
}

/// Why a detector file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DetectorError {
    /// The file cannot be read.
    #[error("failed to read detector `{path}`: {source}; `widedeep detect fit` writes one")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no detector.
    #[error("failed to read `{path}:{line}` as a detector: {source}; `widedeep detect fit` writes one")]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It is of a newer version.
    #[error(
        "detector `{path}` has format {found}, and this program reads up to {FORMAT}: use a newer version of the program"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It contradicts itself.
    #[error("detector `{path}`: {fault}; fit it again, or restore the file")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: Fault,
    },
}

/// What a detector must not be like.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// A unit that the model lacks.
    #[error("unit {index} of layer {layer} does not exist in a model of {shape}")]
    UnknownUnit {
        /// The layer.
        layer: usize,
        /// The index.
        index: usize,
        /// The model.
        shape: Shape,
    },
    /// A unit that is out of order or listed twice.
    #[error("unit {index} of layer {layer} is listed twice or out of order")]
    Order {
        /// The layer.
        layer: usize,
        /// The index.
        index: usize,
    },
    /// A number that is none.
    #[error("{what} is not finite")]
    NotFinite {
        /// Which number.
        what: &'static str,
    },
}

/// Why a detector does not score.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The model is another file.
    #[error(
        "the detector reads `{}` ({}) with SHA-256 {}, but this model file has {found}: units of another file, quantisation or edited copy mean \
         something else; use that file, or fit a detector for this one",
        expected.name, expected.quantisation, expected.sha256
    )]
    OtherModel {
        /// The model that it was made for.
        expected: Box<ModelId>,
        /// The hash of the file at hand.
        found: Sha256,
    },
    /// The features were made in another way.
    #[error(
        "the detector reads the {expected}, but these features are the {found}: collect features by the detector's rule"
    )]
    OtherRule {
        /// The detector's rule.
        expected: Box<RegionRule>,
        /// The features' rule.
        found: Box<RegionRule>,
    },
    /// Nothing to read.
    #[error("the response has no token to score: it is empty, or the span rule found no answer in it")]
    Empty,
    /// Longer than anything that it was trained on.
    #[error(
        "the answer has {found} tokens, and the detector was trained on answers of at most {longest}: it scores up to {LONGER} times as many"
    )]
    TooLong {
        /// The answer's tokens.
        found: u32,
        /// Those of the longest in training.
        longest: u32,
    },
}

/// The file's content.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(rename = "format")]
    _format: u32,
    detector: Detector,
}

/// Only this much is read first, so that a newer file is refused by its version and not by a field that this program does not know.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Detector {
    /// Reads a detector file.
    pub fn read(path: &Path) -> Result<Self, DetectorError> {
        let text = std::fs::read_to_string(path).map_err(|source| DetectorError::Io {
            path: path.to_owned(),
            source,
        })?;
        let malformed = |source: serde_json::Error| DetectorError::Json {
            path: path.to_owned(),
            line: source.line(),
            source,
        };
        let Version { format } = serde_json::from_str(&text).map_err(malformed)?;
        if format > FORMAT {
            return Err(DetectorError::Newer {
                path: path.to_owned(),
                found: format,
            });
        }
        let Stored { detector, .. } = serde_json::from_str(&text).map_err(malformed)?;
        detector.check().map_err(|fault| DetectorError::Invalid {
            path: path.to_owned(),
            fault,
        })?;
        Ok(detector)
    }

    /// Writes a detector file; it appears whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        #[derive(Serialize)]
        struct Content<'a> {
            format: u32,
            detector: &'a Detector,
        }
        files::json(
            path,
            &Content {
                format: FORMAT,
                detector: self,
            },
        )
    }

    /// What makes a detector impossible.
    pub fn check(&self) -> Result<(), Fault> {
        let mut before = None;
        for unit in self.units() {
            let Unit { layer, index } = unit;
            if !self.shape.has(unit) {
                return Err(Fault::UnknownUnit {
                    layer,
                    index,
                    shape: self.shape,
                });
            }
            if before >= Some(unit) {
                return Err(Fault::Order { layer, index });
            }
            before = Some(unit);
        }
        let finite = |value: f64, what| {
            if value.is_finite() {
                Ok(())
            } else {
                Err(Fault::NotFinite { what })
            }
        };
        self.units.iter().try_for_each(|unit| finite(unit.weight, "a weight"))?;
        finite(self.bias, "the bias")?;
        finite(self.threshold, "the threshold")?;
        finite(self.calibration.slope, "the calibration's slope")?;
        finite(self.calibration.intercept, "the calibration's intercept")
    }

    /// Whether a model file is the one that the detector was made for.
    pub fn admit_model(&self, sha256: Sha256) -> Result<(), Refusal> {
        if sha256 == self.model.sha256 {
            Ok(())
        } else {
            Err(Refusal::OtherModel {
                expected: Box::new(self.model.clone()),
                found: sha256,
            })
        }
    }

    /// Whether stored features can be scored: the same model file, the same rule.
    pub fn admit_features(&self, made: &Provenance) -> Result<(), Refusal> {
        self.admit_model(made.model.sha256)?;
        self.admit_rule(&made.rule)
    }

    /// Whether features were made by the detector's rule.
    pub fn admit_rule(&self, rule: &RegionRule) -> Result<(), Refusal> {
        if *rule == self.rule {
            Ok(())
        } else {
            Err(Refusal::OtherRule {
                expected: Box::new(self.rule.clone()),
                found: Box::new(rule.clone()),
            })
        }
    }

    /// Whether an answer of so many tokens can be scored.
    pub fn admit_length(&self, tokens: u32) -> Result<(), Refusal> {
        let longest = self.training.longest;
        if tokens == 0 {
            Err(Refusal::Empty)
        } else if tokens > longest.saturating_mul(LONGER) {
            Err(Refusal::TooLong { found: tokens, longest })
        } else {
            Ok(())
        }
    }

    /// The units that it reads, in the order of the values that [`Detector::score`] takes.
    pub fn units(&self) -> impl Iterator<Item = Unit> + '_ {
        self.units.iter().map(|unit| Unit {
            layer: unit.layer,
            index: unit.index,
        })
    }

    /// The H-units: those with a positive weight (spec 2.13).
    pub fn h_units(&self) -> Vec<Unit> {
        self.units()
            .zip(&self.units)
            .filter(|(_, weighted)| weighted.weight > 0.0)
            .map(|(unit, _)| unit)
            .collect()
    }

    /// The score of a response from the CETT of every unit over its answer, `[units]` in the order of [`Detector::units`].
    ///
    /// # Panics
    /// Where the number of values is not that of the units.
    pub fn score(&self, cett: &[f64]) -> Score {
        let logit = self.bias + self.contributions(cett).iter().sum::<f64>();
        Score {
            logit,
            probability: self.calibration.probability(logit),
        }
    }

    /// What every unit adds to the score: `weight · CETT`. Applied to the CETT of a single token, this with the bias is the token's score.
    ///
    /// # Panics
    /// Where the number of values is not that of the units.
    pub fn contributions(&self, cett: &[f64]) -> Vec<f64> {
        assert_eq!(cett.len(), self.units.len(), "one value per unit of the detector");
        self.units
            .iter()
            .zip(cett)
            .map(|(unit, cett)| unit.weight * cett)
            .collect()
    }

    /// The score of a response from those of its tokens: their mean. `None` without tokens, or where the features are maxima, whose score is no mean.
    pub fn of_tokens(&self, tokens: &[Score]) -> Option<Score> {
        if tokens.is_empty() || self.rule.aggregation == Aggregation::Max {
            return None;
        }
        let logit = tokens.iter().map(|token| token.logit).sum::<f64>() / tokens.len() as f64;
        Some(Score {
            logit,
            probability: self.calibration.probability(logit),
        })
    }
}
