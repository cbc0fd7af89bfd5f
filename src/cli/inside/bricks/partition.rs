//! `widedeep inside bricks partition`.

use std::path::PathBuf;

use super::texts::{ChoiceFlags, TextFlags, folder, model, sorted, store, table};
use crate::cli::bar::bar;
use crate::cli::{Failure, failed, input, note, say};
use widedeep::inside::bricks::export::{write_groups, write_json};
use widedeep::inside::bricks::figure::coactivation_blocks;
use widedeep::inside::masonry::partition::{Layer, Settings, partition};
use widedeep::inside::masonry::sparsity::capture;
use widedeep::inside::masonry::specialise::choose;
use widedeep::llama::Weights;

/// Which units of a layer work together
///
/// Units are connected by the number of tokens on which both are active, and grouped so that connections within groups are many (modularity). Beside it: what units give that fire independently at the same rates, whether
/// the groups of even and of odd tokens are the same, and whether experts built from the weights alone hold more of a function's units than chance allows.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Model: a name from `widedeep models list`, or the path of a GGUF file
    model: String,

    #[command(flatten)]
    texts: TextFlags,

    #[command(flatten)]
    choice: ChoiceFlags,

    /// Layers to group, separated by commas [default: all]
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    layers: Vec<usize>,

    /// Tokens on which activity is counted
    #[arg(long, value_name = "N", default_value = "1024")]
    tokens: usize,

    /// The heaviest connections of each unit that count when groups are sought
    #[arg(long, value_name = "N", default_value = "32")]
    neighbours: usize,

    /// Higher values give more and smaller groups
    #[arg(long, value_name = "γ", default_value = "1")]
    resolution: f64,

    /// Independent activities that say what chance gives
    #[arg(long, value_name = "N", default_value = "10")]
    draws: usize,

    /// Experts of equal size that are built from the weights
    #[arg(long, value_name = "N", default_value = "48")]
    experts: usize,

    /// Folder for `partition.json`, `groups.csv` and a figure of each layer
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let out = &arguments.out;
    folder(out)?;
    let functions = arguments.texts.read()?;
    let labels = functions.labels().map_err(|error| sorted(error.into()))?;
    let model = model(&arguments.model)?;
    let weights = Weights::open(model.path()).map_err(failed)?;
    let mut tap = arguments.texts.tap(&model)?;
    let layers = layers(&arguments.layers, tap.ffn().layers)?;
    let profiles = arguments.texts.profiles(&mut tap, &functions, out)?;
    // The spec tests the best hundredth of a layer's units.
    let mut choice = arguments.choice.settings(arguments.texts.seed)?;
    choice.fraction /= 5.0;
    let all: Vec<usize> = (0..functions.instances().len()).collect();
    let chosen = choose(&profiles, &labels, &all, &choice).map_err(sorted)?;
    let mut order: Vec<(usize, usize)> = (0..functions.names().len())
        .flat_map(|function| functions.of(function).into_iter().enumerate())
        .collect();
    order.sort_unstable();
    let texts: Vec<&str> = order
        .iter()
        .map(|&(_, nth)| functions.instances()[nth].text.as_str())
        .collect();
    let captured = capture(&mut tap, &texts, arguments.texts.presentation(), arguments.tokens).map_err(sorted)?;
    let settings = Settings {
        cett: 0.2,
        neighbours: arguments.neighbours,
        resolution: arguments.resolution,
        draws: arguments.draws,
        experts: arguments.experts,
        top: choice.fraction,
        seed: arguments.texts.seed,
    };
    let mut told = bar("layers grouped");
    let found = partition(&captured, &weights, &layers, &chosen.bricks, &settings, &mut told).map_err(sorted)?;
    write_json(&out.join("partition.json"), &found).map_err(failed)?;
    let groups: Vec<_> = found
        .iter()
        .map(|layer| (layer.layer, layer.communities.clone()))
        .collect();
    write_groups(&out.join("groups.csv"), &groups).map_err(failed)?;
    for layer in &found {
        let title = format!("Layer {}: units that are active together", layer.layer);
        if let Some(svg) = coactivation_blocks(&title, &layer.graph, &layer.communities) {
            store(&out.join(format!("coactivation-{}.svg", layer.layer)), &svg)?;
        }
    }
    note(&format!(
        "wrote partition.json, groups.csv and {} figures to {}",
        found.len(),
        out.display()
    ));
    say(&shown(&found, captured.tokens()))
}

fn layers(asked: &[usize], count: usize) -> Result<Vec<usize>, Failure> {
    match asked.iter().find(|&&layer| layer >= count) {
        Some(layer) => Err(input(anyhow::anyhow!(
            "there is no layer {layer}: the model has {count}, from 0 on"
        ))),
        None if asked.is_empty() => Ok((0..count).collect()),
        None => Ok(asked.to_vec()),
    }
}

fn shown(found: &[Layer], tokens: usize) -> String {
    let header = [
        "layer",
        "active",
        "groups",
        "largest",
        "modularity",
        "independent units",
        "z",
        "p",
        "ARI even/odd tokens",
        "ARI with experts",
        "experts with more of a function than chance",
    ];
    let mut table = table(header.map(str::to_owned).to_vec());
    for layer in found {
        let test = &layer.modularity;
        let functional: Vec<String> = layer
            .functional
            .iter()
            .map(|found| format!("{} {}", found.function, found.experts.functional.len()))
            .collect();
        table.add_row([
            layer.layer.to_string(),
            format!("{:.1} %", 100.0 * layer.active),
            layer.sizes.len().to_string(),
            layer.sizes.first().map_or(String::new(), ToString::to_string),
            format!("{:.4}", test.observed),
            format!("{:.4}", test.mean()),
            test.z().map_or("–".to_owned(), |z| format!("{z:.1}")),
            format!("{:.3}", test.p_value()),
            format!("{:.3}", layer.stability.adjusted_rand),
            format!("{:.3}", layer.with_experts.adjusted_rand),
            functional.join(", "),
        ]);
    }
    format!("{tokens} tokens, position 0 of each text left out\n{table}")
}
