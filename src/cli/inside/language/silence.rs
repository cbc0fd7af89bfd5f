//! `widedeep inside language silence`.

use std::path::PathBuf;

use widedeep::inside::language::silencing::{self, Event, Plan, SilencingError, Terms};
use widedeep::inside::language::{Identified, Matrix, Rule, Sequences, figures, files, tables};

use super::flags::{ModelFlags, SetFlags, TextFlags, out};
use super::progress::Progress;
use super::show;
use crate::cli::{Failure, failed, input, note, say};

/// Silence each language's units in turn and measure what that does to every language
///
/// Prints the change of the loss, in nats per token, for every silenced and every evaluated language, and judges whether each language is harmed most by
/// its own units, beside random sets of as many units in every layer. Evaluate on text that was not counted. Writes matrix.csv, matrix.json, dominance.json
/// and matrix.svg; losses.json holds the rows measured so far, from which the same command goes on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  widedeep inside language silence units/units.json held-out --tokens 500 --draws 3 --out silence")]
pub(crate) struct Arguments {
    /// Units, as `identify` writes them
    units: PathBuf,

    #[command(flatten)]
    texts: TextFlags,

    #[command(flatten)]
    model: ModelFlags,

    #[command(flatten)]
    sets: SetFlags,

    /// A language that the judgement leaves out: English, whose units are shared with nearly all others, is not expected to suffer [default: `en` where it is
    /// there; `none` leaves out none]
    #[arg(long, value_name = "LANGUAGE")]
    leave_out: Option<String>,

    /// Begin again instead of going on with the rows in the folder
    #[arg(long)]
    again: bool,

    /// Folder for the results
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let identified = Identified::read(&arguments.units).map_err(input)?;
    let material = arguments.texts.material()?;
    let model = arguments.model.load()?;
    let budget = arguments.texts.tokens.map(std::num::NonZeroUsize::get);
    let mut texts = Vec::new();
    for material in &material {
        texts.push(Sequences::new(&model, material, Rule::default(), budget).map_err(input)?);
    }
    let terms = Terms {
        model: model.digest().to_owned(),
        units: digest(&arguments.units)?,
        plan: Plan {
            setting: arguments.sets.setting(),
            draws: arguments.sets.draws,
            seed: arguments.sets.seed,
        },
        languages: material.iter().map(|material| material.language.clone()).collect(),
        texts: material
            .iter()
            .zip(&texts)
            .map(|(material, sequences)| (material.hashes.clone(), sequences.tokens()))
            .collect(),
    };
    out(&arguments.out)?;
    let path = arguments.out.join("losses.json");
    if arguments.again && path.exists() {
        std::fs::remove_file(&path).map_err(failed)?;
    }
    let longest = texts.iter().map(Sequences::longest).max().unwrap_or(1);
    let mut tap = arguments.model.tap(&model, longest)?;
    let mut progress: Option<Progress> = None;
    let mut heard = |event: Event<'_>| match event {
        Event::Started { rows, kept, tokens } => {
            if kept > 0 {
                note(&format!("going on: {kept} of {rows} rows are measured"));
            }
            progress
                .insert(Progress::new((rows - kept) * tokens))
                .at("nothing silent");
        }
        Event::Read(tokens) => {
            if let Some(progress) = &mut progress {
                progress.read(tokens);
            }
        }
        Event::Done(silent) => {
            if let Some(progress) = &mut progress {
                progress.at(format!("done: {silent}"));
            }
        }
    };
    let losses = silencing::silence(&mut tap, &identified, &texts, &terms, &path, &mut heard).map_err(sorted)?;
    if let Some(progress) = &progress {
        progress.finish();
    }
    let matrix = losses.matrix().map_err(failed)?;
    let left_out = match arguments.leave_out.as_deref() {
        Some("none") => None,
        Some(language) => Some(language),
        None => Some("en").filter(|en| terms.languages.iter().any(|language| language == en)),
    };
    let dominance = matrix.dominance(left_out).map_err(input)?;
    let base = losses.base.iter().zip(&terms.languages).map(|(loss, language)| {
        vec![
            language.clone(),
            loss.tokens.to_string(),
            format!("{:.4}", loss.mean()),
            format!("{:.2}", loss.perplexity()),
        ]
    });
    say(&format!(
        "{}\n\nchange of the loss in nats per token (rows: silenced, with units; columns: evaluated)\n\n{}\n\n{dominance}",
        show::table(&["language", "tokens", "loss", "perplexity"], 1, base),
        grid(&matrix)
    ))?;
    let file = |name: &str| arguments.out.join(name);
    tables::matrix(&file("matrix.csv"), &matrix).map_err(failed)?;
    files::json(&file("matrix.json"), &matrix).map_err(failed)?;
    files::json(&file("dominance.json"), &dominance).map_err(failed)?;
    let mut written = ["losses.json", "matrix.csv", "matrix.json", "dominance.json"]
        .map(file)
        .to_vec();
    show::figure(&arguments.out, "matrix.svg", figures::matrix(&matrix), &mut written)?;
    show::wrote(&written);
    Ok(())
}

/// The matrix with the mean of the random sets in the last column.
fn grid(matrix: &Matrix) -> String {
    let mut head = vec!["silenced".to_owned(), "units".to_owned()];
    head.extend(matrix.languages.iter().cloned());
    let draws = matrix.controls.first().map_or(0, Vec::len);
    if draws > 0 {
        head.push("random on itself".to_owned());
    }
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let rows = matrix.languages.iter().enumerate().map(|(k, language)| {
        let mut row = vec![language.clone(), matrix.units[k].to_string()];
        row.extend(matrix.nll[k].iter().map(|change| format!("{change:+.3}")));
        if draws > 0 {
            let own: f64 = matrix.controls[k].iter().map(|draw| draw[k]).sum();
            row.push(format!("{:+.3}", own / draws as f64));
        }
        row
    });
    show::table(&head, 1, rows)
}

fn digest(path: &std::path::Path) -> Result<String, Failure> {
    std::fs::read(path)
        .map(|bytes| blake3::hash(&bytes).to_hex().to_string())
        .map_err(|error| input(anyhow::Error::from(error).context(format!("failed to read `{}`", path.display()))))
}

fn sorted(error: SilencingError) -> Failure {
    match error {
        SilencingError::Tap { .. } | SilencingError::Edit { .. } | SilencingError::Write(_) => failed(error),
        SilencingError::Random { .. }
        | SilencingError::Model { .. }
        | SilencingError::Unknown { .. }
        | SilencingError::Stored { .. }
        | SilencingError::Other { .. } => input(error),
    }
}
