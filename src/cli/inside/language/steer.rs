//! `widedeep inside language steer`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ValueEnum;
use widedeep::inside::language::spoken::{Ear, is_known};
use widedeep::inside::language::steering::{self, Form, Output, Plan, Scaling, Share, SteeringError, shares, steer};
use widedeep::inside::language::text::{self, Reading};
use widedeep::inside::language::{Identified, files, tables};
use widedeep::llama::Greedy;

use super::flags::{ModelFlags, SetFlags, out};
use super::show;
use crate::cli::{Failure, failed, input, note, say};

/// Scale a language's units while the model writes, and listen to what language comes out
///
/// Every prompt is continued greedily with nothing scaled, with the languages' units scaled, and with as many random units scaled alike. The language of each
/// output is what a trigram detector hears among the languages of the units; it knows 70 languages, but not Swahili. Writes outputs.jsonl with
/// every text, and shares.csv and shares.json.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep inside language steer units/units.json --scale fr=4 --prompt 'The weather today is' --out steer
  widedeep inside language steer units/units.json --scale en=0 --scale es=3 --prompts questions.txt --form chat --out steer")]
pub(crate) struct Arguments {
    /// Units, as `identify` writes them
    units: PathBuf,

    /// A language and the factor by which its units are multiplied: above 1 strengthens them, 0 silences them; may be repeated, and all hold at once
    #[arg(long = "scale", value_name = "LANGUAGE=FACTOR", required = true)]
    scalings: Vec<Scaling>,

    /// A text to continue; may be repeated
    #[arg(long = "prompt", value_name = "TEXT", required_unless_present = "prompts")]
    prompt: Vec<String>,

    /// A file with a prompt on every line, or JSON lines with `text`
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,

    /// How the model is asked
    #[arg(long, value_enum, default_value_t)]
    form: FormFlag,

    /// Tokens written per prompt at most
    #[arg(long, value_name = "N", default_value = "48")]
    tokens: NonZeroUsize,

    /// Divides the logits of tokens that the text has already; 1 lets small models repeat themselves
    #[arg(long, value_name = "FACTOR", default_value_t = 1.1, value_parser = penalty)]
    repetition_penalty: f32,

    /// Hear all languages that the detector knows, not those of the units alone; short texts are then often unclear
    #[arg(long)]
    any_language: bool,

    #[command(flatten)]
    sets: SetFlags,

    #[command(flatten)]
    model: ModelFlags,

    /// Folder for the results
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum FormFlag {
    /// The prompt is continued like any text
    #[default]
    Plain,
    /// The prompt is a user's turn in the model's chat template
    Chat,
}

fn penalty(text: &str) -> Result<f32, String> {
    text.parse()
        .ok()
        .filter(|factor: &f32| factor.is_finite() && *factor > 0.0)
        .ok_or_else(|| "give a number above 0, such as `1.1`".to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let identified = Identified::read(&arguments.units).map_err(input)?;
    let prompts = arguments.prompts()?;
    let languages: Vec<&str> = identified
        .languages()
        .iter()
        .map(|language| language.name.as_str())
        .collect();
    let unknown: Vec<&str> = languages
        .iter()
        .copied()
        .filter(|language| !is_known(language))
        .collect();
    if !unknown.is_empty() {
        note(&format!(
            "the detector does not know {}: text in it is taken for another language",
            unknown.join(", ")
        ));
    }
    let ear = if arguments.any_language {
        Ear::new::<&str>(&[])
    } else {
        Ear::new(&languages)
    };
    let model = arguments.model.load()?;
    let plan = Plan {
        scalings: arguments.scalings.clone(),
        setting: arguments.sets.setting(),
        draws: arguments.sets.draws,
        seed: arguments.sets.seed,
        form: match arguments.form {
            FormFlag::Plain => Form::Plain,
            FormFlag::Chat => Form::Chat,
        },
        greedy: Greedy {
            tokens: arguments.tokens.get(),
            repetition: arguments.repetition_penalty,
        },
    };
    let longest = prompts
        .iter()
        .map(|prompt| model.tokens(prompt).len())
        .max()
        .unwrap_or(0);
    // Room for the marks of a chat template.
    let context = longest + arguments.tokens.get() + 256;
    let mut tap = arguments.model.tap(&model, context)?;
    out(&arguments.out)?;
    let mut done = 0;
    let total = prompts.len() * (2 + usize::try_from(plan.draws).unwrap_or(0));
    let mut written = |output: &Output| {
        done += 1;
        note(&format!(
            "{done}/{total}  {}, prompt {}: {}",
            output.condition,
            output.prompt,
            heard(output)
        ));
    };
    let outputs = steer(&mut tap, &identified, &prompts, &plan, &ear, &mut written).map_err(sorted)?;
    let shares = shares(&outputs);
    say(&summary(&outputs, &shares))?;
    let file = |name: &str| arguments.out.join(name);
    files::json_lines(&file("outputs.jsonl"), &outputs).map_err(failed)?;
    files::json(&file("shares.json"), &shares).map_err(failed)?;
    tables::shares(&file("shares.csv"), &shares).map_err(failed)?;
    show::wrote(&["outputs.jsonl", "shares.json", "shares.csv"].map(file));
    Ok(())
}

impl Arguments {
    fn prompts(&self) -> Result<Vec<String>, Failure> {
        let mut prompts = self.prompt.clone();
        if let Some(path) = &self.prompts {
            let corpora = text::read(path, None, Reading::Lines).map_err(input)?;
            let texts = corpora.into_iter().flat_map(|corpus| corpus.samples);
            prompts.extend(texts.map(|sample| sample.text().to_owned()));
        }
        Ok(prompts)
    }
}

fn heard(output: &Output) -> String {
    output.heard.as_ref().map_or_else(
        || "no language".to_owned(),
        |heard| format!("{} ({:.2})", heard.language, heard.confidence),
    )
}

fn summary(outputs: &[Output], shares: &[Share]) -> String {
    let texts = outputs
        .iter()
        .filter(|output| !matches!(output.condition, steering::Condition::Random(_)))
        .map(|output| {
            let text: String = output.text.split_whitespace().collect::<Vec<_>>().join(" ");
            let text: String = text.chars().take(160).collect();
            format!("{} {}, {}: {text}", output.condition, output.prompt, heard(output))
        });
    let rows = shares.iter().map(|share| {
        let languages: Vec<String> = share
            .languages
            .iter()
            .map(|(language, n)| format!("{language} {n}"))
            .collect();
        vec![
            share.condition.to_owned(),
            share.outputs.to_string(),
            languages.join(", "),
            share.unclear.to_string(),
        ]
    });
    format!(
        "{}\n\n{}",
        texts.collect::<Vec<_>>().join("\n"),
        show::table(&["units scaled", "outputs", "in language", "unclear"], 4, rows)
    )
}

fn sorted(error: SteeringError) -> Failure {
    match error {
        SteeringError::Tap { .. } | SteeringError::Edit(_) => failed(error),
        SteeringError::Template { .. }
        | SteeringError::Model { .. }
        | SteeringError::Unknown { .. }
        | SteeringError::Empty { .. }
        | SteeringError::Random(_) => input(error),
    }
}
