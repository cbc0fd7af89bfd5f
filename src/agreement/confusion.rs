//! The 3×3 table of gold against predicted labels, from which every label metric is computed.

use serde::{Deserialize, Serialize};

use crate::pair::Label;

/// One value per class, by name in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PerClass<T> {
    /// The value for [`Label::Model1`].
    pub model1: T,
    /// The value for [`Label::Model2`].
    pub model2: T,
    /// The value for [`Label::Tie`].
    pub tie: T,
}

impl<T> PerClass<T> {
    /// Computes the value of each class.
    pub fn from_fn(mut value: impl FnMut(Label) -> T) -> Self {
        Self {
            model1: value(Label::Model1),
            model2: value(Label::Model2),
            tie: value(Label::Tie),
        }
    }

    /// The value of one class.
    pub fn get(&self, label: Label) -> &T {
        match label {
            Label::Model1 => &self.model1,
            Label::Model2 => &self.model2,
            Label::Tie => &self.tie,
        }
    }
}

/// Counts of (gold, predicted). Shape: 3 gold rows × 3 predicted columns, both in the order of [`Label::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confusion {
    counts: [[u64; 3]; 3],
}

/// The row or column of a class.
pub(super) fn place(label: Label) -> usize {
    match label {
        Label::Model1 => 0,
        Label::Model2 => 1,
        Label::Tie => 2,
    }
}

impl Confusion {
    /// A table with known counts: `counts[gold][predicted]`.
    pub fn from_counts(counts: [[u64; 3]; 3]) -> Self {
        Self { counts }
    }

    /// The counts: `counts()[gold][predicted]`.
    pub fn counts(&self) -> [[u64; 3]; 3] {
        self.counts
    }

    /// Counts one row.
    pub fn add(&mut self, gold: Label, predicted: Label) {
        self.counts[place(gold)][place(predicted)] += 1;
    }

    /// Rows with this gold and this predicted label.
    pub fn count(&self, gold: Label, predicted: Label) -> u64 {
        self.counts[place(gold)][place(predicted)]
    }

    /// All rows.
    pub fn n(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Rows whose prediction equals the gold label.
    pub fn agreed(&self) -> u64 {
        Label::ALL.iter().map(|&label| self.count(label, label)).sum()
    }

    /// Rows with this gold label.
    pub fn gold(&self, label: Label) -> u64 {
        self.counts[place(label)].iter().sum()
    }

    /// Rows with this prediction.
    pub fn predicted(&self, label: Label) -> u64 {
        self.counts.iter().map(|row| row[place(label)]).sum()
    }

    /// The same table without the rows of one gold label (predictions of it by other rows stay).
    #[must_use]
    pub fn without_gold(mut self, label: Label) -> Self {
        self.counts[place(label)] = [0; 3];
        self
    }
}

impl Extend<(Label, Label)> for Confusion {
    fn extend<I: IntoIterator<Item = (Label, Label)>>(&mut self, rows: I) {
        for (gold, predicted) in rows {
            self.add(gold, predicted);
        }
    }
}

impl FromIterator<(Label, Label)> for Confusion {
    fn from_iter<I: IntoIterator<Item = (Label, Label)>>(rows: I) -> Self {
        let mut confusion = Self::default();
        confusion.extend(rows);
        confusion
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::Label::{Model1, Model2, Tie};

    #[test]
    fn rows_are_gold_and_columns_are_predicted() {
        let confusion: Confusion = [(Model1, Tie), (Model1, Tie), (Tie, Model2), (Model2, Model2)]
            .into_iter()
            .collect();
        assert_eq!(confusion.counts(), [[0, 0, 2], [0, 1, 0], [0, 1, 0]]);
        assert_eq!(confusion.gold(Model1), 2);
        assert_eq!(confusion.predicted(Model2), 2);
        assert_eq!((confusion.n(), confusion.agreed()), (4, 1));
    }

    #[test]
    fn leaving_out_a_gold_class_keeps_predictions_of_it() {
        let confusion = Confusion::from_counts([[1, 2, 3], [4, 5, 6], [7, 8, 9]]).without_gold(Tie);
        assert_eq!(confusion.gold(Tie), 0);
        assert_eq!(confusion.predicted(Tie), 9);
    }
}
