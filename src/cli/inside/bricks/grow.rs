//! `widedeep inside bricks grow`.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::merge::cut;
use super::texts::sorted;
use crate::cli::bar::bar;
use crate::cli::{Failure, failed, input, note, say};
use widedeep::fetch;
use widedeep::inside::edit::{Comparison, compare, predictions};
use widedeep::inside::masonry::adapters::take_out;
use widedeep::inside::masonry::grow::{New, deepen, widen};
use widedeep::inside::masonry::sample_text;
use widedeep::llama::{Adapter, Model, Tap, TapConfig, Threads};

/// Add units, a layer or an adapter to a model, which at first computes what it did before
///
/// Each result is checked on a text: the table says how far its predictions are from the old model's.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Widen every feed-forward layer by new units
    Units {
        /// Model: a name from `widedeep models list`, or the path of a GGUF file
        model: String,

        /// How many for each layer: a multiple of the format's block, 32 or 256, where the model is quantised
        #[arg(long, value_name = "N")]
        count: usize,

        /// Copy the first units, each of which then writes half, instead of making new ones that write nothing
        #[arg(long)]
        copies: bool,

        /// What new units are drawn from
        #[arg(long, value_name = "N", default_value = "0")]
        seed: u64,

        /// File to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Insert a copy of a layer behind it, whose outputs are zero
    Layer {
        /// Model: a name from `widedeep models list`, or the path of a GGUF file
        model: String,

        /// The layer to copy, from 0
        #[arg(long, value_name = "LAYER")]
        after: usize,

        /// File to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write the adapter that turns a model into a tuned one, as far as its rank allows
    Adapter {
        /// Model: a name from `widedeep models list`, or the path of a GGUF file
        model: String,

        /// The tuned model, of the same shape
        #[arg(long, value_name = "MODEL")]
        tuned: String,

        /// Rank
        #[arg(long, value_name = "RANK", default_value = "16")]
        rank: usize,

        /// Adapter to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Tokens of the text on which results are checked.
const CHECKED: usize = 128;

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.what {
        What::Units {
            model,
            count,
            copies,
            seed,
            out,
        } => {
            let path = fetch::resolve_model(model).map_err(input)?;
            let new = if *copies {
                New::Copies
            } else {
                New::Neutral { seed: *seed }
            };
            let ffn = widen(&path, *count, new, out).map_err(sorted)?;
            note(&format!("wrote {}; comparing its predictions", out.display()));
            let found = against(&path, out)?;
            say(&format!(
                "{} layers of {} units\n{}",
                ffn.layers,
                ffn.units,
                told(&found)
            ))
        }
        What::Layer { model, after, out } => {
            let path = fetch::resolve_model(model).map_err(input)?;
            deepen(&path, *after, out).map_err(sorted)?;
            note(&format!("wrote {}; comparing its predictions", out.display()));
            let found = against(&path, out)?;
            say(&format!(
                "layer {} is new, and passes on what it reads\n{}",
                after + 1,
                told(&found)
            ))
        }
        What::Adapter {
            model,
            tuned,
            rank,
            out,
        } => {
            let (base, tuned) = (fetch::resolve_model(model), fetch::resolve_model(tuned));
            let (base, tuned) = (base.map_err(input)?, tuned.map_err(input)?);
            let cuts = take_out(&base, &tuned, *rank, out, &mut bar("tensors compared")).map_err(sorted)?;
            note(&format!(
                "wrote {}; comparing its predictions with the tuned model's",
                out.display()
            ));
            let found = attached(&base, out, &tuned)?;
            say(&format!(
                "{}\nwith the adapter, against the tuned model: {}",
                cut(&cuts),
                told(&found)
            ))
        }
    }
}

fn told(found: &Comparison) -> String {
    format!(
        "over {} tokens: largest change of a logit {:.3e}, perplexity {:.4} → {:.4}, same first choice {:.1} %",
        found.tokens,
        found.largest_logit,
        found.before,
        found.after,
        100.0 * found.same_choice
    )
}

fn config() -> TapConfig {
    TapConfig {
        context: CHECKED,
        chunk: None,
        threads: Threads::Auto,
    }
}

/// The old model's predictions against the new one's.
fn against(old: &Path, new: &Path) -> Result<Comparison, Failure> {
    let mut both = Vec::new();
    for path in [old, new] {
        let model = Model::load(path, 0).map_err(failed)?;
        let mut tap = Tap::new(&model, &config()).map_err(failed)?;
        both.push(predictions(&mut tap, &sample_text(), CHECKED).map_err(failed)?);
    }
    compare(&both[0], &both[1]).map_err(failed)
}

/// The tuned model's predictions against the base's with the adapter.
fn attached(base: &Path, adapter: &Path, tuned: &Path) -> Result<Comparison, Failure> {
    let model = Model::load(tuned, 0).map_err(failed)?;
    let mut tap = Tap::new(&model, &config()).map_err(failed)?;
    let wanted = predictions(&mut tap, &sample_text(), CHECKED).map_err(failed)?;
    let model = Model::load(base, 0).map_err(failed)?;
    let mut tap = Tap::new(&model, &config()).map_err(failed)?;
    let adapter = Adapter::load(&model, adapter).map_err(failed)?;
    tap.set_adapters(&[(adapter, 1.0)]).map_err(failed)?;
    let found = predictions(&mut tap, &sample_text(), CHECKED).map_err(failed)?;
    compare(&wanted, &found).map_err(failed)
}
