//! `widedeep inside bricks prune`.

use std::path::PathBuf;

use super::texts::{ChoiceFlags, TextFlags, folder, model, sorted, store, table};
use crate::cli::bar::bar;
use crate::cli::{Failure, failed, input, note, say};
use widedeep::inside::bricks::export::{write_json, write_pruning};
use widedeep::inside::bricks::figure::pruning_heat_map;
use widedeep::inside::bricks::prune::{Kind, PruningTable, plan};
use widedeep::inside::bricks::specialise::halves;
use widedeep::inside::edit::{Store, rewrite};
use widedeep::inside::masonry::prune::prune;
use widedeep::inside::masonry::specialise::choose;

/// Remove the units of one function, and measure what that costs on every function
///
/// Units are chosen on one half of the texts, and perplexity is measured on the other, whole and without each function's units; beside it as many random units of each layer, and those that are most active. Units are silenced while the
/// model runs. What has been measured is kept, and the same command goes on where it was interrupted.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Model: a name from `widedeep models list`, or the path of a GGUF file
    model: String,

    #[command(flatten)]
    texts: TextFlags,

    #[command(flatten)]
    choice: ChoiceFlags,

    /// Random removals
    #[arg(long, value_name = "N", default_value = "5")]
    random: u64,

    /// Also write the model without the units of this function
    #[arg(long, value_name = "FUNCTION", requires = "pruned")]
    remove: Option<String>,

    /// File for that model
    #[arg(long, value_name = "FILE", requires = "remove")]
    pruned: Option<PathBuf>,

    /// Folder for `pruning.csv`, `pruning.json` and `pruning.svg`
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
    let split = halves(&labels, settings.seed);
    let chosen = choose(&profiles, &labels, &split.choosing, &settings).map_err(sorted)?;
    if let Some((name, file)) = arguments.remove.as_ref().zip(arguments.pruned.as_ref()) {
        let Some((_, units)) = chosen.bricks.iter().find(|(function, _)| function == name) else {
            return Err(input(anyhow::anyhow!(
                "there is no function `{name}`; there are {}",
                functions.names().join(", ")
            )));
        };
        rewrite(model.path(), units, 0.0, Store::AsTheyAre, file).map_err(failed)?;
        note(&format!(
            "wrote {} without {} units of {name}",
            file.display(),
            units.len()
        ));
    }
    let widths = vec![tap.ffn().units; tap.ffn().layers];
    let seeds: Vec<u64> = (0..arguments.random)
        .map(|nth| settings.seed.wrapping_add(nth))
        .collect();
    let removals = plan(&chosen.bricks, &widths, &seeds, Some(chosen.by_mean));
    let mut told = bar("removals measured");
    let found = prune(
        &mut tap,
        &functions,
        &split.measuring,
        arguments.texts.presentation(),
        removals,
        out,
        &mut told,
    )
    .map_err(sorted)?;
    write_pruning(&out.join("pruning.csv"), &found).map_err(failed)?;
    write_json(&out.join("pruning.json"), &found).map_err(failed)?;
    if let Some(svg) = pruning_heat_map("Perplexity without some units", &found) {
        store(&out.join("pruning.svg"), &svg)?;
    }
    note(&format!(
        "wrote pruning.csv, pruning.json and pruning.svg to {}",
        out.display()
    ));
    say(&shown(&found))
}

fn shown(found: &PruningTable) -> String {
    let mut header = vec!["removed".to_owned(), "units".to_owned()];
    header.extend(found.functions.iter().cloned());
    let mut table = table(header);
    let perplexities = found.original.iter().map(|value| format!("{value:.2}"));
    table.add_row(
        ["nothing (perplexity)".to_owned(), "0".to_owned()]
            .into_iter()
            .chain(perplexities),
    );
    for row in &found.rows {
        let cells = row.percent_increase.iter().map(|percent| format!("{percent:+.1} %"));
        let name = match &row.kind {
            Kind::Brick { function } => format!("brick of {function}"),
            _ => row.name.clone(),
        };
        table.add_row([name, row.units.to_string()].into_iter().chain(cells));
    }
    let (won, of) = found.diagonal();
    let mut text = format!(
        "perplexity on texts that chose no unit, and its rise without some units\n{table}\nthe brick's own function suffers most in {won} of {of}"
    );
    for function in &found.functions {
        if let Some(z) = found.beyond_random(function) {
            let line = format!("\n{function}: {z:.1} standard deviations beyond the random removals on its own texts");
            text.push_str(&line);
        }
    }
    text
}
