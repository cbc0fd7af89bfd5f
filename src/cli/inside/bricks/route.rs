//! `widedeep inside bricks route`.

use std::path::PathBuf;

use super::texts::{ChoiceFlags, TextFlags, folder, model, sorted, table};
use crate::cli::{Failure, failed, note, say};
use widedeep::inside::bricks::export::write_json;
use widedeep::inside::bricks::route::softmax_weights;
use widedeep::inside::masonry::profiles::profile;
use widedeep::inside::masonry::route::{Evaluation, Router, learn};

/// Which function a query belongs to, by the activity of the units
///
/// Without --query: learns a signature of each function on one half of the texts, measures the choices on the other, and writes `router.json` to --out. With --query: ranks the functions for it, by the router of --router.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Model: a name from `widedeep models list`, or the path of a GGUF file
    model: String,

    #[command(flatten)]
    texts: TextFlags,

    #[command(flatten)]
    choice: ChoiceFlags,

    /// Choose no function whose cosine is below this
    #[arg(long, value_name = "COSINE", default_value = "0", allow_negative_numbers = true)]
    threshold: f64,

    /// A query to route
    #[arg(long, value_name = "TEXT", requires = "router")]
    query: Option<String>,

    /// Router that was learnt before
    #[arg(long, value_name = "FILE", requires = "query")]
    router: Option<PathBuf>,

    /// Folder for `router.json` and `routing.json`
    #[arg(long, value_name = "DIR", required_unless_present = "query")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let model = model(&arguments.model)?;
    let mut tap = arguments.texts.tap(&model)?;
    if let Some((query, file)) = arguments.query.as_ref().zip(arguments.router.as_ref()) {
        let router = Router::read(file, model.digest()).map_err(sorted)?;
        let most = tap.context();
        let tokens = router.presentation.tokens(&model, query, most).map_err(sorted)?;
        let vector = profile(&mut tap, &tokens, router.aggregation).map_err(sorted)?;
        let route = router.route(&vector, arguments.threshold).map_err(sorted)?;
        let weights = softmax_weights(&route, route.ranked.len(), 0.1);
        let mut table = table(["function", "cosine", "weight"].map(str::to_owned).to_vec());
        for ((name, cosine), (_, weight)) in route.ranked.iter().zip(weights) {
            table.add_row([name.clone(), format!("{cosine:.3}"), format!("{weight:.2}")]);
        }
        let chosen = route.chosen.as_deref().unwrap_or("none: the model as it is");
        return say(&format!("{chosen} (margin {:.3})\n{table}", route.margin));
    }
    let Some(out) = &arguments.out else {
        return Ok(());
    };
    folder(out)?;
    let settings = arguments.choice.settings(arguments.texts.seed)?;
    let functions = arguments.texts.read()?;
    let profiles = arguments.texts.profiles(&mut tap, &functions, out)?;
    let (router, evaluation) = learn(
        &profiles,
        &functions,
        &settings,
        arguments.threshold,
        model.digest(),
        arguments.texts.presentation(),
    )
    .map_err(sorted)?;
    write_json(&out.join("router.json"), &router).map_err(failed)?;
    write_json(&out.join("routing.json"), &evaluation).map_err(failed)?;
    note(&format!("wrote router.json and routing.json to {}", out.display()));
    say(&shown(&evaluation, functions.names()))
}

fn shown(evaluation: &Evaluation, names: &[String]) -> String {
    let header = [
        "chosen by",
        "queries",
        "accuracy",
        "macro F1",
        "none chosen",
        "majority",
        "random",
    ];
    let mut accuracies = table(header.map(str::to_owned).to_vec());
    for (how, found) in [
        ("nearest signature", &evaluation.by_signature),
        ("most active units", &evaluation.by_units),
    ] {
        accuracies.add_row([
            how.to_owned(),
            found.queries.to_string(),
            format!("{:.3}", found.accuracy),
            format!("{:.3}", found.macro_f1),
            found.abstained.to_string(),
            format!("{:.3}", found.majority),
            format!("{:.3}", found.random),
        ]);
    }
    let mut header = vec!["right \\ chosen".to_owned()];
    header.extend(names.iter().cloned());
    header.push("none".to_owned());
    let mut confusion = table(header);
    for (name, row) in names.iter().zip(&evaluation.confusion) {
        let cells = row.iter().map(ToString::to_string);
        confusion.add_row([name.clone()].into_iter().chain(cells));
    }
    format!("{accuracies}\n\n{confusion}")
}
