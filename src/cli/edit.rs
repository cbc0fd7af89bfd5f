//! `widedeep edit`: chosen units scaled, live, in an adapter or in a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde::Serialize;

use super::{Failure, failed, input, note, say};
use widedeep::fetch;
use widedeep::inside::edit::{
    Comparison, Predictions, Store, adapter, compare, live, predictions, read_units, rewrite,
};
use widedeep::inside::masonry::sample_text;
use widedeep::llama::{Adapter, Format, Model, Tap, TapConfig, Threads};

/// Scale units of a model's feed-forward layers: silence them with 0, amplify them with 3
///
/// A unit's activation is multiplied by --scale. `--form gguf` writes a copy of the model with this built in, `--form lora` a small adapter that any llama.cpp program
/// loads beside the unchanged model (`llama-server --lora FILE`); at an adapter scale t, it multiplies by 1 + t·(scale − 1). `--form live` writes
/// nothing. Whatever the form, a text is read without and with the edit, so that you see what it does.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep edit smollm2-135m --units detector.json --scale 0 --form live
  widedeep edit smollm2-135m --units detector.json --scale 2 --form lora --out louder.gguf
  widedeep edit model.gguf --units units.json --scale 0 --form gguf --out silenced.gguf

A units file is a JSON list of {\"layer\": 3, \"unit\": 7} or [3, 7], or an object with such a list as `units` (a detector, a brick).")]
pub(crate) struct Arguments {
    /// Model: a name from `widedeep models list`, or the path of a GGUF file
    model: String,

    /// JSON file with the units
    #[arg(long, value_name = "FILE")]
    units: PathBuf,

    /// What activations are multiplied by: 0 silences, 1 changes nothing
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    scale: f32,

    /// How the edit is made
    #[arg(long, value_enum)]
    form: Form,

    /// File to write, for the forms `lora` and `gguf`
    #[arg(long, value_name = "FILE", required_if_eq_any([("form", "lora"), ("form", "gguf")]))]
    out: Option<PathBuf>,

    /// Number format for the edited tensors of a rewritten file, such as `f16` or `f32` [default: as they are]
    #[arg(long, value_name = "FORMAT")]
    store: Option<String>,

    /// Text to read without and with the edit [default: a few paragraphs that come with the program]
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,

    /// Read no more of the text than this
    #[arg(long, value_name = "TOKENS", default_value = "256")]
    tokens: usize,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// How an edit is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// While the model runs, in this process
    Live,
    /// A LoRA adapter in GGUF
    Lora,
    /// A copy of the model
    Gguf,
}

#[derive(Debug, Serialize)]
struct Figures {
    units: usize,
    layers: usize,
    scale: f32,
    /// The unedited model against the live edit.
    effect: Comparison,
    /// The live edit against the file that was written.
    file: Option<Comparison>,
    wrote: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = fetch::resolve_model(&arguments.model).map_err(input)?;
    let text = match &arguments.text {
        Some(file) => read(file)?,
        None => sample_text(),
    };
    let store = store(arguments.store.as_deref())?;
    let model = Model::load(&path, 0).map_err(input)?;
    let config = TapConfig {
        context: arguments.tokens.max(2),
        chunk: None,
        threads: Threads::Auto,
    };
    let mut tap = Tap::new(&model, &config).map_err(input)?;
    let units = read_units(&arguments.units, tap.ffn()).map_err(input)?;
    let mut look = |tap: &mut Tap<'_>| predictions(tap, &text, arguments.tokens).map_err(failed);
    let before = look(&mut tap)?;
    tap.set_edits(&[live(&units, arguments.scale)]).map_err(input)?;
    let edited = look(&mut tap)?;
    tap.set_edits(&[]).map_err(failed)?;
    let out = arguments.out.as_deref().filter(|_| arguments.form != Form::Live);
    let mut file = None;
    if let Some(out) = out {
        match arguments.form {
            Form::Lora => adapter(&path, &units, arguments.scale, out).map_err(failed)?,
            _ => rewrite(&path, &units, arguments.scale, store, out).map_err(failed)?,
        }
        note(&format!("wrote {}; reading the text with it", out.display()));
        let read = with_file(arguments.form, &model, &config, &mut tap, out, &mut look)?;
        file = Some(compare(&edited, &read).map_err(failed)?);
    }
    let figures = Figures {
        units: units.len(),
        layers: units.layers().len(),
        scale: arguments.scale,
        effect: compare(&before, &edited).map_err(failed)?,
        file,
        wrote: out.map(Path::to_owned),
    };
    if arguments.json {
        return say(&serde_json::to_string_pretty(&figures).map_err(failed)?);
    }
    say(&shown(&figures))
}

/// The text's predictions by what was written.
fn with_file(
    form: Form,
    model: &Arc<Model>,
    config: &TapConfig,
    tap: &mut Tap<'_>,
    out: &Path,
    look: &mut impl FnMut(&mut Tap<'_>) -> Result<Predictions, Failure>,
) -> Result<Predictions, Failure> {
    if form == Form::Lora {
        let adapter = Adapter::load(model, out).map_err(failed)?;
        tap.set_adapters(&[(adapter, 1.0)]).map_err(failed)?;
        return look(tap);
    }
    let model = Model::load(out, 0).map_err(failed)?;
    let mut tap = Tap::new(&model, config).map_err(failed)?;
    look(&mut tap)
}

fn shown(figures: &Figures) -> String {
    let Figures {
        units, layers, scale, ..
    } = figures;
    let effect = figures.effect;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "",
        "perplexity",
        "mean KL (nats)",
        "largest logit change",
        "same first choice",
    ]);
    table.add_row(["unedited".to_owned(), format!("{:.4}", effect.before)]);
    let mut row = |name: &str, comparison: &Comparison| {
        table.add_row([
            name.to_owned(),
            format!("{:.4}", comparison.after),
            format!("{:.3e}", comparison.divergence),
            format!("{:.3e}", comparison.largest_logit),
            format!("{:.1} %", 100.0 * comparison.same_choice),
        ]);
    };
    row("edited live, against unedited", &effect);
    if let Some(file) = &figures.file {
        row("the file, against live", file);
    }
    format!(
        "{units} units in {layers} layers scaled by {scale}, over {} tokens\n{table}",
        effect.tokens
    )
}

fn store(name: Option<&str>) -> Result<Store, Failure> {
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

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| input(anyhow::anyhow!("failed to read the text `{}`: {error}", path.display())))
}
