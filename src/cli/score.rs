//! `widedeep score`: figures from a stored run, offline.

use std::path::PathBuf;

use super::{Failure, failed, files, input, note, say, width};
use widedeep::network::aggregate::{Cell, Margin};
use widedeep::pair::Taxonomy;
use widedeep::report::{self, Reaggregate, RecomputeError};

/// Recompute a run's figures from its store, without any model.
///
/// Works on finished and interrupted runs. With --cell or --tie-margin the stored opinions are put together in another way; the store
/// itself is never changed, and the files in the folder are rewritten only if nothing is put together differently.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep score demo-run
  widedeep score demo-run --cell vote-neuron/last/expected
  widedeep score demo-run --tie-margin 0.5 --json")]
pub(crate) struct Arguments {
    /// Folder of the run
    run: PathBuf,

    /// Decide by this cell of the grid: mean, vote-call or vote-neuron / all or last / argmax or expected
    #[arg(long)]
    cell: Option<Cell>,

    /// Call means that differ by no more than this a tie
    #[arg(long, value_name = "POINTS")]
    tie_margin: Option<Margin>,

    /// File that maps datasets to task types and abilities, instead of the built-in one
    #[arg(long, value_name = "FILE")]
    taxonomy: Option<PathBuf>,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let taxonomy = match &arguments.taxonomy {
        Some(path) => Taxonomy::load(path).map_err(input)?,
        None => Taxonomy::embedded(),
    };
    let how = Reaggregate {
        cell: arguments.cell,
        tie_margin: arguments.tie_margin,
    };
    let recomputed = report::recompute(&arguments.run, &taxonomy, how).map_err(|error: RecomputeError| input(error))?;
    if arguments.cell.is_none() && arguments.tie_margin.is_none() {
        let written = report::export(&recomputed.store, &arguments.run, &recomputed.metrics).map_err(failed)?;
        note(&files(&written));
    }
    if arguments.json {
        return say(&serde_json::to_string_pretty(&recomputed.metrics).map_err(failed)?);
    }
    say(&report::summary(&recomputed.metrics, width()))
}
