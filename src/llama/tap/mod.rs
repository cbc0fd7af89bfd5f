//! Reading the activations of the feed-forward layers while the model reads a text.
//!
//! A feed-forward layer computes `h = W_down · z`, where the hidden vector `z = act(W_gate · x) ⊙ (W_up · x)` has one number per *unit*. A
//! [`Tap`] is a context of its own that stops after every layer's down-projection and hands what it finds, a [`Block`] of tokens at a time, to
//! a [`Reducer`]. Reducers keep what is asked for, such as sums or counts, so that memory does not grow with the text.
//!
//! ```no_run
//! use widedeep::llama::{Model, Source, Sums, Tap, TapConfig};
//!
//! let model = Model::load("model.gguf".as_ref(), 0)?;
//! let mut tap = Tap::new(&model, &TapConfig::default())?;
//! let mut sums = Sums::new(tap.ffn(), Source::Z);
//! // From position 1: the first token carries activations that are hundreds of times larger and mean nothing.
//! tap.read(&model.tokens("The cat sat on the mat."), 1, &mut sums)?;
//! println!("unit 7 of layer 3 is {} on average", sums.mean(3)[7]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! How it works: ggml asks a callback about every operation of the graph, and calls it again when one that it asked for has run. The down-projection is the
//! matrix product (MUL_MAT) whose first operand is `blk.N.ffn_down.weight`; its second operand is z and its result is h, on every
//! architecture that names its tensors so. The files here, from the outside in: `watch.rs` is the callback, `node.rs` an operation as the callback sees it,
//! `place.rs` says which operation is which, `beside.rs` is what flows beside the layers, `probe.rs` checks once that a model has what is needed, `reading.rs` collects blocks.

mod beside;
mod block;
mod edit;
mod error;
mod generate;
mod layout;
mod node;
mod place;
mod probe;
mod reading;
mod reduce;
mod softmax;
mod watch;

pub use beside::{Beside, Place as BesidePlace};
pub use block::{Block, Predicted, Reads, Reducer, Source};
pub use edit::{Edit, Unit};
pub use error::TapError;
pub use generate::Greedy;
pub use reduce::{Capture, Cett, Counts, Likelihood, Maxima, NextToken, NextTokens, Region, Sums};
pub use softmax::Perplexity;

use std::sync::Arc;

use super::adapter::{Adapter, AdapterError};
use super::attention::AttentionKernel;
use super::context::{Batch, Reads as Logits, Shape};
use super::memory::KvType;
use super::threads::Threads;
use super::weights::{Ffn, Weights};
use super::{Model, Token};

use beside::Streams;
use edit::Plan;
use layout::Layout;
use probe::{Probe, Producers};
use reading::Reading;
use watch::Watched;

/// Logits of all tokens of a chunk take no more numbers than this, unless a chunk is asked for: 128 MiB.
const LOGITS: usize = 1 << 25;
const CHUNKS: std::ops::RangeInclusive<usize> = 32..=512;

/// How a tap is set up.
#[derive(Debug, Clone)]
pub struct TapConfig {
    /// Tokens of the longest text.
    pub context: usize,
    /// Tokens that are evaluated together; by default as many as keep the memory for their logits small. What is read does not depend on it,
    /// up to rounding.
    pub chunk: Option<usize>,
    /// Threads: with [`Threads::Auto`], one per core.
    pub threads: Threads,
}

impl Default for TapConfig {
    fn default() -> Self {
        Self {
            context: 4096,
            chunk: None,
            threads: Threads::Auto,
        }
    }
}

/// A context that shows its feed-forward layers.
pub struct Tap<'m> {
    model: &'m Model,
    watched: Watched<'m>,
    layout: Layout,
    producers: Producers,
    streams: Streams,
    plan: Plan,
    batch: Batch,
    chunk: usize,
    context: usize,
    threads: usize,
}

impl<'m> Tap<'m> {
    /// Makes a context for a model and checks that its layers can be read: the file's header is searched for their tensors, and a token is evaluated to
    /// see that the graph uses them as expected.
    pub fn new(model: &'m Model, config: &TapConfig) -> Result<Self, TapError> {
        let layout = Layout::new(&Weights::open(model.path())?)?;
        let threads = config.threads.ceiling();
        let context = config.context.max(1);
        let vocabulary = usize::try_from(model.inner.n_vocab()).unwrap_or(0).max(1);
        let chunk = config
            .chunk
            .unwrap_or((LOGITS / vocabulary).clamp(*CHUNKS.start(), *CHUNKS.end()))
            .clamp(1, context);
        let shape = Shape {
            cells: context,
            batch: chunk,
            sequences: 1,
            threads,
            kv: KvType::F16,
            attention: AttentionKernel::default(),
        };
        let watched = Watched::new(model, &shape).map_err(|reason| TapError::Context { context, chunk, reason })?;
        let mut tap = Self {
            model,
            watched,
            layout,
            producers: Producers::default(),
            streams: Streams::default(),
            plan: Plan::default(),
            batch: Batch::new(chunk),
            chunk,
            context,
            threads,
        };
        (tap.producers, tap.streams) = tap.probe()?;
        Ok(tap)
    }

    /// The model that is read with.
    pub fn model(&self) -> &'m Model {
        self.model
    }

    /// The shape of the layers that are read.
    pub fn ffn(&self) -> &Ffn {
        &self.layout.ffn
    }

    /// Tokens of the longest text.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Scales units from now on, in place of what was scaled before: every text is then read with `scale · z` for the units of each edit. A unit in several
    /// edits is scaled by their product. What reducers see is what the model computes with, so z and h are those after the edit.
    pub fn set_edits(&mut self, edits: &[Edit]) -> Result<(), TapError> {
        self.plan = Plan::new(edits, &self.layout.ffn, &self.producers)?;
        Ok(())
    }

    /// Uses adapters at these scales from now on, in place of those before: every product with a weight that an adapter changes has its part added. z is then what
    /// the model computes with, but h of a layer whose `ffn_down` is changed is without the adapter's part.
    pub fn set_adapters(&mut self, adapters: &[(Arc<Adapter>, f32)]) -> Result<(), AdapterError> {
        self.watched.set_adapters(adapters)
    }

    /// Reads a text, as one sequence from position 0, and hands over blocks for positions `from` and later. `from` is 1 in ordinary
    /// statistics: the first token carries massive activations that say nothing about the text. Predictions are handed over for all positions.
    pub fn read(&mut self, tokens: &[Token], from: usize, reducer: &mut dyn Reducer) -> Result<(), TapError> {
        if tokens.is_empty() {
            return Err(TapError::NoTokens);
        }
        if tokens.len() > self.context {
            return Err(TapError::TooLong {
                tokens: tokens.len(),
                context: self.context,
            });
        }
        self.layout.check(reducer.reads())?;
        self.watched.clear();
        let mut scratch = reading::Scratch::default();
        for (number, chunk) in tokens.chunks(self.chunk).enumerate() {
            let first = number * self.chunk;
            self.evaluate(chunk, first, from, &mut scratch, reducer)?;
            if reducer.reads().contains(Reads::PREDICTIONS) {
                for row in 0..chunk.len() {
                    let position = first + row;
                    reducer.predicted(&Predicted {
                        position,
                        logits: self.watched.logits(row),
                        next: tokens.get(position + 1).and_then(|token| usize::try_from(token.0).ok()),
                    });
                }
            }
        }
        Ok(())
    }

    /// Evaluates tokens, no more than a chunk, that follow on those evaluated since the memory was cleared.
    fn evaluate(
        &mut self,
        tokens: &[Token],
        first: usize,
        from: usize,
        scratch: &mut reading::Scratch,
        reducer: &mut dyn Reducer,
    ) -> Result<(), TapError> {
        self.fill(tokens, first);
        let positions = first..first + tokens.len();
        let mut reading = Reading::new(
            (&self.layout, &self.plan, &self.streams),
            positions,
            from,
            scratch,
            reducer,
        );
        self.watched
            .decode(&self.batch, self.threads, &mut reading)
            .map_err(|reason| TapError::Decode { reason })?;
        reading.finish()
    }

    /// How well the model predicts a text: every token but the first, from those before it.
    pub fn perplexity(&mut self, tokens: &[Token]) -> Result<Perplexity, TapError> {
        let mut next = NextTokens::default();
        self.read(tokens, 0, &mut next)?;
        next.perplexity().ok_or(TapError::NoTokens)
    }

    fn fill(&mut self, tokens: &[Token], first: usize) {
        self.batch.clear();
        for (row, &token) in tokens.iter().enumerate() {
            // The last layer is evaluated for tokens with logits only.
            self.batch.push(token, first + row, 0, Logits::Logits);
        }
    }

    fn probe(&mut self) -> Result<(Producers, Streams), TapError> {
        self.fill(&[self.model.filler()], 0);
        let mut probe = Probe::new(&self.layout);
        self.watched
            .decode(&self.batch, self.threads, &mut probe)
            .map_err(|reason| TapError::Decode { reason })?;
        probe.finish()
    }
}

impl std::fmt::Debug for Tap<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap")
            .field("model", &self.model.path())
            .field("ffn", &self.layout.ffn)
            .field("chunk", &self.chunk)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Tokens of a plain text, in which nothing is special, with the token that the model wants at the beginning of a text.
    pub fn tokens(&self, text: &str) -> Vec<Token> {
        let vocab = self.inner.vocab();
        let mut tokens = self.plain(text);
        if vocab.should_add_bos() {
            tokens.insert(0, vocab.bos());
        }
        tokens
    }
}
