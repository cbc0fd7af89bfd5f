//! What a run is of: frozen when it starts, compared when it goes on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::chat::Identity;
use crate::network::Network;
use crate::pair::{Label, Pair, Selection, baseline};

/// Everything that determines a run's verdicts, and where its data came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Version of the program that started the run.
    pub widedeep: String,
    /// Where the pairs came from.
    pub data: DataSource,
    /// Who judges.
    pub judge: Judge,
    /// Seed of every random choice.
    pub seed: u64,
    /// BLAKE3 of the prompt texts in use.
    pub prompts: String,
    /// BLAKE3 of the taxonomy in use.
    pub taxonomy: String,
}

/// Where the pairs of a run came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataSource {
    /// Path, or `demo`.
    pub path: PathBuf,
    /// Format by name.
    pub format: String,
    /// BLAKE3 of the bytes read.
    pub blake3: String,
    /// What was selected.
    pub selection: Selection,
    /// Malformed entries that were skipped.
    pub skipped: usize,
}

/// Who judges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "there is one per run")]
pub enum Judge {
    /// A network of model calls.
    Network {
        /// As resolved, overrides applied.
        network: Network,
        /// The run's model.
        model: Identity,
        /// Models that the network names.
        named: Vec<Identity>,
    },
    /// A rule that needs no model.
    Baseline(Baseline),
}

impl Judge {
    /// What tables call it.
    pub fn name(&self) -> &str {
        match self {
            Judge::Network { network, .. } => &network.name,
            Judge::Baseline(baseline) => baseline.name(),
        }
    }
}

/// Judges that need no model (spec 10.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// The longer response wins, in Unicode scalar values.
    Longer,
    /// The first response wins.
    AlwaysModel1,
}

impl Baseline {
    /// Both.
    pub const ALL: [Baseline; 2] = [Baseline::Longer, Baseline::AlwaysModel1];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Baseline::Longer => "longer",
            Baseline::AlwaysModel1 => "always-model1",
        }
    }

    /// The baseline of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|baseline| baseline.name() == name)
    }

    /// Its verdict.
    pub fn verdict(self, pair: &Pair) -> Label {
        match self {
            Baseline::Longer => baseline::longer(pair),
            Baseline::AlwaysModel1 => Label::Model1,
        }
    }
}
