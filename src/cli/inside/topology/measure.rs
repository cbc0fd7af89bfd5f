//! `widedeep inside topology measure`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use widedeep::inside::topology::{
    BaselineBlocks, ModelPlan, export_model, export_network, measure_model, measure_network,
};

use super::failure::sorted;
use super::flags::{Graph, Measured, Text};
use super::progress::Progress;
use super::shown;
use crate::cli::{Failure, failed, say};

/// Measure one network or model
///
/// Prints a summary; `--out` gets everything: link statistics per matrix, strengths and disparities per set of nodes, node values, figures, and with
/// inputs or a text the metrics that depend on them. Of a model, the matrices' norms are folded in; values of the matrices as stored stand beside.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// NETWORK.toml, or a model: a name, a GGUF file, a checkpoint
    subject: String,

    #[command(flatten)]
    graph: Graph,

    #[command(flatten)]
    text: Text,

    /// Of models: of which blocks the strengths of shuffled weights are made, beside which a real strength means something
    #[arg(long, value_enum, default_value = "some")]
    baselines: BaselineFlag,

    /// Of shuffles and samples
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Folder for CSV, JSON and SVG files
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum BaselineFlag {
    None,
    /// The first, the middle and the last block
    Some,
    All,
}

impl From<BaselineFlag> for BaselineBlocks {
    fn from(flag: BaselineFlag) -> Self {
        match flag {
            BaselineFlag::None => Self::None,
            BaselineFlag::Some => Self::Some,
            BaselineFlag::All => Self::All,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match Measured::resolve(&arguments.subject)? {
        Measured::Network(path) => network(arguments, &path),
        Measured::Model(path) => model(arguments, &path),
    }
}

fn network(arguments: &Arguments, path: &Path) -> Result<(), Failure> {
    let graph = &arguments.graph;
    graph.for_network(&arguments.text)?;
    let measured = measure_network(path, graph.convention(), graph.flow()).map_err(sorted)?;
    let written = match &arguments.out {
        Some(folder) => export_network(folder, &measured, arguments.seed).map_err(failed)?,
        None => Vec::new(),
    };
    say(&shown::network(&measured))?;
    wrote(&written)
}

fn model(arguments: &Arguments, path: &Path) -> Result<(), Failure> {
    let graph = &arguments.graph;
    graph.for_model()?;
    let text = &arguments.text;
    let reading = text
        .path
        .as_deref()
        .map(|file| text.reading(file, graph.flow()))
        .transpose()?;
    let plan = ModelPlan {
        skip: graph.skip(),
        baselines: arguments.baselines.into(),
        seed: arguments.seed,
        reading,
    };
    let mut progress = Progress::new();
    let measured = measure_model(path, &plan, &mut |step| progress.hear(&arguments.subject, step));
    drop(progress);
    let (_, measured) = measured.map_err(sorted)?;
    shown::warn_of_few_tokens(measured.read.iter());
    let written = match &arguments.out {
        Some(folder) => export_model(folder, &measured).map_err(failed)?,
        None => Vec::new(),
    };
    say(&shown::model(&measured))?;
    wrote(&written)
}

/// Says where the files are.
pub(super) fn wrote(files: &[PathBuf]) -> Result<(), Failure> {
    let Some(folder) = files.first().and_then(|file| file.parent()) else {
        return Ok(());
    };
    let names: Vec<String> = files
        .iter()
        .filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned()))
        .collect();
    say(&format!("\nwrote to {}: {}", folder.display(), names.join(", ")))
}
