//! `widedeep compare`: networks and models over the same pairs, side by side.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::backend::Backend;
use super::eval::finish;
use super::material::{DataFlags, Material};
use super::money::{TariffFlags, amount};
use super::session::{self, Models, Terms, Wanted};
use super::{Failure, failed, input, note, runtime, say, width};
use widedeep::agreement::Share;
use widedeep::cost::Tariff;
use widedeep::report::{
    self,
    compare::{self, CompareError, Human},
};
use widedeep::run::{CallCache, Judge, RunConfig};

/// Set networks and models side by side over the same pairs
///
/// Judges the pairs with every network on every model and with every seed, each in a run of its own below --out, and prints how well they agree
/// with people, how they differ and what they cost: one table over all, one for every two of them, and who is on the Pareto front of cost and kappa. A call that one
/// run has made is not made again by another. When the same command is given again, it goes on, or prints the tables again.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:
  widedeep compare demo --networks single,longer,always-model1 --limit 4
  widedeep compare $(widedeep data path llmeval2) --sample 100 --networks single,widedeep --models smollm2-135m,gemma3-270m --seeds 0,1,2 --out grid
  widedeep compare --runs grid --hand-over 0.2 --human-usd-per-pair 0.375 --human-seconds-per-pair 60
  widedeep compare --runs runs/single runs/api --prices mine.toml --out tables

Files: compare.json, compare.csv (one row per configuration), pairs.csv (one row per measure and two of them, with the tests), pareto.csv, pareto.svg,
hand-over.csv (with --hand-over: the pairs that people should label).",
    mut_arg("data", |data| data.required(false).required_unless_present("runs")),
    mut_arg("model", |model| model.hide(true))
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    data: Option<DataFlags>,

    /// Networks, separated by commas: names of shipped ones, paths of TOML files, or baselines that need no model (`longer`, `always-model1`), which
    /// are run once
    #[arg(
        long,
        value_name = "NETWORK",
        value_delimiter = ',',
        required_unless_present = "runs"
    )]
    networks: Vec<String>,

    /// Models, separated by commas, as in `widedeep eval --model`; of local ones, one at a time is loaded [default: smollm2-135m]
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    models: Vec<String>,

    /// Seeds, separated by commas: every network is run once with each. The pairs are the same for all: the first seed draws a --sample
    #[arg(long, value_name = "SEED", value_delimiter = ',', default_value = "0")]
    seeds: Vec<u64>,

    /// Override a key of every network, such as `reply.evidence_tokens=64`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    /// Folder for the runs and the tables [default: comparison; with --runs, no files are written]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Only read these runs: folders of runs, or folders that hold such folders
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with_all = ["data", "networks", "models", "seeds", "overrides"])]
    runs: Vec<PathBuf>,

    /// Pairs judged at the same time, as in `widedeep eval`
    #[arg(long, default_value = "1", value_name = "N")]
    concurrency: NonZeroUsize,

    /// Share of the pairs that people take over, such as `0.2`: lists those on which a judge contradicts itself most, and says what that does to
    /// agreement and cost
    #[arg(long, value_name = "SHARE", value_parser = share)]
    hand_over: Option<Share>,

    #[command(flatten)]
    backend: Backend,

    #[command(flatten)]
    tariff: TariffFlags,

    /// US dollars that a person's judgement of one pair costs
    #[arg(long, value_name = "USD", help_heading = "Cost", value_parser = amount)]
    human_usd_per_pair: Option<f64>,

    /// Seconds that a person takes for one pair
    #[arg(long, value_name = "SECONDS", help_heading = "Cost", value_parser = seconds)]
    human_seconds_per_pair: Option<f64>,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// Folder of a grid for which none is given.
const OUT: &str = "comparison";

/// A judge of the grid: a network on a model, with a seed.
struct Place {
    wanted: Wanted,
    /// Words that name the model; `None` for a baseline.
    model: Option<String>,
    seed: u64,
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let terms = compare::Terms {
        tariff: arguments.tariff.read()?,
        human: Human {
            usd_per_pair: arguments.human_usd_per_pair,
            seconds_per_pair: arguments.human_seconds_per_pair,
        },
        hand_over: arguments.hand_over,
    };
    let (folders, out) = match &arguments.data {
        Some(data) if arguments.runs.is_empty() => {
            let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(OUT));
            (judge_all(arguments, data, &out, &terms.tariff)?, Some(out))
        }
        _ => (stored(&arguments.runs)?, arguments.out.clone()),
    };
    let compared = compare::compare(&folders, &terms).map_err(compare_failure)?;
    if arguments.json {
        say(&serde_json::to_string_pretty(&compared).map_err(failed)?)?;
    } else {
        say(report::comparison(&compared, width()).trim_end())?;
    }
    let Some(out) = out else { return Ok(()) };
    make(&out)?;
    let written = compare::export_comparison(&compared, &out).map_err(failed)?;
    let paths: Vec<String> = written.paths().map(|path| path.display().to_string()).collect();
    note(&format!("wrote {}", paths.join(", ")));
    Ok(())
}

fn make(out: &Path) -> Result<(), Failure> {
    if out.exists() && !out.is_dir() {
        return Err(input(anyhow::anyhow!(
            "`{}` is a file: give a folder with `--out`",
            out.display()
        )));
    }
    let made = std::fs::create_dir_all(out);
    made.map_err(|error| {
        input(anyhow::Error::from(error).context(format!("failed to make the folder `{}`", out.display())))
    })
}

/// The folders of the runs that are given.
fn stored(runs: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for run in runs {
        for folder in compare::runs_in(run).map_err(compare_failure)? {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
    }
    Ok(folders)
}

/// Judges every place of the grid, one model after the other; the folders, in the order of the flags.
fn judge_all(arguments: &Arguments, data: &DataFlags, out: &Path, tariff: &Tariff) -> Result<Vec<PathBuf>, Failure> {
    make(out)?;
    let places = grid(arguments, out)?;
    // Every seed judges the same pairs.
    let mut material = data.read(arguments.seeds.first().copied().unwrap_or(0), None)?;
    if let Some(network) = places.iter().find(|place| place.model.is_some()).or(places.first()) {
        material.tell_fallbacks(&network.wanted);
    }
    let cache = CallCache::open(&out.join("calls.sqlite")).map_err(failed)?;
    let cache = Arc::new(cache);
    let runtime = runtime()?;
    let mut order: Vec<Option<&String>> = Vec::new();
    for place in &places {
        if !order.contains(&place.model.as_ref()) {
            order.push(place.model.as_ref());
        }
    }
    let mut done = 0;
    for model in order {
        // Models are let go before the next is loaded.
        let mut models = Models::default();
        for place in places.iter().filter(|place| place.model.as_ref() == model) {
            done += 1;
            note(&format!("run {done} of {}: {}", places.len(), place.folder.display()));
            let words = model.map_or("", String::as_str);
            let judge = models.judge(place.wanted.clone(), &arguments.backend, words)?;
            judge_one(
                arguments,
                place,
                judge,
                &mut material,
                (&mut models, &cache),
                &runtime,
                tariff,
            )?;
        }
    }
    Ok(places.into_iter().map(|place| place.folder).collect())
}

fn judge_one(
    arguments: &Arguments,
    place: &Place,
    judge: Judge,
    material: &mut Material<'_>,
    (models, cache): (&mut Models, &Arc<CallCache>),
    runtime: &tokio::runtime::Runtime,
    tariff: &Tariff,
) -> Result<(), Failure> {
    let config = RunConfig {
        widedeep: env!("CARGO_PKG_VERSION").to_owned(),
        data: material.source(),
        judge,
        seed: place.seed,
        prompts: material.prompts.digest(),
        taxonomy: material.taxonomy.digest(),
    };
    let terms = Terms {
        concurrency: arguments.concurrency,
        cache: Some(cache),
        limit: None,
        retry_missing: false,
        collector: None,
    };
    let store = session::judge(runtime, &place.folder, &config, material, models, terms)?;
    finish(&store, &place.folder, &material.taxonomy, tariff).map(drop)
}

/// Networks × models × seeds, in the order of the flags; baselines once.
fn grid(arguments: &Arguments, out: &Path) -> Result<Vec<Place>, Failure> {
    let default = [arguments.backend.model.clone()];
    let models = if arguments.models.is_empty() {
        &default[..]
    } else {
        &arguments.models
    };
    let models = once(models);
    let seeds = once(&arguments.seeds);
    let mut places: Vec<Place> = Vec::new();
    for network in once(&arguments.networks) {
        // What is set is for networks; baselines have nothing to set.
        let wanted = match Wanted::named(network, &[])? {
            Wanted::Network(_) => Wanted::named(network, &arguments.overrides)?,
            baseline @ Wanted::Baseline(_) => baseline,
        };
        match &wanted {
            Wanted::Baseline(baseline) => places.push(Place {
                folder: folder(out, baseline.name(), network, &places),
                wanted: wanted.clone(),
                model: None,
                seed: *seeds[0],
            }),
            Wanted::Network(parsed) => {
                for model in &models {
                    for seed in &seeds {
                        let name = format!("{}-{}-seed{seed}", parsed.name, stem(model));
                        places.push(Place {
                            folder: folder(out, &name, &format!("{network} {model}"), &places),
                            wanted: wanted.clone(),
                            model: Some((*model).clone()),
                            seed: **seed,
                        });
                    }
                }
            }
        }
    }
    Ok(places)
}

/// Each value where it occurs first.
fn once<T: PartialEq>(values: &[T]) -> Vec<&T> {
    let mut seen: Vec<&T> = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

/// A model's name without the folders and the ending of a file.
fn stem(model: &str) -> &str {
    let is_file = Path::new(model)
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"));
    let stem = Path::new(model).file_stem().and_then(|stem| stem.to_str());
    stem.filter(|_| is_file).unwrap_or(model)
}

/// A folder with a name that any file system takes; where two places have the same, a hash of their words tells them apart.
fn folder(out: &Path, name: &str, words: &str, places: &[Place]) -> PathBuf {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
                c
            } else {
                '-'
            }
        })
        .collect();
    let folder = out.join(&plain);
    if places.iter().any(|place| place.folder == folder) {
        let hash = blake3::hash(words.as_bytes()).to_hex();
        return out.join(format!("{plain}-{}", &hash[..8]));
    }
    folder
}

fn share(text: &str) -> Result<Share, String> {
    let value: f64 = text
        .parse()
        .map_err(|_| "a share lies between 0 and 1, such as `0.2`".to_owned())?;
    Share::new(value).map_err(|error| error.to_string())
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
        .ok_or_else(|| "a number of seconds, such as `60`".to_owned())
}

fn compare_failure(error: CompareError) -> Failure {
    match error {
        CompareError::Store(error) => session::store_failure(error),
        other => input(other),
    }
}
