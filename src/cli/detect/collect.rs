//! `widedeep detect collect`: answers, their verdicts, and the activations of those that are kept.

use std::num::{NonZeroU16, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use widedeep::inside::hallucination::answered;
use widedeep::inside::hallucination::balance::{Balance, Within};
use widedeep::inside::hallucination::collect::{CollectError, Collection, Event, SPAN_RULE, Source};
use widedeep::inside::hallucination::consistency::Consistency;
use widedeep::inside::hallucination::extracting::QUOTED;
use widedeep::inside::hallucination::frozen::FrozenError;
use widedeep::inside::hallucination::item::Tally;
use widedeep::inside::hallucination::judge::Matching;
use widedeep::inside::hallucination::questions::{self, Kind, Question, official};
use widedeep::inside::hallucination::rule::{Aggregation, OtherScope, Region, RegionRule};
use widedeep::inside::hallucination::sampling::Draws;
use widedeep::inside::hallucination::settings::Settings;
use widedeep::inside::hallucination::style::Style;
use widedeep::llama::{Engine, EngineConfig};

use super::{Found, style};
use crate::cli::backend::Backend;
use crate::cli::bar::Bar;
use crate::cli::{Failure, failed, input, note, runtime, say};

/// Let a model answer questions, judge the answers, and take the activations of those that it gets right or wrong every time
///
/// Each question is answered --k times. Kept are questions whose answers are all right or all wrong; of these as many right as wrong ones are read once more
/// together with their most frequent answer, and the share of every FFN unit in what its layer writes (CETT) is averaged over the answer's tokens and over all
/// others. Everything is kept in the folder of --out: samples.jsonl, judged.jsonl, items.jsonl and the features (features.npy opens with NumPy). An interrupted
/// collection goes on when the same command is given again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep detect collect triviaqa.jsonl --model qwen2.5-coder-1.5b --prompt chat --out trivia
  widedeep detect collect facts.jsonl --strata capital,continent --k 6 --temperature 0.7 --exceptions 1 --agreeing 4 --out facts
  widedeep detect collect consistency.jsonl --out replication       # answers and verdicts of an H-Neurons run
  widedeep detect collect answer_tokens.jsonl --ids qids.json --out official

The defaults are the published settings. Models below about 1B know little and repeat themselves less: give them the settings of the second example.
Questions: JSON or JSONL with `question` and `answers`, CSV with `question` and `answer`, and as published TriviaQA, NQ-Open, WebQuestions, PopQA,
SimpleQA, TruthfulQA, OpenTriviaQA and known facts (ROME).")]
pub(crate) struct Arguments {
    /// Files of questions, or one file of answers as the H-Neurons repository writes them
    #[arg(required = true)]
    questions: Vec<PathBuf>,

    /// Folder for everything that is collected
    #[arg(long)]
    out: PathBuf,

    /// For a file of answer tokens: the file that says which ids are right (t) and wrong (f)
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,

    /// Take questions of these templates or sets only, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    strata: Vec<String>,

    /// Take so many questions, drawn by --seed
    #[arg(long, value_name = "N")]
    sample: Option<NonZeroUsize>,

    /// How questions are put: `few-shot` (five answered questions before it), `chat` (the chat template, with the instruction to answer only) or
    /// `verbatim` (the chat template, the question as it is)
    #[arg(long, default_value = "few-shot", value_parser = style)]
    prompt: Style,

    /// Answers per question
    #[arg(long, default_value = "10", value_name = "N", help_heading = "Answers")]
    k: NonZeroUsize,

    /// Temperature; 0 takes the most probable token each time
    #[arg(long, default_value = "1", help_heading = "Answers")]
    temperature: f32,

    /// Draw from so many of the most probable tokens; 0 for all
    #[arg(long, default_value = "50", value_name = "N", help_heading = "Answers")]
    top_k: u16,

    /// Draw from the fewest tokens that hold this much probability
    #[arg(long, default_value = "0.9", value_name = "P", help_heading = "Answers")]
    top_p: f32,

    /// Tokens of the longest answer [default: 16 for few-shot, else 50]
    #[arg(long, value_name = "N", help_heading = "Answers")]
    max_tokens: Option<NonZeroUsize>,

    /// Seed of every draw
    #[arg(long, default_value = "42", help_heading = "Answers")]
    seed: u64,

    /// How answers are judged where their set does not say: `official` (an accepted answer occurs in it, as published), `strict` (on word boundaries, no lists)
    /// or `exact`
    #[arg(long, default_value = "official", value_parser = matching, help_heading = "Keeping")]
    judge: Matching,

    /// Have this model judge the answers instead, named as in --model (`openai:NAME` for one behind an API): it is shown question, answer and accepted answers
    #[arg(long, value_name = "MODEL", help_heading = "Keeping")]
    judge_model: Option<String>,

    /// Have this model say which words of a response carry the answer, named as in --judge-model; without one a rule finds them. `detect run` always uses the rule
    #[arg(long, value_name = "MODEL", help_heading = "Keeping")]
    extract_model: Option<String>,

    /// Answers to a question that may be right among wrong ones, or wrong among right ones
    #[arg(long, default_value = "0", value_name = "N", help_heading = "Keeping")]
    exceptions: usize,

    /// How often the most frequent answer has to occur, in both classes
    #[arg(long, default_value = "1", value_name = "N", help_heading = "Keeping")]
    agreeing: usize,

    /// Make the classes equally large within each of the `strata` (template or set), in `all`, or leave `nothing` out
    #[arg(long, default_value = "strata", value_parser = within, help_heading = "Keeping")]
    balance: Within,

    /// Questions of a class at most
    #[arg(long, default_value = "1000", value_name = "N", help_heading = "Keeping")]
    per_class: usize,

    /// How often one answer may occur in a class [default: any number]
    #[arg(long, value_name = "N", help_heading = "Keeping")]
    per_answer: Option<usize>,

    /// Tokens that a response is scored by: `answer-tokens`, or `output` where answers cannot be found
    #[arg(long, default_value = "answer-tokens", value_parser = region, help_heading = "Features")]
    region: Region,

    /// The other tokens: `no-bos` (all but the first, whose activations are outliers), `full` (all, as published) or `response`
    #[arg(long, default_value = "no-bos", value_parser = other, help_heading = "Features")]
    other: OtherScope,

    /// How the tokens' values become one: `mean` or `max`
    #[arg(long, default_value = "mean", value_parser = aggregation, help_heading = "Features")]
    aggregation: Aggregation,

    #[command(flatten)]
    backend: Backend,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (source, digest) = source(arguments)?;
    let found = Found::named(&arguments.backend.model)?;
    let judge = arguments.judge_model.as_ref();
    let judge = judge.map(|words| arguments.backend.prepare(words)).transpose()?;
    let mut settings = settings(arguments, &found, &source, digest);
    settings.judge = judge.as_ref().map(|judge| judge.identity().clone());
    let extractor = arguments.extract_model.as_ref();
    let extractor = extractor.map(|words| arguments.backend.prepare(words)).transpose()?;
    if let Some(extractor) = &extractor {
        settings.extractor = Some(extractor.identity().clone());
        QUOTED.clone_into(&mut settings.rule.span);
    }
    let collection = Collection::open(&arguments.out, settings).map_err(sorted)?;
    let model = found.load()?;
    let mut bar = Bar::new();
    if let Source::Questions(questions) = &source
        && !collection.is_answered(questions).map_err(sorted)?
    {
        let config = EngineConfig {
            context: arguments.backend.context.map(NonZeroUsize::get),
            threads: arguments.backend.threads,
            ..EngineConfig::default()
        };
        // It ends here: its cache and the tap's need not be in memory together.
        let engine = Engine::start(model.clone(), &config).map_err(input)?;
        let answering = collection.answer(&engine, questions, |event| show(&mut bar, event));
        runtime()?.block_on(answering).map_err(sorted)?;
    }
    let mut answered = collection.answered(&source).map_err(sorted)?;
    if let Some(judge) = judge {
        let runtime = runtime()?;
        let judge = runtime.block_on(judge.connect(&Arc::default(), &[], None))?;
        let judging = collection.judge(judge.model.as_ref(), &mut answered, |event| show(&mut bar, event));
        runtime.block_on(judging).map_err(sorted)?;
    }
    if let Some(extractor) = extractor {
        let runtime = runtime()?;
        let extractor = runtime.block_on(extractor.connect(&Arc::default(), &[], None))?;
        let extracting = collection.extract(extractor.model.as_ref(), &mut answered, |event| show(&mut bar, event));
        runtime.block_on(extracting).map_err(sorted)?;
    }
    let tally = collection.read(&model, &answered, arguments.backend.threads, |event| {
        show(&mut bar, event);
    });
    bar.finish();
    let tally = tally.map_err(sorted)?;
    say(&told(&tally, &arguments.out))
}

fn show(bar: &mut Bar, event: &Event) {
    match event {
        Event::Answered(done, total) => bar.show("questions answered", *done, *total),
        Event::Judged(done, total) => bar.show("answers judged", *done, *total),
        Event::Extracted(done, total) => bar.show("answers marked", *done, *total),
        Event::Read(done, total) => bar.show("answers read", *done, *total),
        Event::Chosen(_) => {}
    }
}

fn told(tally: &Tally, folder: &Path) -> String {
    let [faithful, hallucinated] = tally.chosen;
    let reasons = tally.reasons();
    let dropped = if reasons.is_empty() {
        String::new()
    } else {
        format!("; left out: {reasons}")
    };
    format!(
        "{} questions: {} right and {} wrong every time{dropped}\nfeatures of {faithful} right and {hallucinated} wrong answers are in {}\n\
         go on with `widedeep detect fit {} --out detector.json`",
        tally.questions,
        tally.faithful,
        tally.hallucinated,
        folder.join("features.npy").display(),
        folder.display()
    )
}

/// The questions or answers of the files, and a hash of them.
fn source(arguments: &Arguments) -> Result<(Source, String), Failure> {
    let mut hasher = blake3::Hasher::new();
    let first = &arguments.questions[0];
    let format = official::format(first).map_err(input)?;
    let set = first
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    if let (Some(_), Some(second)) = (format, arguments.questions.get(1)) {
        return Err(input(anyhow::anyhow!(
            "`{}` holds answers: give it alone, without `{}`",
            first.display(),
            second.display()
        )));
    }
    let source = match format {
        Some(official::Format::Sampled) => {
            let items = official::read_sampled(first).map_err(input)?;
            Source::Answers(answered::of_sampled(&set, items, arguments.judge))
        }
        Some(official::Format::Spanned) => {
            let Some(ids) = &arguments.ids else {
                return Err(input(anyhow::anyhow!(
                    "`{}` does not say which answers are right: give the file of ids with --ids",
                    first.display()
                )));
            };
            let ids = official::read_ids(ids).map_err(input)?;
            if !ids.repeated.is_empty() {
                note(&format!(
                    "{} ids are listed more than once; they count once",
                    ids.repeated.len()
                ));
            }
            let items = official::read_spanned(first).map_err(input)?;
            Source::Answers(answered::of_spanned(&set, items, &ids))
        }
        None => Source::Questions(questions(arguments)?),
    };
    match &source {
        Source::Questions(questions) => questions.iter().for_each(|question| {
            hasher.update(format!("{question:?}\n").as_bytes());
        }),
        Source::Answers(answered) => {
            note(
                "the answers come from a file; what this model does while it reads them is not what it does when it answers",
            );
            for answered in answered {
                hasher.update(format!("{answered:?}\n").as_bytes());
            }
        }
    }
    Ok((source, hasher.finalize().to_hex().to_string()))
}

fn questions(arguments: &Arguments) -> Result<Vec<Question>, Failure> {
    let mut all = Vec::new();
    for path in &arguments.questions {
        all.extend(questions::read(path).map_err(input)?);
    }
    if let Some(question) = all.iter().find(|question| question.kind == Kind::FalsePremise) {
        return Err(input(anyhow::anyhow!(
            "`{}` asks on a false premise, which no list of answers can judge; collect on questions with answers",
            question.key()
        )));
    }
    if !arguments.strata.is_empty() {
        if let Some(unknown) = arguments
            .strata
            .iter()
            .find(|name| !all.iter().any(|question| question.stratum == **name))
        {
            let mut names: Vec<&str> = all.iter().map(|question| question.stratum.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            return Err(input(anyhow::anyhow!(
                "no question is of `{unknown}`; there are {}",
                names.join(", ")
            )));
        }
        all.retain(|question| arguments.strata.contains(&question.stratum));
    }
    if let Some(sample) = arguments.sample {
        let amount = sample.get().min(all.len());
        let mut chosen = index::sample(&mut ChaCha8Rng::seed_from_u64(arguments.seed), all.len(), amount).into_vec();
        // In the order of the files.
        chosen.sort_unstable();
        all = chosen.into_iter().map(|place| all[place].clone()).collect();
    }
    Ok(all)
}

fn settings(arguments: &Arguments, found: &Found, source: &Source, questions: String) -> Settings {
    let published = Draws::published(arguments.prompt, arguments.seed);
    let mut sets: Vec<String> = match source {
        Source::Questions(questions) => questions.iter().map(|question| question.set.clone()).collect(),
        Source::Answers(answered) => answered.iter().map(|item| item.question.set.clone()).collect(),
    };
    sets.dedup();
    Settings {
        model: found.id.clone(),
        questions,
        sets,
        style: arguments.prompt,
        draws: match source {
            Source::Questions(_) => Some(Draws {
                samples: arguments.k,
                temperature: arguments.temperature,
                top_k: NonZeroU16::new(arguments.top_k),
                top_p: arguments.top_p,
                max_tokens: arguments.max_tokens.unwrap_or(published.max_tokens),
                seed: arguments.seed,
            }),
            Source::Answers(_) => None,
        },
        matching: arguments.judge,
        judge: None,
        extractor: None,
        consistency: Consistency {
            exceptions: arguments.exceptions,
            agreeing: arguments.agreeing,
        },
        balance: Balance {
            within: arguments.balance,
            per_class: arguments.per_class,
            per_answer: arguments.per_answer,
            seed: arguments.seed,
        },
        rule: RegionRule {
            region: arguments.region,
            span: SPAN_RULE.to_owned(),
            other: arguments.other,
            aggregation: arguments.aggregation,
        },
    }
}

/// Tells settings and files that are at fault from work that failed.
fn sorted(error: CollectError) -> Failure {
    match error {
        CollectError::Frozen(FrozenError::Io { .. }) => failed(error),
        CollectError::Frozen(_)
        | CollectError::Journal(_)
        | CollectError::Template(_)
        | CollectError::Weights(_)
        | CollectError::Features(_) => input(error),
        other => failed(other),
    }
}

fn matching(text: &str) -> Result<Matching, String> {
    let found = Matching::CHOICES.into_iter().find(|(name, _)| *name == text);
    found
        .map(|(_, matching)| matching)
        .ok_or_else(|| "expected `official`, `strict` or `exact`".to_owned())
}

fn within(text: &str) -> Result<Within, String> {
    match text {
        "strata" => Ok(Within::Strata),
        "all" => Ok(Within::All),
        "nothing" => Ok(Within::Nothing),
        _ => Err("expected `strata`, `all` or `nothing`".to_owned()),
    }
}

fn region(text: &str) -> Result<Region, String> {
    match text {
        "answer-tokens" => Ok(Region::AnswerTokens),
        "output" => Ok(Region::Output),
        _ => Err("expected `answer-tokens` or `output`".to_owned()),
    }
}

fn other(text: &str) -> Result<OtherScope, String> {
    match text {
        "no-bos" => Ok(OtherScope::NoBos),
        "full" => Ok(OtherScope::Full),
        "response" => Ok(OtherScope::Response),
        _ => Err("expected `no-bos`, `full` or `response`".to_owned()),
    }
}

fn aggregation(text: &str) -> Result<Aggregation, String> {
    match text {
        "mean" => Ok(Aggregation::Mean),
        "max" => Ok(Aggregation::Max),
        _ => Err("expected `mean` or `max`".to_owned()),
    }
}
