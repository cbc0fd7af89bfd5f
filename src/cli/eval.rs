//! `widedeep eval`: judge pairs with a network.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::backend::{Backend, Prepared};
use super::batch::BatchFlags;
use super::material::DataFlags;
use super::money::{BudgetFlags, TariffFlags};
use super::session::{self, Models, Terms, Wanted, store_failure};
use super::{Failure, dry_run, failed, files, input, note, runtime, say, width};
use widedeep::cost::Tariff;
use widedeep::pair::Taxonomy;
use widedeep::report;
use widedeep::run::{CallCache, RunConfig, Store};

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
    #[command(flatten)]
    data: DataFlags,

    /// Network: the name of a shipped one (`widedeep networks list`), the path of a TOML file, or a baseline that needs no model (`longer`,
    /// `always-model1`)
    #[arg(long, default_value = "widedeep")]
    network: String,

    /// Override a key of the network, such as `reply.evidence_tokens=64`, `aggregate.tie_margin=0.5` or `layers=3`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    /// Folder for the run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Seed of every random choice: sampling of pairs, of tokens, bootstrap
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Pairs judged at the same time. With 1 and the same --threads, a run on the same machine repeats exactly; more may be faster
    #[arg(long, default_value = "1", value_name = "N")]
    concurrency: NonZeroUsize,

    /// File with replies that runs share: a call that any of them has made is not made again. It is made where there is none
    #[arg(long, value_name = "FILE")]
    cache: Option<PathBuf>,

    /// Largest share of opinions that may be missing: above it the command fails, after everything is written
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = share)]
    max_missing: f64,

    /// Judge the pairs again that have missing opinions; replies that are there already are not asked for again
    #[arg(long)]
    retry_missing: bool,

    #[command(flatten)]
    backend: Backend,

    #[command(flatten)]
    batch: BatchFlags,

    #[command(flatten)]
    tariff: TariffFlags,

    #[command(flatten)]
    budget: BudgetFlags,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.out.exists() && !arguments.out.is_dir() {
        return Err(input(anyhow::anyhow!(
            "`{}` is a file: give the folder for the run with `--out`",
            arguments.out.display()
        )));
    }
    let wanted = Wanted::named(&arguments.network, &arguments.overrides)?;
    let before = Store::open(&arguments.out).ok();
    let mut material = arguments.data.read(arguments.seed, before.as_ref())?;
    drop(before);
    material.tell_fallbacks(&wanted);
    let tariff = arguments.tariff.read()?;
    let cache = arguments.cache.as_deref().map(CallCache::open).transpose();
    let cache = cache.map_err(failed)?.map(Arc::new);
    let mut models = Models::default();
    let judge = models.judge(wanted, &arguments.backend, &arguments.backend.model)?;
    let limit = arguments.budget.limit(&judge, &tariff)?;
    if arguments.budget.dry_run {
        return dry_run::run(
            &judge,
            &mut material,
            &arguments.out,
            arguments.seed,
            &models,
            &tariff,
            limit.as_ref(),
        );
    }
    let endpoints = models
        .prepared()
        .filter(|prepared| matches!(prepared, Prepared::Endpoint(..)));
    let collector = arguments.batch.collector(endpoints.count())?;
    let config = RunConfig {
        widedeep: env!("CARGO_PKG_VERSION").to_owned(),
        data: material.source(),
        judge,
        seed: arguments.seed,
        prompts: material.prompts.digest(),
        taxonomy: material.taxonomy.digest(),
    };
    let terms = Terms {
        concurrency: arguments.concurrency,
        cache: cache.as_ref(),
        limit,
        retry_missing: arguments.retry_missing,
        collector: collector.as_ref(),
    };
    let runtime = runtime()?;
    let store = session::judge(&runtime, &arguments.out, &config, &mut material, &mut models, terms)?;
    drop(models);
    let metrics = finish(&store, &arguments.out, &material.taxonomy, &tariff)?;
    say(&report::summary(&metrics.0, width()))?;
    note(&files(&metrics.1));
    check_missing(&metrics.0.counts, arguments.max_missing)
}

/// Figures and files of what is in the store.
pub(crate) fn finish(
    store: &Store,
    folder: &Path,
    taxonomy: &Taxonomy,
    tariff: &Tariff,
) -> Result<(report::Metrics, report::Written), Failure> {
    let mut metrics = report::Metrics::of_run(store, taxonomy)?;
    metrics.cost = report::cost(store, tariff).map_err(store_failure)?;
    let written = report::export(store, folder, &metrics).map_err(failed)?;
    Ok((metrics, written))
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
