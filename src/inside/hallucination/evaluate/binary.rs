//! Verdicts at a threshold, counted.

use serde::{Deserialize, Serialize};

use super::super::logistic::Class;

/// The table of a two-class verdict; positive means hallucinated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Binary {
    /// Right answers that were let through.
    pub true_negative: u64,
    /// Right answers called hallucinated.
    pub false_positive: u64,
    /// Wrong answers that were let through.
    pub false_negative: u64,
    /// Wrong answers called hallucinated.
    pub true_positive: u64,
}

impl Binary {
    /// Scores of at least the threshold are called positive.
    pub fn at(threshold: f64, scores: &[f64], classes: &[Class]) -> Self {
        Self::weighted(threshold, scores, classes, |_| 1)
    }

    /// The same with rows that count several times.
    pub(super) fn weighted(threshold: f64, scores: &[f64], classes: &[Class], times: impl Fn(usize) -> u32) -> Self {
        let mut table = Self::default();
        for (row, (&score, class)) in scores.iter().zip(classes).enumerate() {
            let cell = match (class, score >= threshold) {
                (Class::Negative, false) => &mut table.true_negative,
                (Class::Negative, true) => &mut table.false_positive,
                (Class::Positive, false) => &mut table.false_negative,
                (Class::Positive, true) => &mut table.true_positive,
            };
            *cell += u64::from(times(row));
        }
        table
    }

    /// Rows.
    pub fn n(&self) -> u64 {
        self.true_negative + self.false_positive + self.false_negative + self.true_positive
    }

    /// The share of right verdicts.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.true_negative + self.true_positive, self.n())
    }

    /// Of those called hallucinated, the share that is.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positive, self.true_positive + self.false_positive)
    }

    /// Of the hallucinated, the share that is called so.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positive, self.true_positive + self.false_negative)
    }

    /// Of the faithful, the share that is called hallucinated.
    pub fn false_positive_rate(&self) -> Option<f64> {
        ratio(self.false_positive, self.false_positive + self.true_negative)
    }

    /// F1 of the positive class: `2 TP / (2 TP + FP + FN)`.
    pub fn f1(&self) -> Option<f64> {
        ratio(
            2 * self.true_positive,
            2 * self.true_positive + self.false_positive + self.false_negative,
        )
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The threshold with the largest Youden's J (recall less false positive rate) on validation rows, midway between the scores that it parts; of equals the
/// lowest. `None` where one class is missing.
pub fn youden(scores: &[f64], classes: &[Class]) -> Option<f64> {
    let total = |class: Class| classes.iter().filter(|&&of| of == class).count() as f64;
    let (positive, negative) = (total(Class::Positive), total(Class::Negative));
    if positive == 0.0 || negative == 0.0 {
        return None;
    }
    let mut rows: Vec<(f64, Class)> = scores.iter().copied().zip(classes.iter().copied()).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Below everything all are called hallucinated: recall 1, false positives 1.
    let (mut best, mut threshold) = (0.0, rows[0].0);
    let mut j = 0.0;
    for pair in rows.windows(2) {
        let [(score, class), (next, _)] = pair else { continue };
        j += match class {
            Class::Positive => -1.0 / positive,
            Class::Negative => 1.0 / negative,
        };
        if next > score && j > best + 1e-12 {
            (best, threshold) = (j, score + (next - score) / 2.0);
        }
    }
    Some(threshold)
}
