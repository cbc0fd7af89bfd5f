//! The figures of a run from its folder alone, also by another cell of the aggregation grid.

use std::path::{Path, PathBuf};

use super::metrics::{Gathering, Metrics, bootstrap};
use crate::{
    network::{
        Opinion,
        aggregate::{Cell, Margin, Reading, aggregate},
        spec::Aggregate,
    },
    pair::Taxonomy,
    run::{Judge, Judged, Store, StoreError},
};

/// Decide by these instead of the run's own; the default changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reaggregate {
    /// Another cell.
    pub cell: Option<Cell>,
    /// Another tie margin.
    pub tie_margin: Option<Margin>,
}

/// A run, read again.
#[derive(Debug)]
pub struct Recomputed {
    /// The figures.
    pub metrics: Metrics,
    /// The run, as it is on disk.
    pub store: Store,
}

impl Recomputed {
    /// Hands over the finished pairs one by one, in source order, with the verdicts that the figures are of.
    pub fn each_judged<E: From<StoreError>>(&self, take: impl FnMut(Judged) -> Result<(), E>) -> Result<(), E> {
        each_decided(&self.store, &self.metrics, take)
    }

    /// All of them.
    pub fn judged(&self) -> Result<Vec<Judged>, StoreError> {
        let mut all = Vec::new();
        self.each_judged(|judged| {
            all.push(judged);
            Ok::<(), StoreError>(())
        })?;
        Ok(all)
    }
}

/// The finished pairs one by one, with verdicts by the cell and tie margin of these figures.
pub(super) fn each_decided<E: From<StoreError>>(
    store: &Store,
    metrics: &Metrics,
    mut take: impl FnMut(Judged) -> Result<(), E>,
) -> Result<(), E> {
    store.each_judged(|mut judged| {
        if let Some(by) = metrics.run.aggregate {
            reaggregate(std::slice::from_mut(&mut judged), by);
        }
        take(judged)
    })
}

/// Why a run cannot be read again as asked.
#[derive(Debug, thiserror::Error)]
pub enum RecomputeError {
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A baseline has no opinions.
    #[error(
        "the run in `{path}` is of the baseline `{baseline}`, which has no opinions to decide by: leave out the cell and the tie margin"
    )]
    NoOpinions {
        /// The run's folder.
        path: PathBuf,
        /// The baseline.
        baseline: &'static str,
    },
    /// The cell reads expected scores, and there are none.
    #[error(
        "the cell `{cell}` reads expected scores, but no opinion of the run in `{path}` has a score distribution: name a cell that ends in `argmax`"
    )]
    NoDistributions {
        /// The run's folder.
        path: PathBuf,
        /// The cell.
        cell: Cell,
    },
}

/// Opens the run in `folder` and computes its figures; the store is not changed. Without another cell or margin they are those that the run
/// itself ended with.
pub fn recompute(folder: &Path, taxonomy: &Taxonomy, again: Reaggregate) -> Result<Recomputed, RecomputeError> {
    let store = Store::open(folder)?;
    let mut config = store.config().clone();
    let mut from = None;
    match &mut config.judge {
        Judge::Baseline(baseline) => {
            if again != Reaggregate::default() {
                return Err(RecomputeError::NoOpinions {
                    path: folder.to_owned(),
                    baseline: baseline.name(),
                });
            }
        }
        Judge::Network { network, .. } => {
            let by = Aggregate {
                cell: again.cell.unwrap_or(network.aggregate.cell),
                tie_margin: again.tie_margin.unwrap_or(network.aggregate.tie_margin),
            };
            if by != network.aggregate {
                from = Some(std::mem::replace(&mut network.aggregate, by));
            }
        }
    }
    let bootstrap = bootstrap(&config);
    let mut gathering = Gathering::new(&config, taxonomy, bootstrap);
    store.each_judged(|mut judged| {
        if let (Some(_), Judge::Network { network, .. }) = (from, &config.judge) {
            reaggregate(std::slice::from_mut(&mut judged), network.aggregate);
        }
        gathering.add(&judged);
        Ok::<(), StoreError>(())
    })?;
    let mut metrics = gathering.finish(store.size()?);
    metrics.run.reaggregated_from = from;
    if let (Some(_), Some(grid)) = (from, &metrics.grid)
        && grid.chosen.reading == Reading::Expected
        && grid.row(grid.chosen).is_some_and(|row| row.score.is_none())
    {
        return Err(RecomputeError::NoDistributions {
            path: folder.to_owned(),
            cell: grid.chosen,
        });
    }
    Ok(Recomputed { metrics, store })
}

/// Decides every pair that has opinions again, from their scores.
pub fn reaggregate(judged: &mut [Judged], by: Aggregate) {
    for pair in judged {
        if let Some(evaluation) = &pair.evaluation {
            let votes: Vec<_> = evaluation.opinions.iter().map(Opinion::vote).collect();
            pair.decision = aggregate(&votes, by.cell, by.tie_margin);
            pair.verdict = pair.decision.map(|decision| decision.label);
        }
    }
}
