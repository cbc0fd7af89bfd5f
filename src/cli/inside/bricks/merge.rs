//! `widedeep inside bricks merge`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::ValueEnum;

use super::texts::{sorted, table};
use crate::cli::bar::bar;
use crate::cli::{Failure, failed, input, note, say};
use widedeep::fetch;
use widedeep::inside::bricks::export::write_json;
use widedeep::inside::bricks::merge::{Election, Method, Rescale, Weighting};
use widedeep::inside::edit::Store;
use widedeep::inside::masonry::adapters::{Combine, Cut, build_in, combine, is_adapter};
use widedeep::inside::masonry::merge::{Merged, Part, merge};
use widedeep::llama::Format;

/// One model out of several of the same shape, one adapter out of several, or an adapter built into a model
///
/// Models are merged tensor by tensor, so that memory holds one tensor of each. Tensors that are the same in all are copied; the others are stored in the format of the first model (or the base) unless --store says otherwise, and the table says
/// what that rounding lost. Given one model and adapters, the adapters are built into the model.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep inside bricks merge a.gguf b.gguf --method slerp --at 0.3 --out c.gguf
  widedeep inside bricks merge a.gguf=1 b.gguf=0.5 --base base.gguf --method ties --density 0.4 --out c.gguf
  widedeep inside bricks merge one-lora.gguf=0.5 two-lora.gguf --method join --out both-lora.gguf
  widedeep inside bricks merge model.gguf lora.gguf=0.8 --store f16 --out tuned.gguf")]
pub(super) struct Arguments {
    /// Models or adapters, each a path (or a model's name) that may end in `=WEIGHT`
    #[arg(required = true, value_name = "FILE[=WEIGHT]")]
    files: Vec<String>,

    /// How they become one
    #[arg(long, value_enum, default_value = "linear")]
    method: How,

    /// The model that the others were tuned from, for `task`, `ties` and `dare`
    #[arg(long, value_name = "MODEL")]
    base: Option<String>,

    /// `slerp`: where on the arc, from 0 (the first) to 1 (the second)
    #[arg(long, value_name = "T", default_value = "0.5")]
    at: f64,

    /// `ties`, `dare`: which fraction of each model's differences is kept
    #[arg(long, value_name = "FRACTION", default_value = "0.5")]
    density: f64,

    /// `task`, `ties`, `dare`: what differences are multiplied by
    #[arg(long, value_name = "FACTOR", default_value = "1", allow_negative_numbers = true)]
    lambda: f64,

    /// `dare`: what random choices are drawn from
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,

    /// Adapters: cut the result to this rank [default: that of the first]
    #[arg(long, value_name = "RANK")]
    rank: Option<usize>,

    /// Number format for the merged matrices, such as `f16` [default: as they are]
    #[arg(long, value_name = "FORMAT")]
    store: Option<String>,

    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Also write what became of each tensor, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// How files become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    /// The weighted average
    Linear,
    /// Along the arc between two
    Slerp,
    /// The base, and the sum of weighted differences from it
    Task,
    /// The base, and the largest differences that agree in sign
    Ties,
    /// The base, and a random part of the differences, scaled up
    Dare,
    /// Adapters only: their exact sum at these weights
    Join,
}

impl Arguments {
    fn method(&self) -> Option<Method> {
        Some(match self.method {
            How::Linear => Method::Linear {
                weighting: Weighting::Normalised,
            },
            How::Slerp => Method::Slerp { t: self.at },
            How::Task => Method::TaskArithmetic {
                lambda: self.lambda,
                weighting: Weighting::Raw,
            },
            How::Ties => Method::Ties {
                density: self.density,
                lambda: self.lambda,
                weighting: Weighting::Normalised,
            },
            How::Dare => Method::Dare {
                density: self.density,
                lambda: self.lambda,
                rescale: Rescale::Density,
                election: Election::None,
                seed: self.seed,
            },
            How::Join => return None,
        })
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let store = store(arguments.store.as_deref())?;
    let mut models = Vec::new();
    let mut adapters = Vec::new();
    for word in &arguments.files {
        let part = part(word)?;
        if is_adapter(&part.path).map_err(sorted)? {
            adapters.push((part.path, part.weight));
        } else {
            models.push(part);
        }
    }
    match (models.as_slice(), adapters.as_slice()) {
        ([model], [(adapter, scale)]) => {
            let mut told = bar("tensors changed");
            build_in(&model.path, adapter, *scale, store, &arguments.out, &mut told).map_err(sorted)?;
            note(&format!("wrote {}", arguments.out.display()));
            say(&format!("the adapter is built in at scale {scale}"))
        }
        ([_], [_, _, ..]) => Err(input(anyhow::anyhow!(
            "several adapters are built in as one: join them first (`--method join`), then give the result"
        ))),
        ([], _) => {
            let how = arguments
                .method()
                .map_or(Combine::Join, |method| Combine::Cut(method, arguments.rank));
            let cuts = combine(&adapters, how, &arguments.out).map_err(sorted)?;
            note(&format!("wrote {}", arguments.out.display()));
            if let Some(report) = &arguments.report {
                write_json(report, &cuts).map_err(failed)?;
            }
            say(&cut(&cuts))
        }
        (_, []) => {
            let method = arguments.method().ok_or_else(|| {
                input(anyhow::anyhow!(
                    "`join` is for adapters; models are merged by the other methods"
                ))
            })?;
            let base = arguments
                .base
                .as_deref()
                .map(fetch::resolve_model)
                .transpose()
                .map_err(input)?;
            let mut told = bar("tensors merged");
            let merged = merge(method, base.as_deref(), &models, store, &arguments.out, &mut told).map_err(sorted)?;
            note(&format!("wrote {}", arguments.out.display()));
            if let Some(report) = &arguments.report {
                write_json(report, &merged).map_err(failed)?;
            }
            say(&shown(&merged))
        }
        _ => Err(input(anyhow::anyhow!(
            "models and adapters are given together; merge models, or adapters, or build one adapter into one model"
        ))),
    }
}

fn part(word: &str) -> Result<Part, Failure> {
    let (name, weight) = match word.rsplit_once('=') {
        Some((name, weight)) => {
            let number = weight.parse().ok().filter(|weight: &f64| weight.is_finite());
            let number = number.ok_or_else(|| {
                input(anyhow::anyhow!(
                    "`{weight}` in `{word}` is no weight: write a number, as in `a.gguf=0.5`"
                ))
            })?;
            (name, number)
        }
        None => (word, 1.0),
    };
    Ok(Part {
        path: fetch::resolve_model(name).map_err(input)?,
        weight,
    })
}

pub(super) fn store(name: Option<&str>) -> Result<Store, Failure> {
    let Some(name) = name else {
        return Ok(Store::AsTheyAre);
    };
    let format = Format::named(name).filter(|format| format.is_writable());
    format.map(Store::As).ok_or_else(|| {
        input(anyhow::anyhow!(
            "`{name}` is no number format that tensors can be written in; take `f16`, `f32`, `q8_0` or another of ggml's"
        ))
    })
}

fn shown(merged: &[Merged]) -> String {
    let copied = merged.iter().filter(|tensor| tensor.copied).count();
    let mut worst: Vec<&Merged> = merged.iter().filter(|tensor| !tensor.copied).collect();
    worst.sort_by(|left, right| right.quantisation_error.total_cmp(&left.quantisation_error));
    let mut text = format!(
        "{} tensors, of which {copied} are the same in all and were copied",
        merged.len()
    );
    if worst.is_empty() {
        return text;
    }
    let mut table = table(
        ["tensor", "stored as", "lost in storing (relative RMS)"]
            .map(str::to_owned)
            .to_vec(),
    );
    for tensor in worst.iter().take(5) {
        table.add_row([
            tensor.tensor.clone(),
            tensor.format.clone(),
            format!("{:.3e}", tensor.quantisation_error),
        ]);
    }
    let _ = write!(text, "\n{table}");
    text
}

pub(super) fn cut(cuts: &[Cut]) -> String {
    if cuts.is_empty() {
        return "joined exactly: the ranks add up".to_owned();
    }
    let mut table = table(
        ["tensor", "rank", "lost (relative Frobenius norm)"]
            .map(str::to_owned)
            .to_vec(),
    );
    for cut in cuts {
        table.add_row([
            cut.tensor.clone(),
            cut.rank.to_string(),
            format!("{:.3e}", cut.relative_error),
        ]);
    }
    table.to_string()
}
