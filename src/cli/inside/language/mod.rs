//! `widedeep inside language`: which units serve which languages.

mod compare;
mod count;
mod flags;
mod identify;
mod parts;
mod progress;
mod show;
mod silence;
mod steer;

use clap::Subcommand;

use crate::cli::Failure;

/// Find the units that serve a language, silence them, and steer with them
///
/// `count` runs text of several languages through a model and counts on how many tokens each unit is active; everything else starts from these counts.
/// Methods: arXiv 2505.21505 (`aligned`) and LAPE, arXiv 2402.16438 (`lape`).
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, with one text file per language in texts/:
  widedeep inside language count texts --out counts
  widedeep inside language identify counts/counts.npy --out units
  widedeep inside language parts units/units.json
  widedeep inside language silence units/units.json held-out --out silence
  widedeep inside language steer units/units.json --scale fr=3 --prompt 'The weather today is' --out steer")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Count(Box<count::Arguments>),
    Identify(Box<identify::Arguments>),
    Parts(parts::Arguments),
    Silence(Box<silence::Arguments>),
    Compare(Box<compare::Arguments>),
    Steer(Box<steer::Arguments>),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Count(arguments) => count::run(arguments),
        Command::Identify(arguments) => identify::run(arguments),
        Command::Parts(arguments) => parts::run(arguments),
        Command::Silence(arguments) => silence::run(arguments),
        Command::Compare(arguments) => compare::run(arguments),
        Command::Steer(arguments) => steer::run(arguments),
    }
}
