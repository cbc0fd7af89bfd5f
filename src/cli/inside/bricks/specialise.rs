//! `widedeep inside bricks specialise`.

use std::path::{Path, PathBuf};

use super::texts::{ChoiceFlags, TextFlags, folder, model, sorted, store, table};
use crate::cli::bar::bar;
use crate::cli::{Failure, failed, note, say};
use widedeep::inside::bricks::export::{write_json, write_scores, write_square};
use widedeep::inside::bricks::figure::specialisation_histogram;
use widedeep::inside::bricks::record::{Brick, Members, Provenance, Scores, VERSION};
use widedeep::inside::masonry::specialise::{Specialised, specialise};
use widedeep::llama::{Gguf, Model};

/// Which units serve which function
///
/// A unit's score for a function is the average precision with which its mean activity finds the function's texts among all. Beside it: what permuted labels give, how well units that were chosen on one half of the texts do
/// on the other, and how far the functions' units are the same. Each function's units are written as a brick, which `widedeep edit --units` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Model: a name from `widedeep models list`, or the path of a GGUF file
    model: String,

    #[command(flatten)]
    texts: TextFlags,

    #[command(flatten)]
    choice: ChoiceFlags,

    /// Folder for the bricks (`FUNCTION.json`), tables and figure; the texts' profiles are kept there too, so that the command goes on where it was interrupted
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let out = &arguments.out;
    folder(out)?;
    let settings = arguments.choice.settings(arguments.texts.seed)?;
    let functions = arguments.texts.read()?;
    let labels = functions.labels().map_err(|error| sorted(error.into()))?;
    let model = model(&arguments.model)?;
    let mut tap = arguments.texts.tap(&model)?;
    let profiles = arguments.texts.profiles(&mut tap, &functions, out)?;
    let found = specialise(&profiles, &labels, &settings, &mut bar("layers scored")).map_err(sorted)?;
    write_json(&out.join("specialise.json"), &found).map_err(failed)?;
    let scores: Vec<_> = found
        .layers
        .iter()
        .map(|layer| layer.scores.clone())
        .enumerate()
        .collect();
    write_scores(&out.join("scores.csv"), &found.functions, &scores).map_err(failed)?;
    write_square(&out.join("overlap.csv"), &found.functions, &found.overlap.mean).map_err(failed)?;
    figure(&found, &out.join("specialisation.svg"))?;
    records(&found, &model, out, &functions.hash(), settings.seed)?;
    note(&format!(
        "wrote {} bricks, scores.csv, overlap.csv, specialise.json and specialisation.svg to {}",
        found.bricks.len(),
        out.display()
    ));
    say(&shown(&found))
}

fn figure(found: &Specialised, path: &Path) -> Result<(), Failure> {
    let of = |function: usize| -> Vec<f64> {
        found
            .layers
            .iter()
            .flat_map(|layer| layer.scores.for_function(function))
            .collect()
    };
    let all: Vec<(String, Vec<f64>)> = found
        .functions
        .iter()
        .enumerate()
        .map(|(function, name)| (name.clone(), of(function)))
        .collect();
    let chance: Vec<f64> = found
        .layers
        .iter()
        .flat_map(|layer| layer.chance.mean.clone())
        .collect();
    let mean = (!chance.is_empty()).then(|| chance.iter().sum::<f64>() / chance.len() as f64);
    match specialisation_histogram("Units by score", &all, mean) {
        Some(svg) => store(path, &svg),
        None => Ok(()),
    }
}

fn records(found: &Specialised, model: &Model, out: &Path, texts: &str, seed: u64) -> Result<(), Failure> {
    let fingerprint = Gguf::open(model.path()).map_err(failed)?.fingerprint();
    for (function, (name, units)) in found.bricks.iter().enumerate() {
        let held: Vec<f64> = found
            .layers
            .iter()
            .map(|layer| layer.held_out[function].held_out)
            .collect();
        let brick = Brick {
            version: VERSION,
            id: name.clone(),
            model_fingerprint: fingerprint.clone(),
            architecture: model.architecture(),
            members: Members::UnitSet { units: units.clone() },
            provenance: Provenance {
                datasets: vec![texts.to_owned()],
                function: Some(name.clone()),
                score: Some("average precision of the mean |a|".to_owned()),
                units_per_layer: Some(units.in_layer(0).count()),
                seed: Some(seed),
            },
            scores: Scores {
                function_score_mean: (!held.is_empty()).then(|| held.iter().sum::<f64>() / held.len() as f64),
                ..Scores::default()
            },
            created_by: concat!("widedeep ", env!("CARGO_PKG_VERSION")).to_owned(),
            parents: Vec::new(),
        };
        brick.write(out).map_err(failed)?;
    }
    Ok(())
}

fn shown(found: &Specialised) -> String {
    let layers = found.layers.len().max(1) as f64;
    let header = [
        "function",
        "texts",
        "best score",
        "layer",
        "best 5 ‰",
        "all units",
        "chance",
        "best of chance",
        "layers above it",
        "brick, chosen on half",
        "… on the other half",
    ];
    let mut scores = table(header.map(str::to_owned).to_vec());
    for (function, name) in found.functions.iter().enumerate() {
        let best = found.layers.iter().enumerate().max_by(|left, right| {
            left.1.summaries[function]
                .best
                .total_cmp(&right.1.summaries[function].best)
        });
        let Some((layer, at)) = best else { continue };
        let mean = |of: &dyn Fn(&widedeep::inside::masonry::specialise::Layer) -> f64| {
            found.layers.iter().map(of).sum::<f64>() / layers
        };
        let maximum = |layer: &widedeep::inside::masonry::specialise::Layer| {
            layer.chance.maxima[function].last().copied().unwrap_or(0.0)
        };
        let above = found
            .layers
            .iter()
            .filter(|layer| layer.summaries[function].best > maximum(layer))
            .count();
        scores.add_row([
            name.clone(),
            found.texts[function].to_string(),
            format!("{:.3}", at.summaries[function].best),
            layer.to_string(),
            format!("{:.3}", mean(&|layer| layer.summaries[function].best_half_percent)),
            format!("{:.3}", mean(&|layer| layer.summaries[function].mean)),
            format!("{:.3}", mean(&|layer| layer.chance.mean[function])),
            format!("{:.3}", mean(&maximum)),
            format!("{above} of {}", found.layers.len()),
            format!("{:.3}", mean(&|layer| layer.held_out[function].chosen_on)),
            format!("{:.3}", mean(&|layer| layer.held_out[function].held_out)),
        ]);
    }
    let mut header = vec!["share of units in common".to_owned()];
    header.extend(found.functions.iter().cloned());
    let mut overlap = table(header);
    for (name, row) in found.functions.iter().zip(&found.overlap.mean) {
        let cells = row.iter().map(|share| format!("{share:.3}"));
        overlap.add_row([name.clone()].into_iter().chain(cells));
    }
    format!(
        "average precision, mean over layers but for the best score\n{scores}\n\n{overlap}\ntwo random bricks share {:.3}",
        found.overlap_by_chance
    )
}
