//! `widedeep eval`: judge pairs with a network.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use super::progress::Progress;
use super::{Failure, failed, files, input, networks, note, runtime, say, width};
use widedeep::chat::ChatModel;
use widedeep::network::{Network, shipped};
use widedeep::pair::{BadLines, Format, Known, Sample, Selection, Source, Survey, Taxonomy};
use widedeep::prompt::Prompts;
use widedeep::report;
use widedeep::run::{
    self, Baseline, CallCache, DataSource, Desk, Judge, JudgeError, Judged, Limits, Meter, RunConfig, Store, StoreError,
};

/// Judge pairs with a network and say how well the verdicts agree with the human labels
///
/// Everything is kept in the folder given by --out: verdicts.csv, opinions.jsonl (every prompt and reply), metrics.json, and run.sqlite, from
/// which an interrupted run goes on when the same command is given again. The figures are printed, and `widedeep score` prints them again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep eval demo --out demo-run
  widedeep eval $(widedeep data pull llmeval2) --sample 100 --network single --out runs/single
  widedeep eval demo --model openai:llama --base-url http://127.0.0.1:8080/v1 --out runs/api
  widedeep eval pairs.csv --network my-network.toml --model ./model.gguf --out runs/mine
  widedeep eval demo --set reply.evidence_tokens=64 --set layers=3 --out runs/three-layers
  widedeep eval $(widedeep data path llmeval2) --network longer --out runs/longer

Columns of a CSV or JSONL file: query, response1, response2; optional: label (model1, model2 or tie; also 1, 2, a, b), dataset, id.
LLMEval2, FairEval (its folder), JudgeBench and LLMBar are read as published.")]
pub(crate) struct Arguments {
    /// File or folder of pairs, or `demo` for a dozen pairs that come with the program
    data: PathBuf,

    /// Network: the name of a shipped one (`widedeep networks list`), the path of a TOML file, or a baseline that needs no model (`longer`,
    /// `always-model1`)
    #[arg(long, default_value = "widedeep")]
    network: String,

    /// Override a key of the network, such as `reply.evidence_tokens=64`, `aggregate.tie_margin=0.5` or `layers=3`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    #[command(flatten)]
    backend: Backend,

    /// Folder for the run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// File with replies that runs share: a call that any of them has made is not made again. It is made where there is none
    #[arg(long, value_name = "FILE")]
    cache: Option<PathBuf>,

    /// Largest share of opinions that may be missing: above it the command fails, after everything is written
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = share)]
    max_missing: f64,

    /// Judge the pairs again that have missing opinions; replies that are there already are not asked for again
    #[arg(long)]
    retry_missing: bool,

    /// Format of the data: llmeval2, faireval, judgebench, llmbar, jsonl or csv [default: told from the content]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,

    /// Go on over malformed entries; they are counted and shown
    #[arg(long)]
    skip_bad: bool,

    /// Take only this dataset; may be repeated
    #[arg(long = "dataset", value_name = "NAME")]
    datasets: Vec<String>,

    /// Take a random sample of N pairs, stratified by dataset and label
    #[arg(long, value_name = "N")]
    sample: Option<usize>,

    /// Take the first N pairs (of what the options above left)
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    /// Seed of every random choice: sampling of pairs, of tokens, bootstrap
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Folder with prompt texts of your own (`families/*.toml`, `layouts/*.toml`), which replace the built-in ones of the same name
    #[arg(long, value_name = "DIR")]
    prompts: Option<PathBuf>,

    /// File that maps datasets to prompt families, task types and abilities, instead of the built-in one
    #[arg(long, value_name = "FILE")]
    taxonomy: Option<PathBuf>,

    /// Pairs judged at the same time. With 1 and the same --threads, a run on the same machine repeats exactly; more may be faster
    #[arg(long, default_value = "1", value_name = "N")]
    concurrency: NonZeroUsize,
}

/// A judge as the command line names it, before its models are loaded.
enum Wanted {
    Network(Box<Network>),
    Baseline(Baseline),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.out.exists() && !arguments.out.is_dir() {
        return Err(input(anyhow::anyhow!(
            "`{}` is a file: give the folder for the run with `--out`",
            arguments.out.display()
        )));
    }
    let wanted = judge_named(arguments)?;
    // A run that goes on asks its endpoints as it did before; that it may be another run is found out below.
    let before = Store::open(&arguments.out).ok();
    let data = match before
        .as_ref()
        .and_then(|store| unchanged(arguments, &store.config().data))
    {
        Some(data) => Data::Known(data),
        None => Data::Surveyed(read(arguments)?),
    };
    let taxonomy = match &arguments.taxonomy {
        Some(path) => Taxonomy::load(path).map_err(input)?,
        None => Taxonomy::embedded(),
    };
    let prompts = match &arguments.prompts {
        Some(folder) => Prompts::with_overrides(folder).map_err(input)?,
        None => Prompts::embedded(),
    };
    if let Data::Surveyed(survey) = &data {
        tell_fallbacks(survey, &taxonomy, &wanted);
    }
    let mut models: BTreeMap<String, Arc<dyn ChatModel>> = BTreeMap::new();
    let mut endpoints = Vec::new();
    let meter = Arc::new(Meter::default());
    let runtime = runtime()?;
    let known = before.and_then(|store| store.capabilities().ok()).unwrap_or_default();
    let cache = arguments.cache.as_deref().map(CallCache::open).transpose();
    let cache = cache.map_err(failed)?.map(Arc::new);
    let judge = match wanted {
        Wanted::Baseline(baseline) => Judge::Baseline(baseline),
        Wanted::Network(network) => {
            let backend = &arguments.backend;
            let mut named = Vec::new();
            let mut load = |words: &str| -> Result<Arc<dyn ChatModel>, Failure> {
                let loaded = runtime.block_on(backend.load(words, &meter, &known))?;
                if let Some(can) = loaded.can {
                    endpoints.push((loaded.model.identity().name.clone(), can));
                }
                Ok(loaded.model)
            };
            for words in network.models() {
                if !models.contains_key(words) {
                    models.insert(words.to_owned(), load(words)?);
                }
                named.push(models[words].identity().clone());
            }
            let model = match models.get(&backend.model) {
                Some(model) => Arc::clone(model),
                None => load(&backend.model)?,
            };
            let identity = model.identity().clone();
            models.insert(identity.name.clone(), model);
            Judge::Network {
                network: *network,
                model: identity,
                named,
            }
        }
    };
    let config = RunConfig {
        widedeep: env!("CARGO_PKG_VERSION").to_owned(),
        data: data.source(arguments),
        judge,
        seed: arguments.seed,
        prompts: prompts.digest(),
        taxonomy: taxonomy.digest(),
    };
    let late = &mut None;
    let store = Store::start_with(&arguments.out, &config, move || {
        let survey = match data {
            Data::Surveyed(survey) => survey,
            // The run was taken away in the meantime.
            Data::Known(_) => read(arguments)?,
        };
        let pairs = late.insert(survey).pairs().map_err(input)?;
        Ok(pairs.map(|pair| pair.map_err(input)))
    })?;
    let store = Arc::new(store);
    if arguments.retry_missing {
        let missing = |judged: &Judged| {
            let opinions = judged.evaluation.iter().flat_map(|evaluation| &evaluation.opinions);
            opinions.into_iter().any(|opinion| opinion.missing.is_some())
        };
        let pairs = store.reopen(&missing).map_err(store_failure)?;
        note(&format!("judging {pairs} pairs with missing opinions again"));
    }
    for (name, can) in &endpoints {
        store.keep_capabilities(name, can).map_err(store_failure)?;
    }
    let desk = Desk {
        store: &store,
        models: &models,
        prompts: &prompts,
        taxonomy: &taxonomy,
        meter: &meter,
        cache: cache.as_ref(),
        limits: Limits {
            concurrency: arguments.concurrency.get(),
        },
    };
    judge_all(&runtime, &desk)?;
    drop(models);
    let metrics = finish(&store, &arguments.out, &taxonomy)?;
    check_missing(&metrics.counts, arguments.max_missing)
}

fn judge_all(runtime: &tokio::runtime::Runtime, desk: &Desk<'_>) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let mut progress = Progress::new();
    let result = runtime.block_on(async {
        let listener = stop.clone();
        let watcher = tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                listener.cancel();
            }
        });
        let mut listen = |event: &run::Event<'_>| progress.hear(event);
        let result = run::judge(desk, &stop, &mut listen).await;
        watcher.abort();
        result
    });
    progress.finish();
    match result {
        Ok(()) => Ok(()),
        Err(JudgeError::Interrupted) => {
            let (done, total) = progress.counts();
            Err(Failure::Interrupted(format!(
                "interrupted: {done} of {total} pairs are done; give the same command again to go on"
            )))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Figures, files and the printed summary of what is in the store.
fn finish(store: &Store, folder: &Path, taxonomy: &Taxonomy) -> Result<report::Metrics, Failure> {
    let metrics = report::Metrics::of_run(store, taxonomy)?;
    let written = report::export(store, folder, &metrics).map_err(failed)?;
    say(&report::summary(&metrics, width()))?;
    note(&files(&written));
    Ok(metrics)
}

/// Fails where too many opinions are missing.
fn check_missing(counts: &report::Counts, most: f64) -> Result<(), Failure> {
    let missing = counts.missing_opinions();
    if missing as f64 <= most * counts.opinions as f64 {
        return Ok(());
    }
    let reasons: Vec<String> = counts
        .missing
        .iter()
        .map(|(reason, count)| format!("{reason} ({count})"))
        .collect();
    Err(failed(anyhow::anyhow!(
        "{missing} of {} opinions are missing, more than `--max-missing {most}` allows: {}; opinions.jsonl says why for each, and the same command \
         with `--retry-missing` asks for them again",
        counts.opinions,
        reasons.join(", ")
    )))
}

/// A share, from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "a share lies between 0 and 1, such as `0.1`".to_owned())
}

fn judge_named(arguments: &Arguments) -> Result<Wanted, Failure> {
    let name = &arguments.network;
    if let Some(baseline) = Baseline::named(name) {
        if let Some(text) = arguments.overrides.first() {
            return Err(input(anyhow::anyhow!(
                "`--set {text}`: the baseline `{name}` has nothing to set"
            )));
        }
        return Ok(Wanted::Baseline(baseline));
    }
    let (text, origin) = match shipped(name) {
        Some(text) => (text.to_owned(), name.clone()),
        None => match std::fs::read_to_string(name) {
            Ok(text) => (text, name.clone()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let baselines = Baseline::ALL.map(Baseline::name).join(", ");
                let networks = networks::names().join(", ");
                return Err(input(anyhow::anyhow!(
                    "there is no network `{name}`: shipped are {networks}, baselines are {baselines}, and no file has this path"
                )));
            }
            Err(error) => {
                return Err(input(
                    anyhow::Error::from(error).context(format!("failed to read the network `{name}`")),
                ));
            }
        },
    };
    Network::parse(&text, &origin, &arguments.overrides)
        .map(|network| Wanted::Network(Box::new(network)))
        .map_err(input)
}

fn selection(arguments: &Arguments) -> Selection {
    Selection {
        datasets: arguments.datasets.clone(),
        sample: arguments.sample.map(|n| Sample {
            n,
            seed: arguments.seed,
        }),
        limit: arguments.limit,
    }
}

/// What is to be judged.
#[expect(clippy::large_enum_variant, reason = "there is one per run")]
enum Data {
    /// A source that was looked through.
    Surveyed(Survey),
    /// The run in the folder is of this source, which has not changed: nobody has to look again.
    Known(DataSource),
}

impl Data {
    fn source(&self, arguments: &Arguments) -> DataSource {
        match self {
            Data::Known(source) => source.clone(),
            Data::Surveyed(survey) => DataSource {
                path: arguments.data.clone(),
                format: survey.format().name().to_owned(),
                blake3: survey.blake3().to_owned(),
                selection: selection(arguments),
                skipped: survey.skipped().len(),
            },
        }
    }
}

/// The source of a run that is to go on, if the command names the same one and its bytes are the same.
fn unchanged(arguments: &Arguments, known: &DataSource) -> Option<DataSource> {
    let format = known.format.parse().ok()?;
    let asked = arguments.format.is_none_or(|asked| asked == format) && known.selection == selection(arguments);
    // Entries that were skipped are shown again.
    if !asked || known.skipped > 0 || is_demo(arguments) {
        return None;
    }
    let source = Source {
        path: arguments.data.clone(),
        format: Some(format),
    };
    let hash = Survey::hash_of(&source).ok()?;
    (hash == known.blake3).then(|| DataSource {
        path: source.path,
        ..known.clone()
    })
}

fn is_demo(arguments: &Arguments) -> bool {
    arguments.data == Path::new("demo") && !arguments.data.exists()
}

fn read(arguments: &Arguments) -> Result<Survey, Failure> {
    let bad = if arguments.skip_bad {
        BadLines::Skip
    } else {
        BadLines::Stop
    };
    let mut survey = if is_demo(arguments) {
        if arguments.format.is_some() {
            return Err(input(anyhow::anyhow!(
                "`demo` comes with the program and has no format to choose: leave out `--format`"
            )));
        }
        Survey::demo()
    } else {
        let source = Source {
            path: arguments.data.clone(),
            format: arguments.format,
        };
        Survey::of(&source, bad).map_err(input)?
    };
    if !survey.skipped().is_empty() {
        note(&format!("skipped {} malformed entries:", survey.skipped().len()));
        survey.skipped().iter().for_each(|bad| note(&format!("  {bad}")));
    }
    survey.select(&selection(arguments)).map_err(input)?;
    if survey.is_empty() {
        return Err(input(anyhow::anyhow!(
            "no pair is left to judge in `{}`",
            arguments.data.display()
        )));
    }
    Ok(survey)
}

/// Datasets that the taxonomy does not name are treated as others, and the user should know.
fn tell_fallbacks(survey: &Survey, taxonomy: &Taxonomy, wanted: &Wanted) {
    let mut unknown = survey.datasets();
    unknown.retain(|dataset| taxonomy.family(dataset).known == Known::Fallback);
    let (noun, are) = match unknown.as_slice() {
        [] => return,
        [_] => ("dataset", "is"),
        _ => ("datasets", "are"),
    };
    let names = unknown.iter().map(|name| format!("`{name}`"));
    let names = names.collect::<Vec<_>>().join(", ");
    let so = match wanted {
        Wanted::Network(_) => {
            let family = taxonomy.default_family();
            format!("judged with the prompts of the family `{family}`")
        }
        Wanted::Baseline(_) => "no task type or ability".to_owned(),
    };
    note(&format!(
        "{noun} {names} {are} not in the taxonomy: {so} (see --taxonomy)"
    ));
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        store_failure(error)
    }
}

fn store_failure(error: StoreError) -> Failure {
    match error {
        StoreError::OtherRun { .. } | StoreError::NoRun { .. } | StoreError::Newer { .. } => input(error),
        other => failed(other),
    }
}
