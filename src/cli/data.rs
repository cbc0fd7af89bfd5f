//! `widedeep data`: which benchmarks there are, fetching one, and where it is.

use clap::{Args, Subcommand};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use widedeep::fetch::slot::Slot;
use widedeep::fetch::{Artifact, Check, Dataset, Datasets, Fetcher, Home, Presence, Shelf, Source};

use super::models::{kinds, pull_artifact};
use super::print;
use super::transfer::readable_size;

/// List public benchmarks, fetch them, and tell where they are
///
/// Benchmarks are kept beside the models, in the user's cache directory; WIDEDEEP_HOME moves it.
#[derive(Debug, Args)]
pub struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

/// A known benchmark that is not here.
#[derive(Debug, thiserror::Error)]
#[error("dataset `{name}` has not been pulled; run `widedeep data pull {name}`")]
pub(super) struct NotPulled {
    name: String,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Show the known benchmarks and which of them are here
    List {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Fetch a benchmark, check its SHA-256 and print its path
    Pull {
        /// A name from `widedeep data list`
        name: String,
        /// Fetch from here instead: a mirror of the file or of the zip archive that holds it. The hash stays the same
        #[arg(long, value_name = "URL", env = "WIDEDEEP_DATA_URL")]
        url: Option<String>,
        /// Check the SHA-256 of a file that is already here, not just its size
        #[arg(long)]
        verify: bool,
    },
    /// Print the path of a benchmark that has been pulled
    Path {
        /// A name from `widedeep data list`
        name: String,
    },
}

impl DataArgs {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<()> {
        let datasets = Datasets::load()?;
        match self.command {
            DataCommand::List { json } => list(&datasets, json),
            DataCommand::Pull { name, url, verify } => {
                let mut artifact = datasets.get(&name)?.artifact.clone();
                if let Some(url) = url {
                    artifact.sources = vec![mirror(&artifact, url)];
                }
                let check = if verify { Check::Hash } else { Check::Size };
                let fetcher = Fetcher::from_env()?;
                Ok(print(&pull_artifact(&fetcher, Shelf::Data, &artifact, check).await?)?)
            }
            DataCommand::Path { name } => {
                let slot = Slot::new(&Home::from_env()?, Shelf::Data, &datasets.get(&name)?.artifact);
                if slot.presence() != Presence::Present {
                    return Err(NotPulled { name }.into());
                }
                Ok(print(&slot.path().display().to_string())?)
            }
        }
    }
}

/// The source that a mirror's address means: an archive if its path says so, and otherwise the file itself.
fn mirror(artifact: &Artifact, url: String) -> Source {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let archive = path.to_lowercase().ends_with(".zip");
    Source::Url {
        unzip: archive.then(|| artifact.file.clone()),
        url,
    }
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    title: &'a str,
    bytes: Option<u64>,
    sha256: Option<String>,
    licence: &'a str,
    licence_url: Option<&'a str>,
    sources: &'a [Source],
    present: bool,
    path: String,
}

impl<'a> Row<'a> {
    fn new(home: &Home, dataset: &'a Dataset) -> Self {
        let artifact = &dataset.artifact;
        let slot = Slot::new(home, Shelf::Data, artifact);
        Self {
            name: &artifact.name,
            title: &dataset.title,
            bytes: artifact.size,
            sha256: artifact.digest.pinned().map(|digest| digest.to_string()),
            licence: &dataset.licence,
            licence_url: dataset.licence_url.as_deref(),
            sources: &artifact.sources,
            present: slot.presence() == Presence::Present,
            path: slot.path().display().to_string(),
        }
    }
}

fn list(datasets: &Datasets, json: bool) -> anyhow::Result<()> {
    let home = Home::from_env()?;
    let rows: Vec<Row<'_>> = datasets
        .entries()
        .iter()
        .map(|dataset| Row::new(&home, dataset))
        .collect();
    if json {
        return Ok(print(&serde_json::to_string_pretty(&rows)?)?);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["name", "title", "size", "licence", "sources", "state"]);
    for row in &rows {
        table.add_row([
            row.name.to_owned(),
            row.title.to_owned(),
            readable_size(row.bytes),
            row.licence.to_owned(),
            kinds(row.sources),
            if row.present { "present" } else { "absent" }.to_owned(),
        ]);
    }
    if let Some(size) = table.column_mut(2) {
        size.set_cell_alignment(CellAlignment::Right);
    }
    Ok(print(&format!("{table}\n\nIn {}.", home.root().display()))?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_mirror_is_an_archive_if_its_path_says_so() {
        let artifact = Datasets::load().unwrap().get("llmeval2").unwrap().artifact.clone();
        let unzip = |url: &str| match mirror(&artifact, url.to_owned()) {
            Source::Url { unzip, .. } => unzip,
            other => panic!("{other}"),
        };
        assert_eq!(
            unzip("http://127.0.0.1/x.ZIP?token=1").as_deref(),
            Some("LLMEval2_benchmark.json")
        );
        assert_eq!(unzip("http://127.0.0.1/x.json"), None);
    }
}
