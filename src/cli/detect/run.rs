//! `widedeep detect run`: a detector applied to responses.

use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};
use widedeep::inside::hallucination::collect::SPAN_RULE;
use widedeep::inside::hallucination::export::export;
use widedeep::inside::hallucination::questions::read_exchanges;
use widedeep::inside::hallucination::score::{LongAnswers, Outcome, Regime, Scored, Scorer};
use widedeep::inside::hallucination::style::Style;
use widedeep::inside::hallucination::{Detector, Region, Truth};
use widedeep::llama::Threads;

use super::{Found, style};
use crate::cli::bar::Bar;
use crate::cli::{Failure, failed, input, note, say, width};

/// Rows that are printed; the files hold all.
const SHOWN: usize = 20;

/// Say for each response how likely it is made up, and which of its tokens look so
///
/// The model reads every prompt with its response; a response's score is the mean of the scores of its answer's tokens, and becomes a probability by the
/// detector's calibration. With --out, scores.csv, scores.jsonl (every token) and scores.html (tokens coloured by their score) are written. A detector made for
/// another model file is refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep detect run responses.jsonl --detector detector.json
  widedeep detect run pairs.jsonl --detector detector.json --out scores

Fields of a line: `prompt` (or question, query, instruction), `response` (or answer, output), optional `id`; with `response1` and `response2` both are
scored. The probabilities hold for answers that this model gave to such questions; for texts that somebody else wrote they say how its units react, which is
not what they were calibrated on.")]
pub(crate) struct Arguments {
    /// JSON or JSONL with prompts and responses
    data: PathBuf,

    /// Detector, as `widedeep detect fit` writes it
    #[arg(long, value_name = "FILE")]
    detector: PathBuf,

    /// Model: a name from `widedeep models list` or the path of a GGUF file [default: the name that the detector knows]
    #[arg(long)]
    model: Option<String>,

    /// Folder for scores.csv, scores.jsonl and scores.html
    #[arg(long)]
    out: Option<PathBuf>,

    /// How prompts are put: `few-shot`, `chat` or `verbatim` [default: as in the detector's training]
    #[arg(long, value_parser = style)]
    prompt: Option<Style>,

    /// Score answers that are much longer than those of the training sentence by sentence, instead of refusing them; a response's score is then the mean
    /// over its sentences
    #[arg(long)]
    sentences: bool,

    /// Print the scores as JSON lines instead of a table
    #[arg(long)]
    json: bool,

    /// Threads: `auto` takes one per core, a number is kept to
    #[arg(long, value_name = "auto|N", default_value = "auto")]
    threads: Threads,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let exchanges = read_exchanges(&arguments.data).map_err(input)?;
    let detector = Detector::read(&arguments.detector).map_err(input)?;
    let found = Found::of_detector(&detector, arguments.model.as_deref())?;
    let trained = found.admitted_by(&detector)?;
    let style = arguments.prompt.unwrap_or(trained);
    let (model, norms) = (found.load()?, found.norms()?);
    let long = if arguments.sentences {
        LongAnswers::BySentence
    } else {
        LongAnswers::Refused
    };
    let mut scorer = Scorer::new(&model, &detector, &norms, style, long, arguments.threads);
    if scorer.regime() == Regime::OtherPrompt {
        note(&format!(
            "the detector was trained with the prompt style `{}`: its probabilities are not calibrated for `{}`",
            detector.prompt,
            style.name()
        ));
    }
    if detector.rule.region == Region::AnswerTokens && detector.rule.span != SPAN_RULE {
        note(&format!(
            "the detector was trained on answers that were found in another way (`{}`): here the rule `{SPAN_RULE}` finds them",
            detector.rule.span
        ));
    }
    let mut bar = Bar::new();
    let mut scored = Vec::new();
    for exchange in &exchanges {
        scored.push(scorer.score(exchange).map_err(failed)?);
        bar.show("responses scored", scored.len(), exchanges.len());
    }
    bar.finish();
    if let Some(folder) = &arguments.out {
        let written = export(folder, &detector, scorer.regime(), &scored).map_err(failed)?;
        let paths: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        note(&format!("wrote {}", paths.join(", ")));
    }
    if arguments.json {
        for item in &scored {
            say(&serde_json::to_string(item).map_err(failed)?)?;
        }
        return Ok(());
    }
    say(&table(&scored))
}

fn table(scored: &[Scored]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_width(width());
    table.set_header(["id", "probability", "", "answer"]);
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for item in scored.iter().take(SHOWN) {
        match &item.outcome {
            Outcome::Score {
                probability,
                verdict,
                answer,
                ..
            } => {
                let verdict = match verdict {
                    Truth::Faithful => "faithful",
                    Truth::Hallucinated => "hallucinated",
                };
                let answer = item.response.get(answer.0..answer.1).unwrap_or("");
                let answer: String = answer.split_whitespace().collect::<Vec<_>>().join(" ");
                table.add_row([item.id.as_str(), &format!("{probability:.3}"), verdict, &answer]);
            }
            Outcome::Refused(reason) => {
                table.add_row([item.id.as_str(), "–", "not scored", reason]);
            }
        }
    }
    let verdicts = scored.iter().filter_map(|item| match &item.outcome {
        Outcome::Score { verdict, .. } => Some(*verdict),
        Outcome::Refused(_) => None,
    });
    let (mut known, mut made_up) = (0, 0);
    for verdict in verdicts {
        match verdict {
            Truth::Faithful => known += 1,
            Truth::Hallucinated => made_up += 1,
        }
    }
    let more = scored.len().saturating_sub(SHOWN);
    let more = if more > 0 {
        format!("\n… and {more} more")
    } else {
        String::new()
    };
    format!(
        "{table}{more}\n\n{} responses: {made_up} called hallucinated, {known} faithful, {} not scored",
        scored.len(),
        scored.len() - known - made_up
    )
}
