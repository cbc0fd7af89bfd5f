//! The handle: one OS thread owns the context, any number of callers submit jobs to it.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use llama_cpp_2::context::params::LlamaContextParams;
use tokio::sync::oneshot;

use super::model::{ModelError, backend};
use super::schedule::{Answer, Scheduler};
use super::script::Script;
use super::sequence::{Completion, Job, Sampling};
use super::{Model, Token, log};

/// How the engine is set up.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// KV cells for all sequences together; by default the trained context, at least 8,192 and at most 16,384.
    pub context: Option<usize>,
    /// Sequences that are evaluated at the same time.
    pub parallel: usize,
    /// Threads; by default one per core.
    pub threads: Option<usize>,
    /// Most tokens in one batch.
    pub batch: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            context: None,
            parallel: 24,
            threads: None,
            batch: 512,
        }
    }
}

/// Failures of the engine.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The context could not be made.
    #[error(
        "llama.cpp failed to make a context of {cells} tokens (about {mib} MiB of cache): {reason}; ask for less with `--context`"
    )]
    Context {
        /// KV cells asked for.
        cells: usize,
        /// Their size.
        mib: u64,
        /// llama.cpp's complaint.
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
    /// The engine's thread has ended.
    #[error("the engine has stopped; see the errors above")]
    Stopped,
    /// The model failed to load.
    #[error("{0}")]
    Model(String),
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
}

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
        let backend = backend()?;
        let cells = config
            .context
            .unwrap_or_else(|| model.trained_context().clamp(8192, 16384));
        let limit = cells.min(model.trained_context());
        let threads = config
            .threads
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
        let threads = i32::try_from(threads).unwrap_or(1);
        // Every active sequence may need a scratch copy, and finished ones stay for their prefixes.
        let sequences = (4 * config.parallel).min(256);
        let batch = u32::try_from(config.batch).unwrap_or(512);
        let params = LlamaContextParams::default()
            .with_n_ctx(u32::try_from(cells).ok().and_then(NonZeroU32::new))
            .with_n_batch(batch)
            .with_n_ubatch(batch)
            .with_n_seq_max(u32::try_from(sequences).unwrap_or(256))
            .with_kv_unified(true)
            // Sliding-window models keep their whole history, so that prefixes can be shared at any length.
            .with_swa_full(true)
            .with_n_threads(threads)
            .with_n_threads_batch(threads);
        let counters = Arc::new(Counters::default());
        let (groups, inbox) = mpsc::channel::<Group>();
        let (ready, started) = mpsc::channel();
        let thread = {
            let (model, counters, parallel) = (Arc::clone(&model), Arc::clone(&counters), config.parallel);
            std::thread::Builder::new().name("llama".into()).spawn(move || {
                log::forget();
                let context = match model.inner.new_context(backend, params) {
                    Ok(context) => context,
                    Err(error) => {
                        let complaints = log::complaints();
                        let reason = if complaints.is_empty() {
                            error.to_string()
                        } else {
                            complaints
                        };
                        let _ = ready.send(Err(EngineError::Context {
                            cells,
                            mib: cache_mib(&model, cells),
                            reason,
                        }));
                        return;
                    }
                };
                let sequences = i32::try_from(sequences).unwrap_or(256);
                let mut scheduler = Scheduler::new(&model, context, parallel, sequences, counters);
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

/// Size of an f16 cache: keys and values of every layer.
fn cache_mib(model: &Model, cells: usize) -> u64 {
    let inner = &model.inner;
    let per_head = u64::try_from(inner.n_embd()).unwrap_or(0) / u64::from(inner.n_head().max(1));
    2 * 2 * u64::from(inner.n_layer()) * u64::from(inner.n_head_kv()) * per_head * cells as u64 / (1 << 20)
}
