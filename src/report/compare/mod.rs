//! Several runs over the same pairs, side by side: how well each configuration agrees with people, what it costs, and which differences are
//! more than chance.
//!
//! A *configuration* is everything that a run is of, apart from its seed; its runs are told together. [`compare`] only reads: folders in,
//! [`Compared`] out, which [`comparison`](fn@super::comparison) sets in text and [`export_comparison`] writes as files.

mod configuration;
mod files;
mod hand_over;
mod pareto;
mod plot;
mod read;
mod spending;
mod versus;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use self::{
    configuration::{Configuration, OfSeed, Preference},
    files::{ComparisonFiles, export_comparison},
    hand_over::{HandOver, Handed, Labelling},
    pareto::{Pareto, Point, Unit},
    read::runs_in,
    spending::{PerThousand, Spending},
    versus::Versus,
};
use crate::{
    agreement::{Bootstrap, Share},
    cost::Tariff,
    run::{DataSource, StoreError},
};

/// What people cost who do the same work.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Human {
    /// US dollars for one pair.
    pub usd_per_pair: Option<f64>,
    /// Seconds for one pair.
    pub seconds_per_pair: Option<f64>,
}

/// How runs are compared.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Terms {
    /// At what prices.
    pub tariff: Tariff,
    /// The people that judges are compared with.
    pub human: Human,
    /// Which share of the pairs people take over.
    pub hand_over: Option<Share>,
}

/// Configurations side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Where the pairs came from.
    pub data: DataSource,
    /// In the order in which they were given.
    pub configurations: Vec<Configuration>,
    /// Every two of them, on the pairs that both judged.
    pub versus: Vec<Versus>,
    /// What people cost.
    pub human: Human,
    /// Which configurations are worth their cost.
    pub pareto: Pareto,
    /// What it does to hand pairs to people, for every configuration that has opinions.
    pub hand_over: Vec<HandOver>,
    /// How intervals are drawn.
    pub bootstrap: Bootstrap,
}

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// There is nothing to compare.
    #[error("there is no run in `{}`: give the folders of runs, or a folder that holds such folders", folder.display())]
    NoRuns {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder cannot be listed.
    #[error("failed to read the folder `{}`: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The runs are of different pairs.
    #[error(
        "the runs in `{}` and `{}` are of different data (`{}` and `{}`, by their content): only runs over the same pairs can be compared",
        first.display(), second.display(), data[0].display(), data[1].display()
    )]
    OtherData {
        /// One run.
        first: PathBuf,
        /// Another.
        second: PathBuf,
        /// Their data.
        data: [PathBuf; 2],
    },
    /// One run was given twice, or done twice.
    #[error(
        "the runs in `{}` and `{}` are of the same configuration and seed: leave one of them out",
        first.display(), second.display()
    )]
    Twice {
        /// One run.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
}

/// Reads the runs in these folders and compares their configurations. Runs that differ in nothing but their seed belong to one configuration.
pub fn compare(folders: &[PathBuf], terms: &Terms) -> Result<Compared, CompareError> {
    let read = read::read(folders, terms)?;
    let bootstrap = Bootstrap {
        seed: read
            .groups
            .iter()
            .flat_map(|group| &group.runs)
            .map(|run| run.seed)
            .min()
            .unwrap_or(0),
        ..Bootstrap::default()
    };
    let configurations: Vec<Configuration> = read
        .groups
        .iter()
        .map(|group| Configuration::of(group, bootstrap))
        .collect();
    let versus = versus::all(&read.groups, &configurations, bootstrap);
    let hand_over = match terms.hand_over {
        Some(share) => read
            .groups
            .iter()
            .zip(&configurations)
            .filter(|(group, _)| group.has_opinions())
            .map(|(group, configuration)| HandOver::of(group, configuration, share, terms.human, &read.pairs))
            .collect(),
        None => Vec::new(),
    };
    Ok(Compared {
        data: read.data,
        pareto: Pareto::of(&configurations),
        configurations,
        versus,
        human: terms.human,
        hand_over,
        bootstrap,
    })
}

pub(in crate::report) use self::versus::{saved, times_faster};

/// Whether a folder holds a run.
fn is_run(folder: &Path) -> bool {
    folder.join(crate::run::STORE_FILE).is_file()
}
