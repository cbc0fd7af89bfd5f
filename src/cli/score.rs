//! `widedeep score`: figures from a stored run, offline.

use std::path::PathBuf;

use super::money::TariffFlags;
use super::{Failure, failed, files, input, note, say, width};
use widedeep::network::aggregate::{Cell, Margin};
use widedeep::pair::Taxonomy;
use widedeep::report::{self, Reaggregate, RecomputeError};

/// Compute a run's figures again from its folder, without any model
///
/// Works on finished and interrupted runs. With --cell or --tie-margin the stored opinions are put together in another way. What is
/// stored never changes, and verdicts.csv, opinions.jsonl and metrics.json are rewritten only by the run's own cell, margin and taxonomy.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep score demo-run
  widedeep score demo-run --cell vote-neuron/last/expected
  widedeep score demo-run --tie-margin 0.5 --json")]
pub(crate) struct Arguments {
    /// Folder of the run
    run: PathBuf,

    /// Decide by this cell of the aggregation grid, written METHOD/LAYERS/SCORE: `mean`, `vote-call` or `vote-neuron`; `all` or `last`;
    /// `argmax` or `expected`
    #[arg(long)]
    cell: Option<Cell>,

    /// Decide for a tie where the two sides differ by no more than this: their means, or those of a voter where the cell votes
    #[arg(long, value_name = "POINTS")]
    tie_margin: Option<Margin>,

    /// File that maps datasets to task types and abilities, instead of the built-in one
    #[arg(long, value_name = "FILE")]
    taxonomy: Option<PathBuf>,

    #[command(flatten)]
    tariff: TariffFlags,

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
    let tariff = arguments.tariff.read()?;
    let mut recomputed =
        report::recompute(&arguments.run, &taxonomy, how).map_err(|error: RecomputeError| input(error))?;
    recomputed.metrics.cost = report::cost(&recomputed.store, &tariff).map_err(failed)?;
    // The files in the folder keep saying what the run itself said.
    let same_groups = recomputed.store.config().taxonomy == taxonomy.digest();
    if arguments.taxonomy.is_none() && !same_groups {
        note(
            "the run was judged under another taxonomy, and its files stay as they are: give that one with --taxonomy",
        );
    }
    if same_groups && how == Reaggregate::default() {
        let written = report::export(&recomputed.store, &arguments.run, &recomputed.metrics).map_err(failed)?;
        note(&files(&written));
    }
    if arguments.json {
        return say(&serde_json::to_string_pretty(&recomputed.metrics).map_err(failed)?);
    }
    say(&report::summary(&recomputed.metrics, width()))
}
