//! The embedded llama.cpp engine as a chat model.

use std::path::Path;

use futures::future::BoxFuture;

use super::{ChatError, ChatModel, Fit, Identity, Reply, ReplyPlan, Request, Steering};
use crate::llama::{
    Completion, Engine, EngineConfig, EngineError, EngineStats, Job, KvType, Model, ModelError, Script, Step,
};

/// A local model behind an [`Engine`]. Cloning it clones the handle.
#[derive(Debug, Clone)]
pub struct LocalModel {
    engine: Engine,
    identity: Identity,
}

/// Layers to put on a GPU: all of them where llama.cpp was built with one.
const ALL_LAYERS: u32 = 999;

impl LocalModel {
    /// Loads a GGUF file and starts an engine on it; `name` is what tables and records call it.
    pub fn load(path: &Path, name: &str, config: &EngineConfig) -> Result<Self, EngineError> {
        let model = Model::load(path, ALL_LAYERS).map_err(|error: ModelError| EngineError::from(error))?;
        let identity = Identity {
            name: name.to_owned(),
            // The digest stands for everything that replies depend on, so a cache in another format is another model.
            digest: match config.kv {
                KvType::F16 => model.digest().to_owned(),
                KvType::Q8_0 => format!("{}+{}", model.digest(), config.kv.name()),
            },
        };
        Ok(Self {
            engine: Engine::start(model, config)?,
            identity,
        })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine's counters.
    pub fn stats(&self) -> EngineStats {
        self.engine.stats()
    }

    fn script(&self, plan: &ReplyPlan) -> Script {
        match plan {
            ReplyPlan::Scaffold(steps) => self.engine.model().script(steps),
            ReplyPlan::Free { max_tokens } | ReplyPlan::Judgement { max_tokens } => {
                self.engine.model().script(&[Step::Generate {
                    max_tokens: *max_tokens,
                    stop: Vec::new(),
                }])
            }
        }
    }

    fn job(&self, request: &Request) -> Result<Job, ChatError> {
        let prompt = self.engine.model().prompt(&request.turns);
        let prompt = prompt.map_err(|error| ChatError::Template {
            reason: error.to_string(),
        })?;
        Ok(self.engine.job(
            prompt,
            self.script(&request.plan),
            request.sampling,
            request.origin.pair,
        ))
    }
}

impl ChatModel for LocalModel {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn steering(&self) -> Steering {
        Steering::Scaffold
    }

    fn fit(&self, request: &Request) -> Option<Fit> {
        let prompt = self.engine.model().prompt(&request.turns).ok()?.len();
        Some(Fit {
            prompt,
            reply: self.script(&request.plan).max_tokens(),
            limit: self.engine.limit(),
        })
    }

    fn reply_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Result<Reply, ChatError>>> {
        Box::pin(async move {
            let mut jobs = Vec::new();
            // What cannot be put to the engine at all keeps its place in the answer.
            let mut refused = Vec::new();
            for request in &requests {
                match self.job(request) {
                    Ok(job) => {
                        jobs.push(job);
                        refused.push(None);
                    }
                    Err(error) => refused.push(Some(error)),
                }
            }
            let mut replies = self.engine.submit(jobs).await.into_iter();
            let mut next = || replies.next().unwrap_or(Err(EngineError::Stopped));
            refused
                .into_iter()
                .map(|refused| match refused {
                    Some(error) => Err(error),
                    None => next().map(Reply::from).map_err(ChatError::from),
                })
                .collect()
        })
    }
}

impl From<Completion> for Reply {
    fn from(completion: Completion) -> Self {
        let Completion {
            text,
            chosen,
            stopped,
            usage,
        } = completion;
        Self {
            text,
            chosen,
            stopped,
            usage,
        }
    }
}

impl From<EngineError> for ChatError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::TooLong { prompt, reply, limit } => ChatError::TooLong { prompt, reply, limit },
            other => ChatError::Backend {
                reason: other.to_string(),
            },
        }
    }
}
