//! `widedeep inside`: analyses of a model itself, from its weights and activations.

mod bricks;
mod emergence;
mod language;
mod topology;

use clap::Subcommand;

use super::Failure;

/// Look inside a model: what its weights and activations are like
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    analysis: Analysis,
}

#[derive(Debug, Subcommand)]
enum Analysis {
    // Described where their flags are.
    Language(Box<language::Arguments>),
    Bricks(bricks::Arguments),
    Emergence(emergence::Arguments),
    Topology(topology::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.analysis {
        Analysis::Language(arguments) => language::run(arguments),
        Analysis::Bricks(arguments) => bricks::run(arguments),
        Analysis::Emergence(arguments) => emergence::run(arguments),
        Analysis::Topology(arguments) => topology::run(arguments),
    }
}
