//! What silencing a language's units does to every language: the matrix of changes in loss, beside random units of the same number.
//!
//! Loss is the mean negative log-likelihood of the actual tokens, weighted by tokens, in nats; perplexity is its exponential (specification, section
//! 7.3). A row is a silenced language, a column an evaluated one.

use serde::{Deserialize, Serialize};

/// The loss on a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Sum of the negative log-likelihoods of the predicted tokens, in nats.
    pub sum: f64,
    /// How many tokens were predicted.
    pub tokens: u64,
}

impl Loss {
    /// Nats per token.
    pub fn mean(self) -> f64 {
        self.sum / self.tokens as f64
    }

    /// e to the mean.
    pub fn perplexity(self) -> f64 {
        self.mean().exp()
    }
}

/// Losses under one silenced set, in the order of the languages evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Silenced {
    /// Number of units silenced.
    pub units: usize,
    /// By evaluated language.
    pub losses: Vec<Loss>,
    /// Random sets in the place of this one, each with its seed.
    pub controls: Vec<Control>,
}

/// Losses under a random set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// The seed that drew the set.
    pub seed: u64,
    /// By evaluated language.
    pub losses: Vec<Loss>,
}

/// All losses of the experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// The languages, silenced and evaluated in this order.
    pub languages: Vec<String>,
    /// With nothing silenced, by evaluated language.
    pub base: Vec<Loss>,
    /// By silenced language.
    pub silenced: Vec<Silenced>,
}

/// Why losses make no matrix.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MatrixError {
    /// A row or column is missing.
    #[error(
        "{what} holds {found} values for {expected} languages: every language is silenced once and evaluated every time"
    )]
    Size {
        /// Which list.
        what: String,
        /// Its length.
        found: usize,
        /// The number of languages.
        expected: usize,
    },
    /// A loss is no number.
    #[error(
        "{what} has no finite loss on language `{language}`: evaluate text of at least two tokens, and look for overflow in the model"
    )]
    NotFinite {
        /// Which list.
        what: String,
        /// The evaluated language.
        language: String,
    },
    /// The language to leave out is unknown.
    #[error("language `{language}` is not in the matrix: name one of {}", known.join(", "))]
    Unknown {
        /// The name.
        language: String,
        /// The matrix's languages.
        known: Vec<String>,
    },
}

/// The matrix of changes. Greater than 0 is harm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Matrix {
    /// The languages, rows and columns.
    pub languages: Vec<String>,
    /// Units silenced per row.
    pub units: Vec<usize>,
    /// Change of the mean negative log-likelihood in nats, `[silenced][evaluated]`.
    pub nll: Vec<Vec<f64>>,
    /// Change of the perplexity, `[silenced][evaluated]`.
    pub perplexity: Vec<Vec<f64>>,
    /// Change of the mean negative log-likelihood under random sets, `[silenced][draw][evaluated]`.
    pub controls: Vec<Vec<Vec<f64>>>,
}

impl Losses {
    /// Takes the losses with nothing silenced away from all others.
    pub fn matrix(&self) -> Result<Matrix, MatrixError> {
        let base = self.checked("the base", &self.base)?;
        let (found, expected) = (self.silenced.len(), self.languages.len());
        if found != expected {
            let what = "the list of silenced languages".to_owned();
            return Err(MatrixError::Size { what, found, expected });
        }
        let nll = |losses: &[Loss]| {
            losses
                .iter()
                .zip(base)
                .map(|(loss, base)| loss.mean() - base.mean())
                .collect::<Vec<_>>()
        };
        let perplexity = |losses: &[Loss]| {
            losses
                .iter()
                .zip(base)
                .map(|(loss, base)| loss.perplexity() - base.perplexity())
                .collect()
        };
        let mut matrix = Matrix {
            languages: self.languages.clone(),
            units: self.silenced.iter().map(|row| row.units).collect(),
            nll: Vec::new(),
            perplexity: Vec::new(),
            controls: Vec::new(),
        };
        for (row, language) in self.silenced.iter().zip(&self.languages) {
            let losses = self.checked(&format!("the row of silenced language `{language}`"), &row.losses)?;
            matrix.nll.push(nll(losses));
            matrix.perplexity.push(perplexity(losses));
            let mut controls = Vec::new();
            for control in &row.controls {
                let what = format!(
                    "the control of silenced language `{language}` with seed {}",
                    control.seed
                );
                controls.push(nll(self.checked(&what, &control.losses)?));
            }
            matrix.controls.push(controls);
        }
        Ok(matrix)
    }

    fn checked<'a>(&self, what: &str, losses: &'a [Loss]) -> Result<&'a [Loss], MatrixError> {
        let (found, expected) = (losses.len(), self.languages.len());
        if found != expected {
            let what = what.to_owned();
            return Err(MatrixError::Size { what, found, expected });
        }
        if let Some(broken) = losses.iter().position(|loss| !loss.mean().is_finite()) {
            let (what, language) = (what.to_owned(), self.languages[broken].clone());
            return Err(MatrixError::NotFinite { what, language });
        }
        Ok(losses)
    }
}
