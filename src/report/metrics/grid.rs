//! The whole aggregation grid over the same opinions: cells disagree on real inputs (spec 7), so a figure without its neighbours says little.

use serde::Serialize;

use super::Voted;
use crate::{
    agreement::{AbsentClasses, Confusion, accuracy, kappa, macro_f1},
    network::{
        aggregate::{Cell, Margin, Reading, aggregate},
        spec::Aggregate,
    },
    pair::Label,
};

/// Every cell of the aggregation grid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grid {
    /// The tie margin of all of them.
    pub tie_margin: Margin,
    /// The cell that the verdicts are by.
    pub chosen: Cell,
    /// All twelve, in the order of [`Cell::grid`].
    pub cells: Vec<CellRow>,
}

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CellRow {
    /// Which.
    pub cell: Cell,
    /// Whether the verdicts are by it.
    pub chosen: bool,
    /// Its figures; null when no opinion of the run has what the cell reads (the model gave no distributions).
    pub score: Option<CellScore>,
}

/// What a cell would have given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CellScore {
    /// Pairs that the cell decides.
    pub decided: usize,
    /// Of these, with a human label: the N of accuracy, macro-F1 and kappa.
    pub n: u64,
    /// Share of exact matches; null without labels.
    pub accuracy: Option<f64>,
    /// Macro-F1 over all three classes; null without labels.
    pub macro_f1_all: Option<f64>,
    /// Cohen's kappa; null where it is undefined.
    pub kappa: Option<f64>,
    /// Share of ties among the decided pairs; null when there are none.
    pub tie_rate: Option<f64>,
}

/// The grid in the making.
pub(super) struct Sums {
    by: Aggregate,
    cells: Vec<(Cell, Sum)>,
    /// Whether an opinion has an expected score.
    expected: bool,
}

#[derive(Default)]
struct Sum {
    decided: usize,
    ties: usize,
    confusion: Confusion,
}

impl Sums {
    pub(super) fn new(by: Aggregate) -> Self {
        Self {
            by,
            cells: Cell::grid().into_iter().map(|cell| (cell, Sum::default())).collect(),
            expected: false,
        }
    }

    pub(super) fn add(&mut self, pair: &Voted<'_>) {
        self.expected |= pair.votes.iter().any(|vote| vote.pair(Reading::Expected).is_some());
        for (cell, sum) in &mut self.cells {
            let Some(decision) = aggregate(&pair.votes, *cell, self.by.tie_margin) else {
                continue;
            };
            sum.decided += 1;
            sum.ties += usize::from(decision.label == Label::Tie);
            if let Some(gold) = pair.judged.pair.label {
                sum.confusion.add(gold, decision.label);
            }
        }
    }

    pub(super) fn finish(self) -> Grid {
        let row = |(cell, sum): (Cell, Sum)| CellRow {
            cell,
            chosen: cell == self.by.cell,
            // Even a run without a single readable reply was asked for scores: its argmax cells decide nothing, and say so.
            score: (cell.reading == Reading::Argmax || self.expected).then(|| sum.finish()),
        };
        Grid {
            tie_margin: self.by.tie_margin,
            chosen: self.by.cell,
            cells: self.cells.into_iter().map(row).collect(),
        }
    }
}

impl Grid {
    /// The row of a cell.
    pub fn row(&self, cell: Cell) -> Option<&CellRow> {
        self.cells.iter().find(|row| row.cell == cell)
    }
}

impl Sum {
    fn finish(self) -> CellScore {
        let Self {
            decided,
            ties,
            confusion,
        } = self;
        CellScore {
            decided,
            n: confusion.n(),
            accuracy: accuracy(&confusion),
            macro_f1_all: macro_f1(&confusion, AbsentClasses::CountAsZero),
            kappa: kappa(&confusion),
            tie_rate: (decided > 0).then(|| ties as f64 / decided as f64),
        }
    }
}
