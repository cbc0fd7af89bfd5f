//! `widedeep inside`: analyses of the model itself.

mod bricks;

use clap::Subcommand;

use super::Failure;

/// Look inside a local model: what its units do, and what follows from changing them
///
/// The analyses read the activations and weights of a GGUF model on this machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    analysis: Analysis,
}

#[derive(Debug, Subcommand)]
enum Analysis {
    // Described where their flags are.
    Bricks(bricks::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.analysis {
        Analysis::Bricks(arguments) => bricks::run(arguments),
    }
}
