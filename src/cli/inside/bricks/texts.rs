//! The model and the labelled texts that it reads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use comfy_table::{Table, presets};

use crate::cli::bar::bar;
use crate::cli::{Failure, failed, input, note};
use widedeep::fetch;
use widedeep::inside::bricks::specialise::Aggregation;
use widedeep::inside::masonry::MasonryError;
use widedeep::inside::masonry::functions::Functions;
use widedeep::inside::masonry::profiles::{Presentation, Profiles, profiles};
use widedeep::inside::masonry::specialise::{Residents, Settings};
use widedeep::llama::{Model, Tap, TapConfig, Threads};

/// Flags about the texts.
#[derive(Debug, clap::Args)]
pub(super) struct TextFlags {
    /// Labelled texts: a JSONL file with `prompt` and `functionality`, or a folder of NAME.jsonl (`prompt`) and NAME.txt (paragraphs) [default: the
    /// sets that come with the program]
    #[arg(long, value_name = "PATH")]
    functions: Option<PathBuf>,

    /// Take only these functions, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    /// Texts of each function at the most; all functions get as many as the smallest one has
    #[arg(long, value_name = "N", default_value = "1000")]
    most: usize,

    /// Put the texts to the model as they are, and not as a user's turn in its chat template
    #[arg(long)]
    plain: bool,

    /// Read no more of a text than this
    #[arg(long, value_name = "TOKENS", default_value = "512")]
    context: usize,

    /// What random choices are drawn from
    #[arg(long, value_name = "N", default_value = "0")]
    pub(super) seed: u64,
}

/// Flags about which units make a brick.
#[derive(Debug, clap::Args)]
pub(super) struct ChoiceFlags {
    /// Which fraction of each layer's units makes a brick
    #[arg(long, value_name = "FRACTION", default_value = "0.05")]
    fraction: f64,

    /// Leave units out that are active on nearly every text
    #[arg(long)]
    drop_residents: bool,

    /// Permutations of the labels that say what chance gives
    #[arg(long, value_name = "N", default_value = "100")]
    permutations: usize,
}

impl ChoiceFlags {
    pub(super) fn settings(&self, seed: u64) -> Result<Settings, Failure> {
        if !(self.fraction > 0.0 && self.fraction < 1.0) {
            return Err(input(anyhow::anyhow!(
                "--fraction is {}, and a brick is a part of a layer: give a number between 0 and 1",
                self.fraction
            )));
        }
        Ok(Settings {
            fraction: self.fraction,
            residents: if self.drop_residents {
                Residents::Dropped
            } else {
                Residents::Kept
            },
            permutations: self.permutations,
            seed,
        })
    }
}

impl TextFlags {
    pub(super) fn read(&self) -> Result<Functions, Failure> {
        let mut functions = match &self.functions {
            Some(path) => Functions::read(path),
            None => Functions::shipped(),
        }
        .map_err(input)?;
        if !self.only.is_empty() {
            functions = functions.only(&self.only).map_err(input)?;
        }
        let functions = functions.balanced(self.most, self.seed);
        let count = functions.instances().len() / functions.names().len().max(1);
        note(&format!("{} texts each of {}", count, functions.names().join(", ")));
        if count < 50 {
            note(
                "few texts: scores go high by chance; 50 of each are the least that the figures need, and 500 are better",
            );
        }
        Ok(functions)
    }

    pub(super) fn presentation(&self) -> Presentation {
        if self.plain {
            Presentation::Plain
        } else {
            Presentation::Chat
        }
    }

    pub(super) fn tap<'m>(&self, model: &'m Model) -> Result<Tap<'m>, Failure> {
        let config = TapConfig {
            context: self.context.max(2),
            chunk: None,
            threads: Threads::Auto,
        };
        Tap::new(model, &config).map_err(input)
    }

    /// Profiles of the texts, from the folder as far as they are there.
    pub(super) fn profiles(
        &self,
        tap: &mut Tap<'_>,
        functions: &Functions,
        folder: &Path,
    ) -> Result<Profiles, Failure> {
        let mut told = bar("texts read");
        let made = profiles(
            tap,
            functions,
            self.presentation(),
            Aggregation::MeanAbsolute,
            folder,
            &mut told,
        );
        made.map_err(sorted)
    }
}

/// The model of a name or path.
pub(super) fn model(name: &str) -> Result<Arc<Model>, Failure> {
    let path = fetch::resolve_model(name).map_err(input)?;
    Model::load(&path, 0).map_err(input)
}

/// Tells what the user gave wrong from what went wrong.
pub(super) fn sorted(error: MasonryError) -> Failure {
    match error {
        MasonryError::Store { .. }
        | MasonryError::Export(_)
        | MasonryError::Template(_)
        | MasonryError::File(widedeep::llama::GgufError::Write { .. }) => failed(error),
        _ => input(error),
    }
}

pub(super) fn folder(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path).map_err(|error| {
        failed(anyhow::anyhow!(
            "failed to make the folder `{}`: {error}",
            path.display()
        ))
    })
}

/// Writes a text file whole.
pub(super) fn store(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| failed(anyhow::anyhow!("failed to write `{}`: {error}", path.display())))
}

pub(super) fn table(header: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}
