//! `widedeep inside topology`: complex-network metrics of networks and models.

mod compare;
mod failure;
mod flags;
mod measure;
mod progress;
mod shown;

use clap::Subcommand;

use crate::cli::Failure;

/// Complex-network topology: link weights, node strengths, fluctuation, disparity
///
/// A network's weights are seen as a graph: nodes are units, links are signed weights. A node's strength is the sum of its links, a layer's
/// fluctuation the spread of its nodes' strengths, and a node's disparity says whether one link dominates. With inputs or a text, activations and
/// strengths under data come beside them (a reconstruction, and marked so). For transformers all this is an extension that is in no paper.
///
/// What is measured is one of
///   NETWORK.toml   a small network: a file that names layers and the tensors of an .npz or .safetensors file beside it
///   MODEL          a name from `widedeep models list`, a GGUF file, a .safetensors checkpoint or the folder of one (with config.json)
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    // Described where their flags are.
    Measure(measure::Arguments),
    Compare(compare::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Measure(arguments) => measure::run(arguments),
        Command::Compare(arguments) => compare::run(arguments),
    }
}
