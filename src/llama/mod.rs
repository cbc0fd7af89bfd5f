//! The local engine: llama.cpp behind an async handle. This is the only room with `unsafe` in it, and it knows nothing of judging.
//!
//! [`Model`] is a GGUF file with its vocabulary and chat template. [`Engine`] puts one OS thread in front of one llama.cpp
//! context and serves any number of callers: a [`Job`] is a prompt in tokens and a *script* of what the reply consists of, made from
//! [`Step`]s. Waiting jobs are decoded together, one batch per step, and a prompt that begins like one already in the cache is
//! only evaluated from where it differs.
//!
//! ```no_run
//! # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
//! use widedeep::llama::{Engine, EngineConfig, Model, Sampling, Speaker, Step, Turn};
//!
//! let model = Model::load("model.gguf".as_ref(), 0)?;
//! let engine = Engine::start(model, &EngineConfig::default())?;
//! let prompt = engine.model().prompt(&[Turn { speaker: Speaker::User, content: "Is 7 prime?".into() }])?;
//! let steps = [Step::Force("Answer: ".into()), Step::Choose(vec!["yes".into(), "no".into()])];
//! let script = engine.model().script(&steps);
//! let reply = engine.submit(vec![engine.job(prompt, script, Sampling::greedy(), 0)]).await.remove(0)?;
//! println!("{} ({:?})", reply.text, reply.chosen[0].probabilities);
//! # Ok(())
//! # }
//! ```
//!
//! To look inside the model rather than to use it, [`Tap`] reads the activations of its feed-forward layers while it reads a text, and
//! [`Weights`] the numbers in its file. [`Gguf`] and [`Draft`] write such files, and an [`Adapter`] changes what a model computes while it runs.

mod adapter;
mod attention;
mod calibrate;
mod cells;
mod choice;
mod context;
mod crew;
mod draw;
mod engine;
mod gguf;
mod kv;
mod load;
mod log;
mod memory;
mod model;
mod nucleus;
mod radix;
mod room;
mod schedule;
mod script;
mod sequence;
mod tap;
mod template;
mod threads;
mod weights;

pub use adapter::{Adapter, AdapterError};
pub use attention::AttentionKernel;
pub use choice::Chosen;
pub use engine::{Engine, EngineConfig, EngineError, EngineStats, Sharing};
pub use gguf::{
    AdapterFile, Draft, Entry, Field, Format, FormatError, Gguf, GgufError, Pair, Problem, Rows, RowsError,
};
pub use memory::{KvType, MemoryPlan, Shortage};
pub use model::{Conversation, Model, ModelError};
pub use room::{Room, RoomSource};
pub use script::{Script, Step};
pub use sequence::{Completion, Job, Sampling, Stopped, Usage};
pub use tap::{
    Beside, BesidePlace, Block, Capture, Cett, Counts, Edit, Greedy, Likelihood, Maxima, NextToken, NextTokens,
    Perplexity, Predicted, Reads, Reducer, Region, Source, Sums, Tap, TapConfig, TapError, Unit,
};
pub use template::{ChatTemplate, Speaker, TemplateError, Turn};
pub use threads::Threads;
pub use weights::{DownNorms, Ffn, Gate, Tensor, Value, Weights, WeightsError};

/// A token of a model's vocabulary.
pub(crate) type Token = llama_cpp_2::token::LlamaToken;
