//! What both commands take: what is measured, and the text it is run over.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use widedeep::fetch;
use widedeep::inside::topology::{Convention, FirstPosition, Flow, Reading, ReadingError, Skip};
use widedeep::llama::Threads;

use crate::cli::{Failure, input};

/// What the user wants measured.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Measured {
    /// A TOML file that describes a small network.
    Network(PathBuf),
    /// A GGUF file or a checkpoint.
    Model(PathBuf),
}

impl Measured {
    /// From the words of the command line.
    pub(super) fn resolve(word: &str) -> Result<Self, Failure> {
        let path = Path::new(word);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => Ok(Self::Network(path.to_owned())),
            Some("safetensors") => Ok(Self::Model(path.to_owned())),
            _ if path.is_dir() => Ok(Self::Model(path.to_owned())),
            _ => fetch::resolve_model(word).map(Self::Model).map_err(input),
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum FlowFlag {
    /// What arrives plus what leaves.
    Both,
    /// What arrives alone: the pre-activation.
    In,
}

impl From<FlowFlag> for Flow {
    fn from(flag: FlowFlag) -> Self {
        match flag {
            FlowFlag::Both => Self::Both,
            FlowFlag::In => Self::In,
        }
    }
}

/// Flags about graphs.
#[derive(Debug, clap::Args)]
pub(super) struct Graph {
    /// Of networks: leave out the unit links that the papers give input and output nodes
    #[arg(long)]
    strict: bool,

    /// Of models: count the residual stream's identity links, 1 on either side of every residual node
    #[arg(long)]
    skip: bool,

    /// Which links make up a node's strength under data
    #[arg(long, value_enum, default_value = "both")]
    flow: FlowFlag,
}

impl Graph {
    pub(super) fn flow(&self) -> Flow {
        self.flow.into()
    }

    pub(super) fn skip(&self) -> Skip {
        if self.skip { Skip::Counted } else { Skip::Left }
    }

    pub(super) fn convention(&self) -> Convention {
        if self.strict {
            Convention::Strict
        } else {
            Convention::Authors
        }
    }

    /// Refuses flags that a network has no use for.
    pub(super) fn for_network(&self, text: &Text) -> Result<(), Failure> {
        if self.skip {
            return Err(input(anyhow::anyhow!(
                "--skip is for models; a network's file says which links there are"
            )));
        }
        if text.path.is_some() {
            return Err(input(anyhow::anyhow!(
                "--text is for models; a network's inputs are a tensor that its file names as `inputs`"
            )));
        }
        Ok(())
    }

    /// Refuses flags that a model has no use for.
    pub(super) fn for_model(&self) -> Result<(), Failure> {
        if self.strict {
            return Err(input(anyhow::anyhow!(
                "--strict is for networks; of models, sides that first and last blocks lack are left out"
            )));
        }
        Ok(())
    }
}

/// Flags about the text.
#[derive(Debug, clap::Args)]
pub(super) struct Text {
    /// Run the model over this text (UTF-8) for the metrics that depend on inputs
    #[arg(long = "text", id = "text", value_name = "FILE")]
    pub(super) path: Option<PathBuf>,

    /// Stop after so many tokens [default: the whole text]; fewer than 2048 make unsteady statistics
    #[arg(long, value_name = "N", requires = "text")]
    tokens: Option<NonZeroUsize>,

    /// Tokens of a window; the text is cut into windows, each read as a text of its own
    #[arg(long, value_name = "N", default_value = "512", requires = "text")]
    window: NonZeroUsize,

    /// Count position 0 of each window too, where activations tens of times the greatest elsewhere occur
    #[arg(long, requires = "text")]
    keep_first: bool,

    /// Threads of llama.cpp: `auto` is one per core
    #[arg(long, value_name = "auto|N", default_value = "auto")]
    threads: Threads,
}

impl Text {
    /// How to read a file.
    pub(super) fn reading(&self, file: &Path, flow: Flow) -> Result<Reading, Failure> {
        let text = std::fs::read_to_string(file).map_err(|cause| {
            input(ReadingError::Text {
                path: file.to_owned(),
                cause,
            })
        })?;
        Ok(Reading {
            text,
            name: file
                .file_name()
                .unwrap_or(file.as_os_str())
                .to_string_lossy()
                .into_owned(),
            window: self.window.get(),
            most: self.tokens.map(NonZeroUsize::get),
            flow,
            first: if self.keep_first {
                FirstPosition::Kept
            } else {
                FirstPosition::Dropped
            },
            threads: self.threads,
        })
    }
}
