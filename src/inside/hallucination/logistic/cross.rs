//! Choosing C by cross-validation over questions.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Class, Fit, FitError, Folds, Gram, Labels, Penalty, Settings, path::path_of_gram};
use crate::inside::hallucination::{
    columns::{Columns, Value},
    evaluate::auroc,
};

/// The rows of a cross-validation.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The class of every row.
    pub classes: &'a [Class],
    /// How much every row counts.
    pub labels: &'a Labels,
    /// The rows that held-out folds are scored on, ascending: answers only, whatever the training is against (spec 2.9).
    pub scored: &'a [usize],
    /// The folds.
    pub folds: &'a Folds,
}

/// What cross-validation found at one C.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AtC {
    /// C.
    pub c: f64,
    /// Mean over folds of the AUROC on held-out answers.
    pub auroc: f64,
    /// Its standard error over folds.
    pub auroc_se: f64,
    /// Share of held-out answers on the right side of a probability of one half.
    pub accuracy: f64,
    /// Mean number of units with a weight.
    pub nonzero: f64,
    /// Mean number of units with a positive weight.
    pub positive: f64,
    /// Mean Jaccard index of the positive sets of two folds: 1 where they are the same. `None` where no fold has any.
    pub stability: Option<f64>,
    /// Folds whose solver did not converge.
    pub short: usize,
}

/// A cross-validated path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossValidation {
    /// One per C, ascending.
    pub path: Vec<AtC>,
}

impl CrossValidation {
    /// The C with the best AUROC; of equals, the smallest, which regularises most.
    pub fn best(&self) -> Option<&AtC> {
        self.path.iter().rev().max_by(|a, b| a.auroc.total_cmp(&b.auroc))
    }

    /// The best C among those with at most so many positive units, for a set that is to be intervened on (spec 2.11 b); of these the largest C.
    pub fn largest_within(&self, positive: f64) -> Option<&AtC> {
        self.path
            .iter()
            .rfind(|at| at.positive <= positive && at.positive > 0.0)
    }
}

/// What a fold yields at one C.
struct Held {
    auroc: f64,
    right: usize,
    of: usize,
    nonzero: usize,
    positive: Vec<usize>,
    converged: bool,
}

/// Fits the path in every fold on the other folds' rows, and scores the fold's answers.
pub fn cross_validate<T: Value>(
    x: &Columns<T>,
    gram: Option<&Gram>,
    rows: Rows<'_>,
    cs: &[f64],
    penalty: Penalty,
    settings: &Settings,
) -> Result<CrossValidation, FitError> {
    let in_fold = |fold: usize| -> Result<Vec<Held>, FitError> {
        let out: Vec<usize> = rows.folds.held_out(fold).collect();
        let labels = rows.labels.without(out.iter().copied());
        let is_scored = |row: &usize| rows.scored.binary_search(row).is_ok();
        let scored: Vec<usize> = out.into_iter().filter(is_scored).collect();
        let fits = match (penalty, gram) {
            (Penalty::L2, Some(gram)) => path_of_gram(x, gram, &labels, cs, settings)?,
            _ => super::path(x, &labels, cs, penalty, settings)?,
        };
        Ok(fits.iter().map(|fit| judge(fit, x, rows.classes, &scored)).collect())
    };
    let held: Vec<Vec<Held>> = (0..rows.folds.count())
        .into_par_iter()
        .map(in_fold)
        .collect::<Result<_, _>>()?;
    let path = cs
        .iter()
        .enumerate()
        .map(|(nth, &c)| summarise(c, held.iter().map(|fold| &fold[nth])));
    Ok(CrossValidation { path: path.collect() })
}

fn judge<T: Value>(fit: &Fit, x: &Columns<T>, classes: &[Class], scored: &[usize]) -> Held {
    let decisions = fit.decisions(x);
    let scores: Vec<f64> = scored.iter().map(|&row| decisions[row]).collect();
    let own: Vec<Class> = scored.iter().map(|&row| classes[row]).collect();
    let right = scores
        .iter()
        .zip(&own)
        .filter(|&(&score, &class)| (score > 0.0) == (class == Class::Positive));
    Held {
        // Held-out answers of one class alone say nothing.
        auroc: auroc(&scores, &own).unwrap_or(0.5),
        right: right.count(),
        of: own.len(),
        nonzero: fit.nonzero().count(),
        positive: fit.positive(),
        converged: fit.stopped == super::Stopped::Converged,
    }
}

fn summarise<'a>(c: f64, folds: impl Iterator<Item = &'a Held> + Clone) -> AtC {
    let n = folds.clone().count() as f64;
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / n;
    let auroc = mean(&mut folds.clone().map(|fold| fold.auroc));
    let variance = folds.clone().map(|fold| (fold.auroc - auroc).powi(2)).sum::<f64>() / (n - 1.0);
    let (right, of) = folds
        .clone()
        .fold((0, 0), |(right, of), fold| (right + fold.right, of + fold.of));
    let sets: Vec<&[usize]> = folds.clone().map(|fold| fold.positive.as_slice()).collect();
    AtC {
        c,
        auroc,
        auroc_se: (variance / n).sqrt(),
        accuracy: right as f64 / of.max(1) as f64,
        nonzero: mean(&mut folds.clone().map(|fold| fold.nonzero as f64)),
        positive: mean(&mut folds.clone().map(|fold| fold.positive.len() as f64)),
        stability: mean_jaccard(&sets),
        short: folds.filter(|fold| !fold.converged).count(),
    }
}

/// The mean Jaccard index over pairs of ascending sets of which at least one is not empty; `None` without such a pair.
pub(in crate::inside::hallucination) fn mean_jaccard(sets: &[&[usize]]) -> Option<f64> {
    let pairs = sets
        .iter()
        .enumerate()
        .flat_map(|(nth, one)| sets[nth + 1..].iter().map(move |other| (*one, *other)));
    let indices: Vec<f64> = pairs
        .filter(|(one, other)| !(one.is_empty() && other.is_empty()))
        .map(|(one, other)| {
            let shared = one.iter().filter(|unit| other.binary_search(unit).is_ok()).count();
            shared as f64 / (one.len() + other.len() - shared) as f64
        })
        .collect();
    (!indices.is_empty()).then(|| indices.iter().sum::<f64>() / indices.len() as f64)
}
