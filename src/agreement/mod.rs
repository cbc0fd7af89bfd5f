//! Agreement between predicted and human labels: one measure per file, all pure functions (spec sections 8 and 11).
//!
//! Everything that looks at labels alone starts from a [`Confusion`], which is built from `(gold, predicted)` pairs:
//!
//! ```
//! use widedeep::agreement::{AbsentClasses, Confusion, accuracy, kappa, macro_f1};
//! use widedeep::pair::Label::{Model1, Model2, Tie};
//!
//! let confusion: Confusion = [(Model1, Model1), (Model2, Model1), (Tie, Tie)].into_iter().collect();
//! assert_eq!(accuracy(&confusion), Some(2.0 / 3.0));
//! assert_eq!(kappa(&confusion), Some(0.5));
//! assert!(macro_f1(&confusion, AbsentClasses::Skip) > Some(0.55));
//! ```
//!
//! A measure that is undefined is `None`, never 0 or 1: kappa of two constant, equal labellings; recall of a class that the
//! gold labels do not have; anything over no rows.
//!
//! [`Summary`] holds all of them for one set of rows and [`by_group`] does the same per dataset; [`Comparison`] sets two
//! predictors side by side on the same rows.

mod accuracy;
mod bootstrap;
mod confusion;
mod f1;
mod flips;
mod groups;
mod hitlc;
mod holm;
mod interval;
mod kappa;
mod mcnemar;
#[cfg(test)]
mod oracles;
mod paired;
mod position;
mod recall;
mod repeated;
mod resample;
mod spread;
mod summary;
mod wilson;

pub use self::{
    accuracy::accuracy,
    bootstrap::{Bootstrap, Intervals, KappaInterval},
    confusion::{Confusion, PerClass},
    f1::{AbsentClasses, f1, macro_f1},
    flips::Flips,
    groups::by_group,
    hitlc::{Share, ShareError, bpde, hand_over, replaced},
    holm::holm,
    interval::{Interval, Level, LevelError},
    kappa::kappa,
    mcnemar::McNemar,
    paired::{Comparison, Difference, KappaDifference},
    position::{PositionBias, PositionSums, conflict_rate},
    recall::{recall, recalls},
    spread::Spread,
    summary::Summary,
    wilson::wilson,
};
