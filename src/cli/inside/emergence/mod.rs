//! `widedeep inside emergence`: multifractal spectra of weights, of one model or over a series of checkpoints.

mod choices;
mod model;
mod spectrum;
mod told;
mod trace;

use clap::Subcommand;

use crate::cli::Failure;

/// Multifractal analysis of weights (NeuroMFA): irregularity, heterogeneity, and E over a series of checkpoints
///
/// Neurons are nodes, and a weight w is an edge of length 1/|w|. Around sampled neurons boxes grow, and the way in which their masses scale gives a
/// spectrum f(α): the α at its top, α0, is the irregularity of the network, and its width the heterogeneity. Over training,
/// E = (w/w₀)·ln(α0₀/α0) is an index of structural self-organisation. It rises with mere growth of weights and in models that learn nothing, so it is
/// no score of capability, and its controls are printed with it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Spectrum(Box<spectrum::Arguments>),
    Trace(Box<trace::Arguments>),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Spectrum(arguments) => spectrum::run(arguments),
        Command::Trace(arguments) => trace::run(arguments),
    }
}
