//! Whether silencing a language's units harms that language most: the diagonal of the matrix against its rows, its columns and random sets.

use std::fmt;

use serde::Serialize;

use super::matrix::{Matrix, MatrixError};

/// The largest value of a row or column outside the diagonal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rival {
    /// The language.
    pub language: String,
    /// The harm.
    pub harm: f64,
}

/// What random sets in the place of a language's set did to that language.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Controls {
    /// How many were drawn.
    pub draws: usize,
    /// Their mean harm.
    pub mean: f64,
    /// The largest harm among them.
    pub largest: f64,
}

/// One language.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The language.
    pub language: String,
    /// Units silenced.
    pub units: usize,
    /// Harm to the language itself.
    pub diagonal: f64,
    /// The other language that silencing this one harmed most.
    pub in_row: Option<Rival>,
    /// The other language whose silencing harmed this one most.
    pub in_column: Option<Rival>,
    /// Random sets of the same size per layer.
    pub controls: Option<Controls>,
}

impl Verdict {
    /// The language itself is harmed, and more than any other.
    pub fn dominates_row(&self) -> bool {
        self.diagonal > 0.0 && self.in_row.as_ref().is_none_or(|rival| self.diagonal > rival.harm)
    }

    /// The language itself is harmed, and by no other's silencing more.
    pub fn dominates_column(&self) -> bool {
        self.diagonal > 0.0 && self.in_column.as_ref().is_none_or(|rival| self.diagonal > rival.harm)
    }

    /// The harm passes that of every random set; `None` without any.
    pub fn passes_controls(&self) -> Option<bool> {
        self.controls.map(|controls| self.diagonal > controls.largest)
    }

    /// By how much the harm passes the mean of the random sets; `None` without any.
    pub fn over_controls(&self) -> Option<f64> {
        self.controls.map(|controls| self.diagonal - controls.mean)
    }
}

/// The judgement on a matrix. The language that was left out (English, whose units are shared with nearly all others) is in no figure but in
/// `left_out`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dominance {
    /// By language.
    pub verdicts: Vec<Verdict>,
    /// The language left out.
    pub left_out: Option<Verdict>,
    /// Languages that dominate their row.
    pub rows: usize,
    /// Languages that dominate their column.
    pub columns: usize,
    /// Languages whose harm passes every random set; `None` where one has no random set.
    pub past_controls: Option<usize>,
    /// Mean of the diagonal.
    pub mean_diagonal: f64,
    /// Mean of the rows outside the diagonal.
    pub mean_elsewhere: f64,
    /// Mean harm of random sets to the language in whose place they stood; `None` where one has no random set.
    pub mean_control: Option<f64>,
}

impl Matrix {
    /// Judges the changes in negative log-likelihood.
    pub fn dominance(&self, left_out: Option<&str>) -> Result<Dominance, MatrixError> {
        if let Some(language) = left_out.filter(|name| !self.languages.iter().any(|own| own == name)) {
            return Err(MatrixError::Unknown {
                language: language.to_owned(),
                known: self.languages.clone(),
            });
        }
        let all = 0..self.languages.len();
        let (left, verdicts): (Vec<_>, Vec<_>) = all
            .clone()
            .map(|k| self.verdict(k))
            .partition(|verdict| Some(verdict.language.as_str()) == left_out);
        let kept = all.clone().filter(|&k| Some(self.languages[k].as_str()) != left_out);
        let elsewhere = kept.flat_map(|row| {
            self.nll[row]
                .iter()
                .enumerate()
                .filter(move |&(column, _)| column != row)
        });
        let controls: Option<Vec<Controls>> = verdicts.iter().map(|verdict| verdict.controls).collect();
        let controls = controls.filter(|controls| !controls.is_empty());
        let count = |holds: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| holds(verdict)).count();
        Ok(Dominance {
            rows: count(Verdict::dominates_row),
            columns: count(Verdict::dominates_column),
            past_controls: controls
                .is_some()
                .then(|| count(|verdict| verdict.passes_controls() == Some(true))),
            mean_diagonal: mean(verdicts.iter().map(|verdict| verdict.diagonal)),
            mean_elsewhere: mean(elsewhere.map(|(_, &harm)| harm)),
            mean_control: controls.map(|controls| mean(controls.iter().map(|controls| controls.mean))),
            left_out: left.into_iter().next(),
            verdicts,
        })
    }

    fn verdict(&self, k: usize) -> Verdict {
        let rival = |harm: &dyn Fn(usize) -> f64| {
            let others = (0..self.languages.len()).filter(|&other| other != k);
            let largest = others.max_by(|&a, &b| harm(a).total_cmp(&harm(b)))?;
            Some(Rival {
                language: self.languages[largest].clone(),
                harm: harm(largest),
            })
        };
        let own: Vec<f64> = self.controls[k].iter().map(|draw| draw[k]).collect();
        let largest = own.iter().copied().max_by(f64::total_cmp);
        Verdict {
            language: self.languages[k].clone(),
            units: self.units[k],
            diagonal: self.nll[k][k],
            in_row: rival(&|other| self.nll[k][other]),
            in_column: rival(&|other| self.nll[other][k]),
            controls: largest.map(|largest| Controls {
                draws: own.len(),
                mean: mean(own.iter().copied()),
                largest,
            }),
        }
    }
}

/// The mean; 0 of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

impl fmt::Display for Dominance {
    /// How far the diagonal dominates, and where it does not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.verdicts.len();
        writeln!(
            f,
            "silencing a language's units harms that language most in {} of {all} rows and {} of {all} columns",
            self.rows, self.columns
        )?;
        write!(
            f,
            "mean change of the loss in nats per token: {:+.4} on the language itself, {:+.4} on others",
            self.mean_diagonal, self.mean_elsewhere
        )?;
        if let (Some(control), Some(past)) = (self.mean_control, self.past_controls) {
            write!(
                f,
                ", {control:+.4} by random units; {past} of {all} languages pass every random set"
            )?;
        }
        for verdict in &self.verdicts {
            if let (false, Some(rival)) = (verdict.dominates_row(), &verdict.in_row) {
                let (language, own) = (&verdict.language, verdict.diagonal);
                write!(
                    f,
                    "\n  {language}: {own:+.4} on itself, but {:+.4} on {}",
                    rival.harm, rival.language
                )?;
            }
            if let (Some(false), Some(controls)) = (verdict.passes_controls(), verdict.controls) {
                let (language, own) = (&verdict.language, verdict.diagonal);
                write!(
                    f,
                    "\n  {language}: {own:+.4}, but {:+.4} by random units",
                    controls.largest
                )?;
            }
        }
        if let Some(verdict) = &self.left_out {
            write!(
                f,
                "\n  left out: {} ({:+.4} on itself)",
                verdict.language, verdict.diagonal
            )?;
        }
        Ok(())
    }
}
