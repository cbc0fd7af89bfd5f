//! `widedeep inside topology compare`.

use std::path::{Path, PathBuf};

use widedeep::inside::topology::{
    BaselineBlocks, Comparison, ModelMeasurement, ModelPlan, Source, compare_models, compare_networks,
    export_comparison, measure_model, measure_network,
};

use super::failure::sorted;
use super::flags::{Graph, Measured, Text};
use super::measure::wrote;
use super::progress::Progress;
use super::shown;
use crate::cli::{Failure, failed, input, say};

/// Compare two models, two checkpoints of one model, or two networks
///
/// Distances of distributions (Jensen-Shannon, Wasserstein, Kolmogorov-Smirnov) per matrix and per set of nodes, two-sample tests of
/// nodes (Kolmogorov-Smirnov; Brown-Forsythe for fluctuations) with Holm's correction over all rows, and node by node where the sizes are the same. Models of other depths are compared
/// at the same share of their depth. With `--text` both are run over it; `compare M M --text ONE --text-b OTHER` compares two texts.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// NETWORK.toml, or a model: a name, a GGUF file, a checkpoint
    a: String,

    /// The same kind of thing
    b: String,

    #[command(flatten)]
    graph: Graph,

    #[command(flatten)]
    text: Text,

    /// Another text for the second model [default: the same]
    #[arg(long, value_name = "FILE", requires = "text")]
    text_b: Option<PathBuf>,

    /// Of samples of large matrices
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Folder for CSV, JSON and SVG files
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let comparison = match (Measured::resolve(&arguments.a)?, Measured::resolve(&arguments.b)?) {
        (Measured::Network(a), Measured::Network(b)) => networks(arguments, &a, &b)?,
        (Measured::Model(a), Measured::Model(b)) => models(arguments, &a, &b)?,
        _ => {
            return Err(input(anyhow::anyhow!(
                "one of `{}` and `{}` is a network's file and the other a model; compare two of a kind",
                arguments.a,
                arguments.b
            )));
        }
    };
    let written = match &arguments.out {
        Some(folder) => export_comparison(folder, &comparison).map_err(failed)?,
        None => Vec::new(),
    };
    say(&shown::comparison(&comparison))?;
    wrote(&written)
}

fn networks(arguments: &Arguments, a: &Path, b: &Path) -> Result<Comparison, Failure> {
    let graph = &arguments.graph;
    graph.for_network(&arguments.text)?;
    let measure = |path: &Path| measure_network(path, graph.convention(), graph.flow()).map_err(sorted);
    compare_networks(&measure(a)?, &measure(b)?, arguments.seed).map_err(input)
}

fn models(arguments: &Arguments, a: &Path, b: &Path) -> Result<Comparison, Failure> {
    arguments.graph.for_model()?;
    let mut progress = Progress::new();
    let text_b = arguments.text_b.as_deref().or(arguments.text.path.as_deref());
    let one = measured(
        arguments,
        (&arguments.a, a),
        arguments.text.path.as_deref(),
        &mut progress,
    )?;
    let other = measured(arguments, (&arguments.b, b), text_b, &mut progress)?;
    shown::warn_of_few_tokens(one.1.read.iter().chain(&other.1.read));
    let both = format!("{} and {}", arguments.a, arguments.b);
    compare_models((&one.0, &one.1), (&other.0, &other.1), arguments.seed, &mut |step| {
        progress.hear(&both, step);
    })
    .map_err(sorted)
}

fn measured(
    arguments: &Arguments,
    (name, path): (&str, &Path),
    text: Option<&Path>,
    progress: &mut Progress,
) -> Result<(Source, ModelMeasurement), Failure> {
    let graph = &arguments.graph;
    let reading = text
        .map(|file| arguments.text.reading(file, graph.flow()))
        .transpose()?;
    let plan = ModelPlan {
        skip: graph.skip(),
        baselines: BaselineBlocks::None,
        seed: arguments.seed,
        reading,
    };
    measure_model(path, &plan, &mut |step| progress.hear(name, step)).map_err(sorted)
}
