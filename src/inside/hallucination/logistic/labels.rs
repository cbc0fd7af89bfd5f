//! What the rows are, and how much each counts.

use serde::{Deserialize, Serialize};

use super::FitError;
use crate::inside::hallucination::example::Truth;

/// The class of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Everything else.
    Negative,
    /// The answer of a hallucinated response.
    Positive,
}

impl From<Truth> for Class {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::Faithful => Self::Negative,
            Truth::Hallucinated => Self::Positive,
        }
    }
}

impl Class {
    /// ±1.
    pub fn sign(self) -> f64 {
        match self {
            Self::Negative => -1.0,
            Self::Positive => 1.0,
        }
    }
}

/// The classes of rows, with the importance of each; a row of importance 0 takes no part.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    pub(super) signs: Vec<f64>,
    pub(super) importance: Vec<f64>,
}

impl Labels {
    /// All rows count 1: what the released code does.
    pub fn equal(classes: &[Class]) -> Self {
        Self {
            signs: classes.iter().map(|class| class.sign()).collect(),
            importance: vec![1.0; classes.len()],
        }
    }

    /// Rows count N / (2 N of their class), so that both classes weigh the same (scikit-learn's `class_weight="balanced"`).
    pub fn balanced(classes: &[Class]) -> Self {
        let of = |class: Class| classes.iter().filter(|&&other| other == class).count().max(1) as f64;
        let (negative, positive) = (of(Class::Negative), of(Class::Positive));
        let n = classes.len() as f64;
        let importance = classes.iter().map(|class| match class {
            Class::Negative => n / (2.0 * negative),
            Class::Positive => n / (2.0 * positive),
        });
        Self {
            importance: importance.collect(),
            ..Self::equal(classes)
        }
    }

    /// The same without some rows: they keep their places and lose their importance.
    #[must_use]
    pub fn without(&self, rows: impl IntoIterator<Item = usize>) -> Self {
        let mut left = self.clone();
        for row in rows {
            left.importance[row] = 0.0;
        }
        left
    }

    /// How many rows there are, those without importance included.
    pub fn len(&self) -> usize {
        self.signs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.signs.is_empty()
    }

    /// Both classes need rows that count.
    pub(super) fn check(&self, rows: usize) -> Result<(), FitError> {
        if self.len() != rows {
            return Err(FitError::Lengths {
                rows,
                labels: self.len(),
            });
        }
        let counting = |sign: f64| {
            let rows = self.signs.iter().zip(&self.importance);
            rows.filter(|&(&of, &importance)| of * sign > 0.0 && importance > 0.0)
                .count()
        };
        let (positive, negative) = (counting(1.0), counting(-1.0));
        if positive == 0 || negative == 0 {
            Err(FitError::OneClass { positive, negative })
        } else {
            Ok(())
        }
    }
}
