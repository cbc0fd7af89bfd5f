//! `widedeep inside bricks`: parts of a model that are found, measured, taken out, combined, changed and added.

mod grow;
mod merge;
mod partition;
mod prune;
mod route;
mod sparsity;
mod specialise;
mod texts;
mod update;

use clap::Subcommand;

use crate::cli::Failure;

/// Find the units that serve one function (code, another language …), and change models by them
///
/// A brick is a set of units of the feed-forward layers that serve one function: a kind of text. The functions are labelled texts: five small sets come with the program (code, mathematics, prose, german, dialogue); give
/// your own with --functions.
#[derive(Debug, clap::Args)]
#[command(after_help = "Start here:
  widedeep inside bricks specialise smollm2-135m --out bricks
  widedeep inside bricks prune smollm2-135m --out bricks
  widedeep edit smollm2-135m --units bricks/german.json --scale 0 --form gguf --out without-german.gguf")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Debug, Subcommand)]
enum Operation {
    // Described where their flags are.
    Sparsity(sparsity::Arguments),
    Specialise(specialise::Arguments),
    Partition(partition::Arguments),
    Prune(prune::Arguments),
    Route(route::Arguments),
    Merge(merge::Arguments),
    Update(update::Arguments),
    Grow(grow::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.operation {
        Operation::Sparsity(arguments) => sparsity::run(arguments),
        Operation::Specialise(arguments) => specialise::run(arguments),
        Operation::Partition(arguments) => partition::run(arguments),
        Operation::Prune(arguments) => prune::run(arguments),
        Operation::Route(arguments) => route::run(arguments),
        Operation::Merge(arguments) => merge::run(arguments),
        Operation::Update(arguments) => update::run(arguments),
        Operation::Grow(arguments) => grow::run(arguments),
    }
}
