//! `widedeep detect intervene`: what scaling a detector's units does to the model's answers.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use widedeep::agreement::Bootstrap;
use widedeep::inside::hallucination::frozen::FrozenError;
use widedeep::inside::hallucination::intervention::{
    Asking, Event, Found as Findings, InterventionError, Plan, Sweep, Task, csv, items, table,
};
use widedeep::inside::hallucination::questions::{self, Kind, Question};
use widedeep::inside::hallucination::style::Style;
use widedeep::inside::hallucination::{Detector, figure};
use widedeep::inside::language::files;
use widedeep::inside::masonry::sample_text;

use super::{Found, style};
use crate::cli::backend::Backend;
use crate::cli::bar::Bar;
use crate::cli::{Failure, failed, input, note, runtime, say};

/// Stands for the model that the detector names.
const OWN: &str = "detector";

/// A detector of so many of all units is no small set any more.
const MANY: f64 = 0.05;

/// Scale a detector's H-units, and measure how much more the model goes along with what is false
///
/// The units' activations are multiplied by each of --scales while the model answers greedily: 0 silences them, 1 changes nothing, more amplifies. Measured are
/// false premises (FalseQA) that it answers without correcting them; wrong answers that a context states and that it repeats; right answers that it gives up
/// when they are doubted ("I don't think that's right. Are you sure?"); how many questions it answers right; and the perplexity of a text. Everything is
/// repeated with as many random units in every layer. Slopes and their differences have 95 % intervals over items. Replies are kept in the folder of --out: an
/// interrupted sweep goes on, and strengths or random sets may be added.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("model", |argument| argument
        .default_value(OWN)
        .help("Model that the detector reads: `detector` for the name that the detector knows, a name from `widedeep models list`, or the path of a GGUF file")
        .long_help(None)),
    after_help = "Examples:
  widedeep detect intervene facts.jsonl falseqa.csv --detector detector.json --out sweep
  widedeep detect intervene facts.jsonl --strata capital,continent --detector detector.json --scales 0,1,3 --draws 3 --out sweep
  widedeep detect intervene falseqa.csv --detector detector.json --judge-model openai:gpt-4o --out sweep

Files of questions are told apart by their content: those with false premises (FalseQA's label 1), and those with answers, which serve the contexts (a
wrong answer is the answer to another question of its template or set), the pushbacks and the accuracy. The rule for corrections looks for words that
deny; of what people wrote it finds 80 % of the corrections and 6 % of the other answers, so read differences, or give a --judge-model. A detector that is
meant for this is sparse: `widedeep detect fit --h-units 0.35`."
)]
pub(crate) struct Arguments {
    /// Files of questions with answers or with false premises
    #[arg(required = true)]
    questions: Vec<PathBuf>,

    /// Detector, as `widedeep detect fit` writes it
    #[arg(long, value_name = "FILE")]
    detector: PathBuf,

    /// Folder for replies, tables and figures
    #[arg(long)]
    out: PathBuf,

    /// Strengths α, separated by commas; the first one is compared with 1, and 1 with the last one
    #[arg(long, value_delimiter = ',', default_value = "0,0.5,1,1.5,2,2.5,3", value_parser = scale)]
    scales: Vec<f32>,

    /// Sets of random units
    #[arg(long, default_value = "5", value_name = "N")]
    draws: usize,

    /// Take questions with answers of these templates or sets only, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    strata: Vec<String>,

    /// Take so many false premises, and so many questions with answers, drawn by --seed
    #[arg(long, value_name = "N", default_value = "200")]
    sample: NonZeroUsize,

    /// How questions are put: `few-shot`, `chat` or `verbatim` [default: as in the detector's training]
    #[arg(long, value_parser = style)]
    prompt: Option<Style>,

    /// Have this model judge whether a false premise was corrected, named as in `widedeep eval --model` (`openai:NAME` for one behind an API)
    #[arg(long, value_name = "MODEL")]
    judge_model: Option<String>,

    /// Tokens of the longest reply to a false premise
    #[arg(long, value_name = "N", default_value = "48")]
    premise_tokens: NonZeroUsize,

    /// Tokens of the longest other reply
    #[arg(long, value_name = "N", default_value = "20")]
    answer_tokens: NonZeroUsize,

    /// Text whose perplexity is measured [default: some prose that comes with the program]
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,

    /// Read no more of it than this
    #[arg(long, value_name = "TOKENS", default_value = "512")]
    text_tokens: NonZeroUsize,

    /// Seed of the sample, the contexts and the random units
    #[arg(long, default_value = "42")]
    seed: u64,

    /// Resamples of the intervals
    #[arg(long, default_value = "2000", value_name = "N")]
    resamples: NonZeroU32,

    /// Print everything as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    backend: Backend,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let questions = questions(arguments)?;
    let detector = Detector::read(&arguments.detector).map_err(input)?;
    let name = Some(arguments.backend.model.as_str()).filter(|name| *name != OWN);
    let found = Found::of_detector(&detector, name)?;
    let trained = found.admitted_by(&detector)?;
    let text = match &arguments.text {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| input(anyhow::anyhow!("failed to read `{}`: {error}", path.display())))?,
        None => sample_text(),
    };
    let judge = arguments.judge_model.as_ref();
    let judge = judge.map(|words| arguments.backend.prepare(words)).transpose()?;
    let mut scales = arguments.scales.clone();
    scales.sort_by(f32::total_cmp);
    scales.dedup_by(|a, b| a.total_cmp(b).is_eq());
    let items = items(&questions, arguments.sample.get(), arguments.seed);
    let own = detector.h_units().len();
    if own as f64 > MANY * detector.shape.units() as f64 {
        note(&format!(
            "the detector has {own} H-units of {}; for so many, scaling says little about single units: fit a sparse detector with `--h-units 0.35`",
            detector.shape.units()
        ));
    }
    let plan = Plan {
        scales,
        draws: arguments.draws,
        bootstrap: Bootstrap {
            draws: arguments.resamples,
            ..Bootstrap::default()
        },
    };
    let asking = Asking {
        style: arguments.prompt.unwrap_or(trained),
        premise_tokens: arguments.premise_tokens.get(),
        answer_tokens: arguments.answer_tokens.get(),
        text_tokens: arguments.text_tokens.get(),
        seed: arguments.seed,
    };
    let mut sweep = Sweep::open(&arguments.out, &detector, items, &text, asking, plan).map_err(sorted)?;
    let model = found.load()?;
    let threads = arguments.backend.threads;
    let mut bar = Bar::new();
    let mut listen = |event: Event| match event {
        Event::Answered(done, total) => bar.show("replies", done, total),
        Event::Read(done, total) => bar.show("perplexities", done, total),
        Event::Judged(done, total) => bar.show("replies judged", done, total),
    };
    let runtime = runtime()?;
    runtime
        .block_on(sweep.answer(&model, threads, &mut listen))
        .map_err(sorted)?;
    if let Some(judge) = judge {
        let judge = runtime.block_on(judge.connect(&Arc::default(), &[], None))?;
        runtime
            .block_on(sweep.judge(judge.model.as_ref(), &mut listen))
            .map_err(sorted)?;
    }
    let fluency = sweep.read(&model, threads, &mut listen).map_err(sorted)?;
    bar.finish();
    let findings = sweep.found(fluency);
    write(&arguments.out, &findings)?;
    if arguments.json {
        return say(&serde_json::to_string_pretty(&findings).map_err(failed)?);
    }
    say(&table(&findings))
}

fn write(folder: &Path, found: &Findings) -> Result<(), Failure> {
    files::json(&folder.join("intervention.json"), found).map_err(failed)?;
    std::fs::write(folder.join("rates.csv"), csv(found)).map_err(failed)?;
    for task in Task::ALL {
        if let Some(svg) = figure::intervention(found, task) {
            std::fs::write(folder.join(format!("{}.svg", task.name())), svg).map_err(failed)?;
        }
    }
    note(&format!("wrote tables and figures into {}", folder.display()));
    Ok(())
}

/// The questions of all files. A file with false premises is asked for these alone: FalseQA's other questions have explanations for answers, which no rule compares.
fn questions(arguments: &Arguments) -> Result<Vec<Question>, Failure> {
    let mut all = Vec::new();
    for path in &arguments.questions {
        let mut questions = questions::read(path).map_err(input)?;
        if questions.iter().any(|question| question.kind == Kind::FalsePremise) {
            questions.retain(|question| question.kind == Kind::FalsePremise);
        } else if !arguments.strata.is_empty() {
            questions.retain(|question| arguments.strata.contains(&question.stratum));
        }
        all.extend(questions);
    }
    let unknown = arguments
        .strata
        .iter()
        .find(|name| !all.iter().any(|question| question.stratum == **name));
    match unknown {
        Some(name) => Err(input(anyhow::anyhow!(
            "no question with an answer is of `{name}`; see the templates and sets in the files"
        ))),
        None => Ok(all),
    }
}

fn scale(text: &str) -> Result<f32, String> {
    match text.trim().parse::<f32>() {
        Ok(scale) if scale.is_finite() && scale >= 0.0 => Ok(scale),
        _ => Err("expected a number of at least 0".to_owned()),
    }
}

/// Tells settings and files that are at fault from work that failed.
fn sorted(error: InterventionError) -> Failure {
    match error {
        InterventionError::Frozen(FrozenError::Io { .. }) => failed(error),
        InterventionError::NoUnits
        | InterventionError::NoItems
        | InterventionError::Frozen(_)
        | InterventionError::Random(_)
        | InterventionError::Journal(_)
        | InterventionError::Template(_)
        | InterventionError::Edit(_) => input(error),
        other => failed(other),
    }
}
