//! `widedeep inside bricks sparsity`.

use std::path::PathBuf;

use super::texts::{TextFlags, folder, model, sorted, table};
use crate::cli::bar::bar;
use crate::cli::{Failure, failed, note, say};
use widedeep::inside::bricks::export::{write_json, write_sparsity};
use widedeep::inside::bricks::sparsity::{LayerSparsity, Normalisation, Settings};
use widedeep::inside::masonry::sparsity::{capture, sparsity};
use widedeep::llama::Weights;

/// How few units carry each layer's output
///
/// Two indicators rank a token's units: |a|, and |a| times the length of what the unit writes. For each layer: how the indicators are distributed, what masking the weakest units costs (the
/// error of the layer's output, CETT), and how many units may be left out at a given error.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Model: a name from `widedeep models list`, or the path of a GGUF file
    model: String,

    #[command(flatten)]
    texts: TextFlags,

    /// Tokens to measure, from the texts of all functions in turn. The cost is tokens × units × width for each layer
    #[arg(long, value_name = "N", default_value = "48")]
    tokens: usize,

    /// Divide indicators by this quantile of the layer's, instead of by the token's largest, which massive activations move
    #[arg(long, value_name = "QUANTILE")]
    quantile: Option<f64>,

    /// Folder for `sparsity.csv` and `sparsity.json`
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    folder(&arguments.out)?;
    let functions = arguments.texts.read()?;
    let model = model(&arguments.model)?;
    let weights = Weights::open(model.path()).map_err(failed)?;
    let mut tap = arguments.texts.tap(&model)?;
    // One of each function, then the next ones.
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
        normalisation: arguments
            .quantile
            .map_or(Normalisation::TokenMaximum, Normalisation::LayerQuantile),
        ..Settings::default()
    };
    let layers = sparsity(&captured, &weights, &settings, &mut bar("layers measured")).map_err(sorted)?;
    let (csv, json) = (arguments.out.join("sparsity.csv"), arguments.out.join("sparsity.json"));
    write_sparsity(&csv, &layers).map_err(failed)?;
    write_json(&json, &layers).map_err(failed)?;
    note(&format!("wrote {}, {}", csv.display(), json.display()));
    say(&shown(&layers, captured.tokens()))
}

fn shown(layers: &[(usize, LayerSparsity)], tokens: usize) -> String {
    let header = [
        "layer",
        "below 0.2 (|a|)",
        "below 0.2 (magnitude)",
        "CETT, 70 % masked by |a|",
        "… by magnitude",
        "left out at CETT 0.2",
        "units for 90 % of |a|",
    ];
    let mut table = table(header.map(str::to_owned).to_vec());
    for (layer, figures) in layers {
        let below = |nth: usize| {
            let mut edges = figures.distributions[nth].below.iter();
            edges.rfind(|edge| edge.0 <= 0.2).map_or(0.0, |edge| edge.1)
        };
        let masked = |nth: usize| {
            let mut masks = figures.distributions[nth].masks.iter();
            masks
                .rfind(|mask| mask.percent <= 70.0)
                .map_or(0.0, |mask| mask.mean_cett)
        };
        let at = figures.thresholds.iter().find(|target| target.target >= 0.2);
        table.add_row([
            layer.to_string(),
            format!("{:.3}", below(0)),
            format!("{:.3}", below(1)),
            format!("{:.3}", masked(0)),
            format!("{:.3}", masked(1)),
            at.map_or(String::new(), |target| {
                format!("{:.1} %", 100.0 * target.before_first_violation.sparsity)
            }),
            format!("{:.0} of {}", figures.units_for_mass, figures.units),
        ]);
    }
    format!("{tokens} tokens, position 0 of each text left out\n{table}")
}
