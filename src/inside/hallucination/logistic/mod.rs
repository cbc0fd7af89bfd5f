//! Logistic regression with an L1 or L2 penalty, as the released code defines it (spec 2.10). With `sᵢ = ±1` for the class of row i and its importance `cᵢ`
//! (1, or what balances the classes):
//!
//! ```text
//! L1:  min  ‖w‖₁ + |b|          + C Σ cᵢ log(1 + exp(−sᵢ (w·xᵢ + b)))
//! L2:  min  ½‖w‖² + ½b²         + C Σ cᵢ log(1 + exp(−sᵢ (w·xᵢ + b)))
//! ```
//!
//! The intercept is penalised like a weight, since liblinear treats it as the weight of a constant feature. Features are neither centred nor scaled. The
//! loss is a sum: the same C regularises less where there are more rows.
//!
//! ```
//! use widedeep::inside::hallucination::{Columns, logistic::{Class::{Negative, Positive}, Labels, Penalty, Settings, fit}};
//!
//! // The first unit tells the classes apart, the second says nothing: only the first gets a weight.
//! let x = Columns::from_rows(&[[0.9_f32, 0.2], [0.8, 0.1], [0.1, 0.2], [0.2, 0.1]])?;
//! let labels = Labels::equal(&[Positive, Positive, Negative, Negative]);
//! let found = fit(&x, &labels, 10.0, Penalty::L1, &Settings::default())?;
//! assert!(found.weights[0] > 0.0 && found.weights[1] == 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `l1.rs` solves the first problem by working sets: Newton steps by coordinate descent over the units that matter, and a look at all units between. `l2.rs`
//! solves the second by Newton steps in the space of rows ([`Gram`]), of which there are far fewer than units. Both stop when no optimality condition is
//! violated by more than a tolerance.

mod cross;
mod fold;
mod gram;
mod l1;
mod l2;
mod labels;
mod newton;
mod path;
mod problem;

use serde::{Deserialize, Serialize};

use super::columns::{Columns, Value};
use problem::Problem;
pub(super) use problem::sigmoid;

pub use cross::{AtC, CrossValidation, Rows, cross_validate};
pub use fold::Folds;
pub use gram::Gram;
pub use labels::{Class, Labels};
pub use path::{Grid, largest_c_without_weights, path};

/// The penalty on the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Penalty {
    /// The sum of magnitudes: few weights differ from zero.
    L1,
    /// Half the sum of squares: every unit has a weight.
    L2,
}

/// Whether there is an intercept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Intercept {
    /// The weight of a constant feature 1, penalised like the others: the released code.
    #[default]
    Penalised,
    /// None, as equation 4 of the paper has it.
    Absent,
}

/// How to solve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether there is an intercept.
    pub intercept: Intercept,
    /// The largest violation of an optimality condition that is accepted, absolute (a subgradient of the penalty is at most 1 under L1).
    pub tolerance: f64,
    /// Rounds after which the solver gives up and says so.
    pub rounds: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            intercept: Intercept::Penalised,
            tolerance: 1e-5,
            rounds: 500,
        }
    }
}

/// How the solver ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stopped {
    /// All optimality conditions hold within the tolerance.
    Converged,
    /// The rounds were used up, or steps became too small for the arithmetic; [`Fit::violation`] says how far it came.
    Short,
}

/// A solution.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The penalty.
    pub penalty: Penalty,
    /// The weight of the loss.
    pub c: f64,
    /// One weight per column.
    pub weights: Vec<f64>,
    /// The intercept; 0 where there is none.
    pub bias: f64,
    /// The objective there.
    pub objective: f64,
    /// The largest violation of an optimality condition.
    pub violation: f64,
    /// Rounds that it took.
    pub rounds: usize,
    /// How it ended.
    pub stopped: Stopped,
}

impl Fit {
    /// The columns with a weight and their weights.
    pub fn nonzero(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.weights
            .iter()
            .copied()
            .enumerate()
            .filter(|&(_, weight)| weight != 0.0)
    }

    /// The columns with a positive weight: H-units.
    pub fn positive(&self) -> Vec<usize> {
        self.nonzero()
            .filter(|&(_, weight)| weight > 0.0)
            .map(|(column, _)| column)
            .collect()
    }

    /// `w · x + b` of every row.
    pub fn decisions<T: Value>(&self, x: &Columns<T>) -> Vec<f64> {
        x.times(self.nonzero(), self.bias)
    }
}

/// Why nothing can be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// Rows and labels differ in number.
    #[error("{rows} rows have {labels} labels")]
    Lengths {
        /// Rows.
        rows: usize,
        /// Labels.
        labels: usize,
    },
    /// Only one class has rows.
    #[error(
        "there are {positive} positive and {negative} negative rows: both classes need some; collect more questions"
    )]
    OneClass {
        /// Rows of hallucinated answers.
        positive: usize,
        /// Other rows.
        negative: usize,
    },
    /// A C that is none.
    #[error("C is {0}, and must be a positive number")]
    C(f64),
    /// A feature that is no number.
    #[error("column {0} holds a value that is not finite")]
    NotFinite(usize),
    /// The features say nothing at all.
    #[error("all features are zero or balance out exactly: there is nothing to fit")]
    Nothing,
    /// More folds than groups of a class.
    #[error(
        "{folds} folds need as many questions of each class, and there are {groups}: collect more, or use fewer folds"
    )]
    Folds {
        /// Folds.
        folds: usize,
        /// Questions of the rarer class.
        groups: usize,
    },
    /// The linear algebra gave up.
    #[error("the Newton step has no solution: the features are too large or not finite")]
    Singular,
}

/// Fits one model. For several values of C, [`path`] is faster.
pub fn fit<T: Value>(
    x: &Columns<T>,
    labels: &Labels,
    c: f64,
    penalty: Penalty,
    settings: &Settings,
) -> Result<Fit, FitError> {
    let mut fits = path(x, labels, &[c], penalty, settings)?;
    fits.pop().ok_or(FitError::C(c))
}
