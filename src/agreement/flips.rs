//! What discussion did: verdicts of layer 1 against those of the last layer.
//!
//! Judges who read their peers tend to adopt the majority, right or wrong (spec section 12). A gain in accuracy is `helped − hurt`;
//! a network that hurts as often as it helps has only spent tokens.

use serde::{Deserialize, Serialize};

use crate::pair::Label;

/// Counts of pairs by what happened between the first layer and the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Flips {
    /// The same verdict, right or wrong.
    pub unchanged: u64,
    /// From wrong to right.
    pub helped: u64,
    /// From right to wrong.
    pub hurt: u64,
    /// From one wrong verdict to another.
    pub neutral: u64,
}

impl Flips {
    /// Counts rows of (verdict of layer 1, verdict of the last layer, gold).
    pub fn of(rows: impl IntoIterator<Item = (Label, Label, Label)>) -> Self {
        let mut flips = Self::default();
        for (first, last, gold) in rows {
            if first == last {
                flips.unchanged += 1;
            } else if last == gold {
                flips.helped += 1;
            } else if first == gold {
                flips.hurt += 1;
            } else {
                flips.neutral += 1;
            }
        }
        flips
    }

    /// All pairs.
    pub fn n(&self) -> u64 {
        self.unchanged + self.helped + self.hurt + self.neutral
    }

    /// Pairs whose verdict changed.
    pub fn changed(&self) -> u64 {
        self.helped + self.hurt + self.neutral
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::Label::{Model1, Model2, Tie};

    #[test]
    fn every_change_is_a_help_a_hurt_or_neutral() {
        let flips = Flips::of([
            (Model1, Model1, Model1),
            (Model1, Model1, Tie),
            (Model1, Model2, Model2),
            (Model1, Model2, Model1),
            (Tie, Model2, Tie),
            (Model1, Model2, Tie),
        ]);
        assert_eq!(
            flips,
            Flips {
                unchanged: 2,
                helped: 1,
                hurt: 2,
                neutral: 1
            }
        );
        assert_eq!((flips.n(), flips.changed()), (6, 4));
    }
}
