//! Models behind OpenAI's API, whoever serves it: OpenAI, vLLM, SGLang, llama-server, LiteLLM, Ollama.
//!
//! An [`Endpoint`] says which model, where, with which key, and how much may be asked of it at a time. [`OpenAiModel::connect`] asks the
//! endpoint once what it can do ([`Capabilities`]) and is a [`ChatModel`] from then on. What happens to a call:
//!
//! 1. Requests that differ in nothing but their seed become one, if the endpoint gives several samples at once; fewer of them where it
//!    refuses so many.
//! 2. It waits for a place (concurrency adapts to what the endpoint bears: [`Change`]) and for requests and tokens per minute.
//! 3. It is sent. Failures that may pass are tried again after growing pauses, or after what the server asks to wait. A refusal is
//!    not repeated; if all calls would meet it, the error is fatal and says what to do.
//! 4. After a fatal error, or when the endpoint is down, every call ends with a fatal error, so that the run stops where it can be
//!    resumed.
//! 5. The answer becomes a reply: structured output is put into the format that free replies have, and where the server gives
//!    the probabilities of tokens, the distribution over each score goes with it.
//!
//! Requests can also be handed over in files, to be answered within a day ([`batch`]).
//!
//! Every attempt is told to a [`Watch`], which can also forbid it: ledgers and budgets hang there.

mod adaptive;
mod answer;
pub mod batch;
mod breaker;
mod config;
mod error;
mod failure;
mod key;
mod limits;
mod probe;
mod reply;
mod request;
mod retry;
mod scores;
mod transport;
mod wait;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use futures::future::{BoxFuture, join_all};

use self::adaptive::Gate;
use self::batch::Courier;
use self::breaker::Breaker;
use self::failure::Facts;
use self::limits::RateLimits;
use self::request::{Form, Question};
use self::retry::{Call, CallError, Caller};
use self::transport::Transport;
use super::{ChatError, ChatModel, Fit, Identity, Metering, Reply, ReplyPlan, Request, Steering, Usage};

pub use self::adaptive::{Cause, Change};
pub use self::config::{BaseUrl, Endpoint, Features, Limits, OPENAI, OPENAI_KEY, Outage, Patience, Timeouts};
pub use self::error::SetupError;
pub use self::key::{Key, KeySource};
pub use self::probe::{Capabilities, LengthField, Parameter};
pub use self::watch::{Attempt, AttemptResult, Outcome, Permit, Unwatched, Watch};

/// Samples asked for in one request, at most.
const MAX_SAMPLES: usize = 16;

/// A model behind an [`Endpoint`]. Cloning it clones the handle.
#[derive(Clone)]
pub struct OpenAiModel {
    inner: Arc<Inner>,
    /// Who carries requests, if the model does not send them itself.
    courier: Option<Arc<dyn Courier>>,
}

struct Inner {
    endpoint: Endpoint,
    identity: Identity,
    can: Capabilities,
    probe_usage: Usage,
    /// Samples in one request that it has not refused.
    most_samples: AtomicUsize,
    caller: Caller,
}

impl fmt::Debug for OpenAiModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiModel")
            .field("endpoint", &self.inner.endpoint)
            .field("can", &self.inner.can)
            .finish_non_exhaustive()
    }
}

impl OpenAiModel {
    /// Reads the key, and probes the endpoint unless what it can do is already known.
    pub async fn connect(endpoint: Endpoint) -> Result<Self, SetupError> {
        Self::connect_watched(endpoint, Arc::new(Unwatched)).await
    }

    /// The same with somebody listening to every attempt, those of the probe included.
    pub async fn connect_watched(endpoint: Endpoint, watch: Arc<dyn Watch>) -> Result<Self, SetupError> {
        let key = Key::read(&endpoint.key)?;
        let caller = Caller {
            facts: Facts {
                name: endpoint.name(),
                url: endpoint.base_url.completions().to_string(),
                model: endpoint.model.clone(),
                key_origin: key.is_some().then(|| endpoint.key.to_string()),
            },
            transport: Transport::new(&endpoint, key)?,
            patience: endpoint.patience,
            limits: RateLimits::new(&endpoint.limits),
            gate: Gate::new(&endpoint.limits),
            breaker: Breaker::new(endpoint.outage),
            watch,
            calls: AtomicU64::new(0),
            has_answered: AtomicBool::new(false),
            unmetered: AtomicU64::new(0),
        };
        let (can, probe_usage) = match &endpoint.features {
            Features::Known(can) => (can.clone(), Usage::default()),
            Features::Probed => {
                let probed = probe::probe(&caller, &endpoint.model).await;
                let probed = probed.map_err(|error| SetupError::Endpoint {
                    endpoint: endpoint.name(),
                    error,
                })?;
                tracing::info!(endpoint = endpoint.name(), can = ?probed.can, "probed");
                (probed.can, probed.usage)
            }
        };
        if can.without.contains(&Parameter::Temperature) {
            tracing::warn!(
                endpoint = endpoint.name(),
                "the model fixes its temperature: the network's is not applied"
            );
        }
        let identity = Identity {
            name: endpoint.name(),
            digest: String::new(),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                endpoint,
                identity,
                can,
                probe_usage,
                most_samples: AtomicUsize::new(MAX_SAMPLES),
                caller,
            }),
            courier: None,
        })
    }

    /// What the endpoint can do: to be recorded with the run, and given back as [`Features::Known`] when it is resumed.
    pub fn capabilities(&self) -> &Capabilities {
        &self.inner.can
    }

    /// Tokens that the probe took.
    pub fn probe_usage(&self) -> Usage {
        self.inner.probe_usage
    }

    /// Requests that may be under way at once, now.
    pub fn concurrency(&self) -> usize {
        self.inner.caller.gate.limit()
    }

    /// How that changed (the latest 10,000 changes), the oldest first.
    pub fn concurrency_history(&self) -> Vec<Change> {
        self.inner.caller.gate.history()
    }

    /// Replies for which the server did not say how many tokens they took: they count as 0.
    pub fn unmetered_replies(&self) -> u64 {
        self.inner.caller.unmetered.load(Ordering::Relaxed)
    }
}

impl ChatModel for OpenAiModel {
    fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    fn steering(&self) -> Steering {
        Steering::FreeText
    }

    fn metering(&self) -> Metering {
        Metering::Attempts
    }

    /// Counts three bytes as a token, which is more than texts have on average: the tokeniser is the server's. `None` unless the size of the
    /// context is configured.
    fn fit(&self, request: &Request) -> Option<Fit> {
        let limit = self.inner.endpoint.context?.get();
        let (_, reply) = form(&request.plan)?;
        let prompt = request.turns.iter().map(|turn| turn.content.len() / 3 + 8).sum();
        Some(Fit { prompt, reply, limit })
    }

    fn reply_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Result<Reply, ChatError>>> {
        Box::pin(async move { self.inner.reply_all(&requests, self.courier.as_deref()).await })
    }
}

/// The form and the most tokens of a reply; `None` for a scaffold, which is for models that can be steered.
fn form(plan: &ReplyPlan) -> Option<(Form, usize)> {
    match plan {
        ReplyPlan::Free { max_tokens } => Some((Form::Free, *max_tokens)),
        ReplyPlan::Judgement { max_tokens } => Some((Form::Judgement, *max_tokens)),
        ReplyPlan::Scaffold(_) => None,
    }
}

type Answers = Vec<Option<Result<Reply, ChatError>>>;

impl Inner {
    async fn reply_all(&self, requests: &[Request], courier: Option<&dyn Courier>) -> Vec<Result<Reply, ChatError>> {
        let mut answers: Answers = vec![None; requests.len()];
        let mut most = if self.can.samples {
            self.most_samples.load(Ordering::Relaxed)
        } else {
            1
        };
        let mut is_last = false;
        loop {
            let open: Vec<usize> = (0..requests.len()).filter(|&i| answers[i].is_none()).collect();
            self.round(requests, bundles(requests, &open, most), courier, &mut answers)
                .await;
            let borne = self.most_samples.load(Ordering::Relaxed);
            if borne < most {
                most = borne;
            } else if is_last {
                break;
            } else {
                // Samples that an answer lacks, or that have no text, are asked for one by one.
                (most, is_last) = (1, true);
            }
        }
        let nothing = || {
            Err(ChatError::BadReply {
                fault: super::ReplyFault::NoChoices,
            })
        };
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(nothing))
            .collect()
    }

    async fn round(
        &self,
        requests: &[Request],
        bundles: Vec<Vec<usize>>,
        courier: Option<&dyn Courier>,
        answers: &mut Answers,
    ) {
        let calls = bundles.into_iter().map(|bundle| async move {
            let bundled: Vec<&Request> = bundle.iter().map(|&i| &requests[i]).collect();
            let replies = self.ask(&bundled, courier).await;
            (bundle, replies)
        });
        for (bundle, replies) in join_all(calls).await {
            for (i, reply) in bundle.into_iter().zip(replies) {
                answers[i] = reply;
            }
        }
    }

    /// Several samples of one request, each with a seed of its own; `None` for those that did not come.
    async fn ask(&self, requests: &[&Request], courier: Option<&dyn Courier>) -> Answers {
        let (request, samples) = (requests[0], requests.len());
        let fail = |error: ChatError| vec![Some(Err(error)); samples];
        let Some((form, max_tokens)) = form(&request.plan) else {
            return fail(ChatError::Template {
                reason: format!("`{}` takes free text only, and was given a scaffold", self.identity),
            });
        };
        let question = Question {
            model: &self.endpoint.model,
            turns: &request.turns,
            sampling: request.sampling,
            form,
            max_tokens,
            samples,
        };
        let body = match question.body(&self.can) {
            Ok(body) => body,
            Err(error) => {
                return fail(ChatError::Template {
                    reason: error.to_string(),
                });
            }
        };
        let call = Call {
            body: &body,
            expected_tokens: question.expected_tokens(),
            most_completion: (max_tokens * samples) as u64,
            samples,
            origin: Some(request.origin),
            attempts: self.endpoint.patience.attempts,
        };
        let answered = match courier {
            None => {
                let answered = self.caller.call(&call).await;
                answered.map_err(|CallError { error, .. }| error)
            }
            Some(courier) => {
                let parcel = self.parcel(requests, &body, call.most());
                self.post(courier, &parcel).await
            }
        };
        let answered = match answered {
            Ok(answered) => answered,
            Err(error) => {
                if samples > 1 && refuses_samples(&error) {
                    tracing::info!(samples, %error, "fewer samples are asked for at once");
                    self.most_samples.fetch_min(samples / 2, Ordering::Relaxed);
                    return vec![None; samples];
                }
                if error.is_fatal() {
                    self.caller.breaker.fatal(error.clone());
                }
                return fail(error);
            }
        };
        let choices = answered.answer.choices();
        // Shares go to samples that will have a reply, or their tokens would be lost.
        let good = |i: usize| choices.get(i).filter(|choice| samples == 1 || choice.fault().is_none());
        let of = (0..samples).filter(|&i| good(i).is_some()).count();
        let mut nth = 0;
        (0..samples)
            .map(|i| {
                let choice = good(i)?;
                let usage = reply::share(answered.usage, nth, of);
                nth += 1;
                Some(reply::reply(choice, form, &self.can, usage, &self.caller.transport))
            })
            .collect()
    }
}

/// Whether a refusal names the number of samples, as llama-server's does when there are more than it has slots: the probe asks for two.
fn refuses_samples(error: &ChatError) -> bool {
    let ChatError::Refused {
        status: 400 | 422,
        reason,
    } = error
    else {
        return false;
    };
    let mut words = reason.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.any(|word| word == "n")
}

/// Those of the `open` requests that can be sent as one, up to so many at a time: they differ in nothing but their seed, and are drawn at
/// random.
fn bundles(requests: &[Request], open: &[usize], most: usize) -> Vec<Vec<usize>> {
    let mut bundles: Vec<Vec<usize>> = Vec::new();
    for &i in open {
        let request = &requests[i];
        let same = |other: &Request| {
            let (a, b) = (request.sampling, other.sampling);
            a.temperature > 0.0
                && a.temperature.to_bits() == b.temperature.to_bits()
                && a.top_p.to_bits() == b.top_p.to_bits()
                && request.plan == other.plan
                && request.turns == other.turns
        };
        let bundle = bundles
            .iter_mut()
            .find(|bundle| bundle.len() < most && same(&requests[bundle[0]]));
        match bundle {
            Some(bundle) => bundle.push(i),
            None => bundles.push(vec![i]),
        }
    }
    bundles
}
