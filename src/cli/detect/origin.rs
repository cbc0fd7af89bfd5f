//! `widedeep detect origin`: what of a detector was there before tuning.

use std::path::PathBuf;

use widedeep::agreement::Bootstrap;
use widedeep::inside::hallucination::origin::{Pair, Search, report, trace};
use widedeep::inside::hallucination::{Detector, Features};
use widedeep::inside::language::files;

use super::Found;
use super::evaluate::record;
use super::fit::{open, record_of};
use crate::cli::bar::Bar;
use crate::cli::{Failure, failed, input, note, say};

/// Say whether a detector's H-units were there before tuning: how far tuning moved them, and what they detect in the base model
///
/// Weights: for every unit, the cosine distance 1 − cos between its gate, up and down vectors in the two files. Up and down distances are standardised over all
/// units and averaged, and units are ranked by that, from 0 for the one that changed most to 1 for the one that changed least (arXiv 2512.01797, section 5). A mean
/// rank of H-units above one half, with a small p, says that tuning spared them. The same stands beside it with the gate, and standardised within every
/// layer, as the paper does not say over which units it standardises. Three tests say how likely chance ranks H-units as high: a rank test and a t-test
/// against all other units, and random sets with as many units in every layer, which is the one to trust where layers move as a whole.
///
/// Transfer: the detector, unchanged, on collections that either model answered with --features, as AUROC, since its threshold means nothing in another
/// model. Questions that it was fitted on are left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep detect origin --base base-f16.gguf --tuned instruct-f16.gguf --detector detector.json
  widedeep detect origin --base base-f16.gguf --tuned instruct-f16.gguf --detector detector.json \\
    --features facts-base --features facts --out origin

The collections of an instruct model and its base, over the same questions:
  widedeep detect collect facts.jsonl --model base-f16.gguf --out facts-base
  widedeep detect collect facts.jsonl --model instruct-f16.gguf --out facts

The detector must have been made for one of the two files. Which questions it was fitted on is in FILE.record.json beside it; a question of another collection is
left out as well if it has the text or the entity of one of these, so give the collection that the detector was fitted on too.

Take F32, F16 or BF16 files for both models, in the same format. Tuning turns a unit's vectors by a distance of 0.001 or less, and rounding to few bits by
as much: quantised files, or files of two formats, can fake the ranks. The result says so where it finds such files.")]
pub(crate) struct Arguments {
    /// Base model: a name from `widedeep models list` or the path of a GGUF file
    #[arg(long, value_name = "MODEL")]
    base: String,

    /// What tuning made of it: a name or a path, of the same architecture and shape
    #[arg(long, value_name = "MODEL")]
    tuned: String,

    /// Detector, as `widedeep detect fit` writes it for one of the two files
    #[arg(long, value_name = "FILE")]
    detector: PathBuf,

    /// Folder of `widedeep detect collect` with answers of either model; may be repeated
    #[arg(long, value_name = "FOLDER")]
    features: Vec<PathBuf>,

    /// Random sets of units for the layer-matched test; 0 for none
    #[arg(long, default_value = "999", value_name = "N")]
    draws: usize,

    /// Seed of the random sets and of the intervals
    #[arg(long, default_value = "42")]
    seed: u64,

    /// Folder for origin.json, units.csv (every H-unit) and ranks.svg
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,

    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let detector = Detector::read(&arguments.detector).map_err(input)?;
    let beside = record_of(&arguments.detector);
    let record = beside.exists().then(|| record(&beside)).transpose()?;
    let collections: Vec<(String, Features)> = arguments
        .features
        .iter()
        .map(|path| Ok((path.display().to_string(), open(path)?)))
        .collect::<Result<_, Failure>>()?;
    let collections: Vec<(&str, &Features)> = collections
        .iter()
        .map(|(name, features)| (name.as_str(), features))
        .collect();
    let (base, tuned) = (Found::named(&arguments.base)?, Found::named(&arguments.tuned)?);
    let pair = Pair::open((&base.path, base.id), (&tuned.path, tuned.id)).map_err(input)?;
    let search = Search {
        draws: arguments.draws,
        seed: arguments.seed,
        bootstrap: Bootstrap {
            seed: arguments.seed,
            ..Bootstrap::default()
        },
    };
    let mut bar = Bar::new();
    let origin = trace(&pair, &detector, record.as_ref(), &collections, search, |done, of| {
        bar.show("layers compared", done, of);
    });
    bar.finish();
    let origin = origin.map_err(input)?;
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).map_err(failed)?;
        files::json(&folder.join("origin.json"), &origin).map_err(failed)?;
        report::units_csv(&folder.join("units.csv"), &origin, &detector).map_err(failed)?;
        let mut written = "origin.json, units.csv".to_owned();
        if let Some(svg) = report::figure(&origin) {
            std::fs::write(folder.join("ranks.svg"), svg).map_err(failed)?;
            written.push_str(", ranks.svg");
        }
        note(&format!("wrote {written} into {}", folder.display()));
    }
    if arguments.json {
        return say(&serde_json::to_string_pretty(&origin).map_err(failed)?);
    }
    say(report::text(&origin).trim_end())
}
