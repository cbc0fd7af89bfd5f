//! `widedeep networks`: what is shipped, and the text of one as a start for a file of one's own.

use clap::Subcommand;
use comfy_table::{Table, presets};

use super::{Failure, input, say};
use widedeep::network::spec::Roles;
use widedeep::network::{Network, SHIPPED, shipped};
use widedeep::run::Baseline;

/// List the shipped networks, or show one's file
///
/// Networks are TOML files. `eval --network` takes the shipped ones by name, and a file of your own by its path.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Name, shape and purpose of every shipped network and baseline
    List,
    /// Print a shipped network's file, to start one of your own from
    ///
    /// The comments in the files explain the keys. Save a copy, change it, and give its path to `eval --network`:
    /// `widedeep networks show widedeep > mine.toml`.
    Show {
        /// A name from `widedeep networks list`
        name: String,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::List => say(&list()?),
        Command::Show { name } => match shipped(name) {
            Some(text) => say(text.trim_end()),
            None => Err(input(anyhow::anyhow!(
                "there is no shipped network `{name}`; there are {}",
                names().join(", ")
            ))),
        },
    }
}

/// Names of the shipped networks.
pub(crate) fn names() -> Vec<&'static str> {
    SHIPPED.iter().map(|(name, _)| *name).collect()
}

fn list() -> Result<String, Failure> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["network", "roles", "layers", "decides by", "what it is"]);
    for (name, text) in SHIPPED {
        let network = Network::parse(text, name, &[]).map_err(input)?;
        let roles = match &network.roles {
            Roles::Generated { cap: Some(cap), .. } => format!("generated, up to {cap}"),
            Roles::Generated { limit: Some(limit), .. } => format!("generated, {limit}"),
            Roles::Generated { .. } => "generated".to_owned(),
            Roles::Fixed { names } => format!("{} fixed", names.len()),
            Roles::None => "none".to_owned(),
        };
        let (layers, cell) = (network.layers.len().to_string(), network.aggregate.cell.to_string());
        table.add_row([name.to_owned(), roles, layers, cell, network.summary]);
    }
    for baseline in Baseline::ALL {
        let what = match baseline {
            Baseline::Longer => "the longer response wins; needs no model",
            Baseline::AlwaysModel1 => "the first response wins; needs no model",
        };
        table.add_row([baseline.name(), "–", "–", "–", what]);
    }
    Ok(table.to_string())
}
