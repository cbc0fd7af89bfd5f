//! Running a model over a text, and gathering what its nodes do.

use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;

use super::flow::Flow;
use super::model::{OpenError, Source};
use super::sets::Topology;
use super::text::{BlockFlow, Capture, CaptureError, FirstPosition, Gathering};
use crate::llama::{
    Beside, BesidePlace, Block, Gate, Model, ModelError, Reads, Reducer, Tap, TapConfig, TapError, Threads,
};

/// A text and how to read it.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The text.
    pub text: String,
    /// What records call it.
    pub name: String,
    /// Tokens of a window: the text is cut into windows, each read as a text of its own.
    pub window: usize,
    /// Tokens to stop after, those at the windows' beginnings included.
    pub most: Option<usize>,
    /// Which flows make up a node's strength.
    pub flow: Flow,
    /// What to do with position 0 of each window.
    pub first: FirstPosition,
    /// Threads of llama.cpp.
    pub threads: Threads,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Read {
    /// The text's name.
    pub text: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Tokens that were read, those that are added at the beginning of a window included.
    pub tokens: usize,
    /// Positions over which was gathered.
    pub counted: usize,
    /// Windows.
    pub windows: usize,
    /// Tokens of a window.
    pub window: usize,
    /// Whether positions 0 were left out.
    pub first_dropped: bool,
}

/// Fewer tokens than this make unsteady statistics (specification section 3).
pub const FEW_TOKENS: usize = 2048;

/// Texts that cannot be read.
#[derive(Debug, Error)]
pub enum ReadingError {
    /// The model's file.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// llama.cpp refuses the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its activations cannot be read.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// What came is not what the weights say.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Nothing to count.
    #[error(
        "`{text}` has {tokens} tokens, of which none is left to count; give a longer text, or keep the first position"
    )]
    TooShort {
        /// The text's name.
        text: String,
        /// Its tokens.
        tokens: usize,
    },
    /// A window without room.
    #[error("a window of {window} tokens leaves none to count; give at least 2")]
    Window {
        /// Tokens of a window.
        window: usize,
    },
    /// The text cannot be read as text.
    #[error("could not read `{path}` as UTF-8 text: {cause}")]
    Text {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}

/// Hands what the tap sees to the blocks' gatherers.
struct Feed<'f> {
    flows: &'f mut [BlockFlow],
    reads: Reads,
    failure: Option<CaptureError>,
}

impl Feed<'_> {
    fn take(&mut self, layer: usize, capture: &Capture<'_, f32>) {
        if let (None, Some(flow)) = (&self.failure, self.flows.get_mut(layer)) {
            self.failure = flow.observe(capture).err();
        }
    }
}

impl Reducer for Feed<'_> {
    fn reads(&self) -> Reads {
        self.reads
    }

    fn block(&mut self, block: &Block<'_>) {
        let some = |values| Some(values).filter(|values: &&[f32]| !values.is_empty());
        let capture = Capture {
            position: block.first,
            hidden: Some(block.z),
            up: some(block.up),
            gate: some(block.gate),
            ..Capture::default()
        };
        self.take(block.layer, &capture);
    }

    fn beside(&mut self, beside: &Beside<'_>) {
        let mut capture = Capture {
            position: beside.first,
            ..Capture::default()
        };
        match beside.place {
            BesidePlace::Heads => capture.channels = Some(beside.values),
            BesidePlace::Mid => capture.resid_mid = Some(beside.values),
            BesidePlace::Out => capture.resid_out = Some(beside.values),
        }
        self.take(beside.layer, &capture);
    }
}

/// Reads a text with a model of which the topology is known. `done` hears of tokens read and in all. What the graph of an architecture does not show is
/// left out.
pub fn read_text(
    source: &Source,
    topology: &Topology,
    reading: &Reading,
    mut done: impl FnMut(usize, usize),
) -> Result<(Read, Vec<BlockFlow>), ReadingError> {
    let gathering = Gathering {
        flow: reading.flow,
        first: reading.first,
        norm: source.norm()?,
    };
    let dropped = usize::from(reading.first == FirstPosition::Dropped);
    if reading.window <= dropped {
        return Err(ReadingError::Window { window: reading.window });
    }
    let model = Model::load(source.path(), 0)?;
    let config = TapConfig {
        context: reading.window,
        threads: reading.threads,
        ..TapConfig::default()
    };
    let mut tap = Tap::new(&model, &config)?;
    let mut flows: Vec<BlockFlow> = (0..topology.blocks())
        .map(|block| BlockFlow::new(topology, block, gathering))
        .collect();
    let gate = match tap.ffn().gate {
        Gate::Absent => Reads::UP,
        Gate::Separate | Gate::Fused => Reads::UP.and(Reads::GATE),
    };
    let reads = gate.and(Reads::HEADS).and(Reads::MID).and(Reads::OUT);

    let all = model.tokens(&reading.text);
    // What the model wants at the beginning of a text stands at the beginning of every window.
    let begin = model.tokens("");
    let text = &all[begin.len()..];
    let room = reading.window - begin.len().min(reading.window - 1);
    let mut total: usize = text.chunks(room).map(|part| part.len() + begin.len()).sum();
    if let Some(most) = reading.most {
        total = total.min(most);
    }
    let (mut tokens, mut counted, mut windows) = (0, 0, 0);
    for part in text.chunks(room) {
        let mut window: Vec<_> = begin.iter().chain(part).copied().collect();
        window.truncate(total - tokens);
        if window.len() <= dropped {
            break;
        }
        let mut feed = Feed {
            flows: &mut flows,
            reads,
            failure: None,
        };
        tap.read(&window, dropped, &mut feed)?;
        if let Some(failure) = feed.failure {
            return Err(failure.into());
        }
        tokens += window.len();
        counted += window.len() - dropped;
        windows += 1;
        done(tokens, total);
    }
    if counted == 0 {
        return Err(ReadingError::TooShort {
            text: reading.name.clone(),
            tokens: all.len(),
        });
    }
    let read = Read {
        text: reading.name.clone(),
        sha256: super::model::sha256(reading.text.as_bytes()),
        tokens,
        counted,
        windows,
        window: reading.window,
        first_dropped: dropped == 1,
    };
    Ok((read, flows))
}
