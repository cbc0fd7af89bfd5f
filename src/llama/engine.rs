//! The handle: one OS thread owns the context, any number of callers submit jobs to it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::adapter::{Adapter, AdapterError};
use super::attention::AttentionKernel;
use super::calibrate::{self, Ceilings};
use super::context::{Context, Shape};
use super::crew::{Alone, Crew};
use super::load::Meter;
use super::memory::{self, KvType, MemoryPlan, Shortage};
use super::model::{ModelError, backend};
use super::schedule::{Answer, Scheduler};
use super::script::Script;
use super::sequence::{Completion, Job, Sampling};
use super::threads::Threads;
use super::{Model, Token, room};

/// How the engine is set up.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// KV cells for all sequences together; by default the trained context, at least 8,192 and at most 16,384.
    pub context: Option<usize>,
    /// Sequences that are evaluated at the same time.
    pub parallel: usize,
    /// Threads; replies do not depend on their number (but see [`Threads`]).
    pub threads: Threads,
    /// Most tokens in one batch.
    pub batch: usize,
    /// Number format of the cache.
    pub kv: KvType,
    /// Whether prompts take over what they have in common.
    pub sharing: Sharing,
    /// What computes attention on the CPU.
    pub attention: AttentionKernel,
    /// Bytes that the engine may need, instead of what is available.
    pub memory_limit: Option<u64>,
    /// Folder in which the fastest numbers of threads are remembered; without one they are not looked for.
    pub calibrations: Option<PathBuf>,
    /// LoRA adapters that the model runs with, each at its scale; none by default. They were loaded for this model.
    pub adapters: Vec<(Arc<Adapter>, f32)>,
}

/// Whether prompts take over what they have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// A prefix is evaluated once; models whose cache cannot be cut (recurrent ones) evaluate every prompt for itself all the same.
    Prefixes,
    /// Every prompt is evaluated for itself, for comparison.
    Nothing,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            context: None,
            parallel: 24,
            threads: Threads::Auto,
            batch: 512,
            kv: KvType::F16,
            sharing: Sharing::Prefixes,
            attention: AttentionKernel::Widedeep,
            memory_limit: None,
            calibrations: None,
            adapters: Vec::new(),
        }
    }
}

impl EngineConfig {
    /// KV cells that the engine asks for.
    pub(super) fn cells(&self, model: &Model) -> usize {
        let cells = self.asked(model);
        match Alone::with(self.threads.ceiling()) {
            Alone::OneThread => cells,
            Alone::Padded => cells + 1,
        }
    }

    fn asked(&self, model: &Model) -> usize {
        self.context
            .unwrap_or_else(|| model.trained_context().clamp(8192, 16384))
    }

    /// Sequence ids: every active sequence may need a scratch copy, and finished ones stay for their prefixes.
    pub(super) fn sequences(&self) -> usize {
        (4 * self.parallel).min(256)
    }
}

/// Failures of the engine.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The context could not be made.
    #[error(
        "llama.cpp failed to make a context of {cells} tokens: {reason}; it would need {plan}: ask for less with `--context`"
    )]
    Context {
        /// KV cells asked for.
        cells: usize,
        /// What they need.
        plan: Box<MemoryPlan>,
        /// llama.cpp's complaint.
        reason: String,
    },
    /// The model and its context do not fit in the memory.
    #[error("{0}")]
    Memory(Box<Shortage>),
    /// The model cannot have its cache in this format.
    #[error("this model's cache cannot be kept in {}: {reason}; leave `--kv` at `f16`", kv.name())]
    Kv {
        /// The format.
        kv: KvType,
        /// Why not.
        reason: String,
    },
    /// A single job can never fit.
    #[error("the prompt has {prompt} tokens and its reply may take {reply}, but the context holds {limit}")]
    TooLong {
        /// Prompt tokens.
        prompt: usize,
        /// Reply tokens at most.
        reply: usize,
        /// Tokens that fit.
        limit: usize,
    },
    /// llama.cpp failed while evaluating.
    #[error("llama.cpp failed to evaluate a batch: {reason}")]
    Decode {
        /// Its complaint.
        reason: String,
    },
    /// An adapter cannot be used.
    #[error("{0}")]
    Adapter(String),
    /// The engine's thread has ended.
    #[error("the engine has stopped; see the errors above")]
    Stopped,
    /// The model failed to load.
    #[error("{0}")]
    Model(String),
}

impl From<AdapterError> for EngineError {
    fn from(error: AdapterError) -> Self {
        EngineError::Adapter(error.to_string())
    }
}

impl From<ModelError> for EngineError {
    fn from(error: ModelError) -> Self {
        EngineError::Model(error.to_string())
    }
}

/// What the engine has counted since it started. Counts do not depend on the machine's speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct EngineStats {
    /// Prompt tokens asked for.
    pub prompt: u64,
    /// Prompt tokens taken over from another sequence.
    pub prompt_shared: u64,
    /// Prompt tokens evaluated.
    pub prompt_evaluated: u64,
    /// Reply tokens evaluated.
    pub completion: u64,
    /// Batches decoded.
    pub batches: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) prompt: AtomicU64,
    pub(super) prompt_shared: AtomicU64,
    pub(super) prompt_evaluated: AtomicU64,
    pub(super) completion: AtomicU64,
    pub(super) batches: AtomicU64,
    /// Threads of the last batch; not a count.
    pub(super) threads: AtomicUsize,
    /// Nanoseconds inside llama.cpp; not a count either.
    pub(super) inside: AtomicU64,
}

/// Engines started in this process, for the names of their threads.
static ENGINES: AtomicUsize = AtomicUsize::new(0);

type Group = Vec<(Job, Answer)>;

/// A cloneable handle. The thread ends when the last handle is gone.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    model: Arc<Model>,
    limit: usize,
    counters: Arc<Counters>,
    groups: Mutex<Option<mpsc::Sender<Group>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Starts the thread and its context.
    pub fn start(model: Arc<Model>, config: &EngineConfig) -> Result<Self, EngineError> {
        backend()?;
        let limit = config.asked(&model).min(model.trained_context());
        memory::supported(&model, config.kv).map_err(|reason| EngineError::Kv { kv: config.kv, reason })?;
        let plan = MemoryPlan::new(&model, config);
        tracing::info!(model = %model.path().display(), "the engine needs {plan}");
        if let Some(room) = room::room(&model, config) {
            plan.check(&room)
                .map_err(|shortage| EngineError::Memory(Box::new(shortage)))?;
        }
        let counters = Arc::new(Counters::default());
        let (groups, inbox) = mpsc::channel::<Group>();
        let (ready, started) = mpsc::channel();
        // llama.cpp's threads inherit the name, by which their load is found.
        let name = format!("llama-{}", ENGINES.fetch_add(1, Relaxed));
        let thread = {
            let (model, counters, config) = (Arc::clone(&model), Arc::clone(&counters), config.clone());
            std::thread::Builder::new().name(name.clone()).spawn(move || {
                let shape = Shape {
                    cells: config.cells(&model),
                    batch: config.batch,
                    sequences: config.sequences(),
                    threads: config.threads.ceiling(),
                    kv: config.kv,
                    attention: config.attention,
                };
                let mut context = match Context::new(&model, &shape) {
                    Ok(context) => context,
                    Err(reason) => {
                        let _ = ready.send(Err(EngineError::Context {
                            cells: shape.cells,
                            plan: Box::new(plan),
                            reason,
                        }));
                        return;
                    }
                };
                if let Err(error) = context.set_adapters(&config.adapters) {
                    let _ = ready.send(Err(error.into()));
                    return;
                }
                let meter = Meter::of_threads_named(&name);
                let ceilings = match (&config.calibrations, config.threads) {
                    (Some(folder), Threads::Auto) if shape.threads > 1 => {
                        calibrate::ceilings(&model, &mut context, &meter, shape.threads, folder)
                    }
                    _ => Ceilings::uniform(shape.threads),
                };
                let crew = Crew::new(config.threads, ceilings, meter);
                let mut scheduler = Scheduler::new(&model, context, crew, &config, counters);
                let _ = ready.send(Ok(()));
                serve(&mut scheduler, &inbox);
            })
        };
        let thread = thread.map_err(|error| EngineError::Decode {
            reason: error.to_string(),
        })?;
        started.recv().map_err(|_| EngineError::Stopped)??;
        let shared = Shared {
            model,
            limit,
            counters,
            groups: Mutex::new(Some(groups)),
            thread: Mutex::new(Some(thread)),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The model that the engine runs.
    pub fn model(&self) -> &Arc<Model> {
        &self.shared.model
    }

    /// The most tokens that one prompt and its reply may have together.
    pub fn limit(&self) -> usize {
        self.shared.limit
    }

    /// Puts a job together. Jobs of one `scope` are expected to share prefixes.
    pub fn job(&self, prompt: Vec<Token>, script: Script, sampling: Sampling, scope: u64) -> Job {
        Job {
            prompt,
            script,
            sampling,
            scope,
        }
    }

    /// Evaluates jobs together; the replies come in the order of the jobs. Batches depend on nothing but the jobs that are at hand, so a group
    /// that is submitted to an idle engine gets the same replies every time.
    pub async fn submit(&self, jobs: Vec<Job>) -> Vec<Result<Completion, EngineError>> {
        let mut group = Vec::new();
        let mut answers = Vec::new();
        for job in jobs {
            let (prompt, reply) = (job.prompt.len(), job.script.max_tokens());
            if prompt == 0 || prompt + reply > self.shared.limit {
                answers.push(Err(EngineError::TooLong {
                    prompt,
                    reply,
                    limit: self.shared.limit,
                }));
                continue;
            }
            let (answer, receiver) = oneshot::channel();
            group.push((job, answer));
            answers.push(Ok(receiver));
        }
        if let Some(groups) = self
            .shared
            .groups
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
        {
            // A dead thread drops the senders, which the receivers below report.
            let _ = groups.send(group);
        }
        let mut replies = Vec::new();
        for answer in answers {
            replies.push(match answer {
                Ok(receiver) => receiver.await.unwrap_or(Err(EngineError::Stopped)),
                Err(error) => Err(error),
            });
        }
        replies
    }

    /// The threads that evaluated the last batch; 0 before the first.
    pub fn threads(&self) -> usize {
        self.shared.counters.threads.load(Relaxed)
    }

    /// Wall-clock time that llama.cpp has spent evaluating batches so far: what is left of a caller's time is ours.
    pub fn inside(&self) -> Duration {
        Duration::from_nanos(self.shared.counters.inside.load(Relaxed))
    }

    /// What has been counted so far.
    pub fn stats(&self) -> EngineStats {
        let counters = &self.shared.counters;
        EngineStats {
            prompt: counters.prompt.load(Relaxed),
            prompt_shared: counters.prompt_shared.load(Relaxed),
            prompt_evaluated: counters.prompt_evaluated.load(Relaxed),
            completion: counters.completion.load(Relaxed),
            batches: counters.batches.load(Relaxed),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Closing the channel ends the thread; joining it frees the context before the process tears llama.cpp down.
        drop(self.groups.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

fn serve(scheduler: &mut Scheduler<'_>, inbox: &mpsc::Receiver<Group>) {
    loop {
        if scheduler.is_idle() {
            match inbox.recv() {
                Ok(group) => scheduler.enqueue(group),
                Err(mpsc::RecvError) => return,
            }
        }
        while let Ok(group) = inbox.try_recv() {
            scheduler.enqueue(group);
        }
        scheduler.step();
    }
}
