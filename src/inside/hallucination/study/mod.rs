//! From features to a detector and its evaluation, in the order that keeps testing honest: divide the questions, choose C and fit on the training part,
//! fix threshold and calibration on the validation part, and measure on the test part, once.

mod baselines;
mod before;
mod candidate;
mod fitting;
mod measuring;
mod permuting;
mod scored;

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{
    detector::Refusal,
    features::FeaturesError,
    logistic::{AtC, CrossValidation, FitError, Grid, Penalty, Settings, Stopped},
    split::{Split, SplitError, SplitPlan},
    training::Mode,
};
use crate::{
    agreement::{Bootstrap, Level},
    inside::language::Shape,
};

pub use before::Before;
pub use fitting::fit;
pub use measuring::evaluate;

/// How to fit and evaluate. The same plan on the same features gives the same files.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// What wrong answers are told from.
    pub mode: Mode,
    /// The detector's penalty.
    pub penalty: Penalty,
    /// The values of C to try.
    pub grid: Grid,
    /// Which of them is taken.
    pub choice: Choice,
    /// Folds of the cross-validation.
    pub folds: usize,
    /// How to solve.
    pub settings: Settings,
    /// How questions are divided; its seed is the seed of everything.
    pub split: SplitPlan,
    /// Resamples of the intervals.
    pub resamples: NonZeroU32,
    /// Shufflings of the permutation test; 0 for none.
    pub permutations: usize,
    /// Draws of random units; 0 for none.
    pub random_draws: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            penalty: Penalty::L1,
            grid: Grid::default(),
            choice: Choice::BestAuroc,
            folds: 5,
            settings: Settings::default(),
            split: SplitPlan::default(),
            resamples: const { NonZeroU32::new(2000).expect("2000 is not zero") },
            permutations: 200,
            random_draws: 50,
        }
    }
}

impl Plan {
    /// The bootstrap of the intervals.
    fn bootstrap(&self) -> Bootstrap {
        Bootstrap {
            draws: self.resamples,
            level: Level::P95,
            seed: self.split.seed,
        }
    }
}

/// Which C is taken from the cross-validated path (spec 2.11).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// The one with the best AUROC: for detecting.
    #[default]
    BestAuroc,
    /// The largest whose positive weights are at most so many per mille of the units: for intervening. 0.35 is the most in the paper.
    Sparse {
        /// Per mille of all units.
        per_mille: f64,
    },
    /// This one, without choosing: 1 in the released code.
    Fixed(f64),
}

/// A fitted detector with how it came about; all of it is written beside the detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The plan.
    pub plan: Plan,
    /// The path, one line per C.
    pub cross_validation: CrossValidation,
    /// The C that was taken.
    pub chosen: AtC,
    /// How the solver ended on all training rows.
    pub solver: Solver,
    /// Which question is for what.
    pub split: Split,
}

/// How the solver ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Solver {
    /// The objective.
    pub objective: f64,
    /// The largest violation of an optimality condition.
    pub violation: f64,
    /// Rounds.
    pub rounds: usize,
    /// Whether it converged.
    pub stopped: Stopped,
    /// H-units.
    pub positive: usize,
    /// H-units of a solution a hundred times less tight, and how many of them are the same: the set depends on the tolerance (spec 2.10).
    pub loose: Loose,
}

/// The H-units of a looser solution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loose {
    /// How many.
    pub positive: usize,
    /// How many both solutions have.
    pub shared: usize,
}

/// What a study is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub stage: Stage,
    /// Steps done.
    pub done: usize,
    /// Steps in all.
    pub of: usize,
}

/// A stage of a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading features.
    Reading,
    /// Cross-validating.
    Choosing,
    /// Fitting the detector.
    Fitting,
    /// Fitting all units.
    AllUnits,
    /// Fitting random units.
    RandomUnits,
    /// Shuffling labels.
    Permuting,
    /// Measuring.
    Measuring,
}

impl Stage {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reading => "reading features",
            Self::Choosing => "choosing C",
            Self::Fitting => "fitting the detector",
            Self::AllUnits => "fitting all units",
            Self::RandomUnits => "fitting random units",
            Self::Permuting => "shuffling labels",
            Self::Measuring => "measuring",
        }
    }
}

/// Who is told about the progress.
pub type Listener<'a> = &'a mut dyn FnMut(Event);

/// Why a study failed.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// Features cannot be read.
    #[error(transparent)]
    Features(#[from] FeaturesError),
    /// Questions cannot be divided.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// Nothing can be fitted.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The detector does not fit the features.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No unit was found.
    #[error(
        "no C on the path gives any unit a weight that counts: the features do not tell the classes apart; collect more questions, or try `l2` to see \
         whether there is any signal"
    )]
    NoUnits,
    /// Features of a model with other layers.
    #[error(
        "the detector is for a model of {detector}, and these features are of one of {features}: the two models must be of one shape"
    )]
    OtherShape {
        /// The detector's model.
        detector: Shape,
        /// The features' model.
        features: Shape,
    },
    /// A set has too little in it.
    #[error(
        "`{set}` has {faithful} faithful and {hallucinated} hallucinated answers that training has not seen, and both are needed"
    )]
    EmptySet {
        /// The set.
        set: String,
        /// Right answers.
        faithful: usize,
        /// Wrong answers.
        hallucinated: usize,
    },
}
