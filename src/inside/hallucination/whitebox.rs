//! A detector as a model that judges: it reads both responses of a pair in the activations of its own model, and its opinion is how far each is from made up.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::detector::Detector;
use super::questions::Exchange;
use super::score::{LongAnswers, Outcome, Scorer};
use super::style::Style;
use crate::chat::{ChatError, ChatModel, Fit, Identity, Reply, Request, Speaker, Steering, Turn, Usage};
use crate::llama::{DownNorms, Model, Threads};

type Answer = oneshot::Sender<Result<Reply, ChatError>>;

/// A detector behind [`ChatModel`]. It answers conversations of a query and two assistants' turns; scores are `1 + 9 · (1 − probability)`, so that a
/// response that is surely made up gets a 1 and one that is surely known a 10.
#[derive(Debug)]
pub struct DetectorModel {
    identity: Identity,
    jobs: Mutex<Option<mpsc::Sender<(Request, Answer)>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl DetectorModel {
    /// Starts a thread that owns the model's tap. That the model is the detector's is for [`Detector::admit_model`] to say first; `words` is how the
    /// network names it.
    pub fn start(
        words: &str,
        model: Arc<Model>,
        norms: DownNorms,
        detector: Detector,
        style: Style,
        threads: Threads,
    ) -> std::io::Result<Self> {
        let content = serde_json::to_string(&detector).unwrap_or_default();
        let identity = Identity {
            name: words.to_owned(),
            // All that its replies depend on.
            digest: blake3::hash(format!("{}\n{}\n{content}", model.digest(), style.name()).as_bytes())
                .to_hex()
                .to_string(),
        };
        let (jobs, inbox) = mpsc::channel::<(Request, Answer)>();
        let thread = std::thread::Builder::new().name("detector".into()).spawn(move || {
            let mut scorer = Scorer::new(&model, &detector, &norms, style, LongAnswers::BySentence, threads);
            for (request, answer) in inbox {
                // Whoever asked may have gone.
                let _ = answer.send(reply(&mut scorer, &request));
            }
        })?;
        Ok(Self {
            identity,
            jobs: Mutex::new(Some(jobs)),
            thread: Mutex::new(Some(thread)),
        })
    }
}

/// Reads both responses.
fn reply(scorer: &mut Scorer<'_>, request: &Request) -> Result<Reply, ChatError> {
    let [query, first, second] = request.turns.as_slice() else {
        return Err(no_pair());
    };
    if [query, first, second].map(|turn| turn.speaker) != [Speaker::User, Speaker::Assistant, Speaker::Assistant] {
        return Err(no_pair());
    }
    let (mut evidence, mut scores) = (String::from("Evaluation evidence:"), String::new());
    for (number, response) in [(1, first), (2, second)] {
        let probability =
            probability(scorer, query, response).map_err(|reason| refused(format!("Assistant {number}: {reason}")))?;
        let _ = write!(
            evidence,
            " the activations of the model that reads it give Assistant {number}'s response a probability of {probability:.2} of being made up."
        );
        let _ = write!(
            scores,
            "\nScore of Assistant {number}: {:.2}",
            1.0 + 9.0 * (1.0 - probability)
        );
    }
    Ok(Reply {
        text: evidence + &scores,
        chosen: Vec::new(),
        stopped: Vec::new(),
        usage: Usage::default(),
    })
}

fn probability(scorer: &mut Scorer<'_>, query: &Turn, response: &Turn) -> Result<f64, String> {
    let exchange = Exchange {
        id: String::new(),
        prompt: query.content.clone(),
        response: response.content.clone(),
    };
    match scorer.score(&exchange).map_err(|error| error.to_string())?.outcome {
        Outcome::Score { probability, .. } => Ok(probability),
        Outcome::Refused(reason) => Err(reason),
    }
}

fn refused(reason: String) -> ChatError {
    ChatError::Withheld { reason }
}

fn no_pair() -> ChatError {
    refused("a detector reads a query with two responses, and writes nothing else: give it a neuron of `kind = \"detector\"`".into())
}

impl ChatModel for DetectorModel {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn steering(&self) -> Steering {
        Steering::FreeText
    }

    fn fit(&self, _: &Request) -> Option<Fit> {
        None
    }

    fn reply_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Result<Reply, ChatError>>> {
        Box::pin(async move {
            let answers: Vec<_> = requests
                .into_iter()
                .map(|request| {
                    let (answer, receiver) = oneshot::channel();
                    if let Some(jobs) = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                        // A dead thread drops the senders, which the receivers report.
                        let _ = jobs.send((request, answer));
                    }
                    receiver
                })
                .collect();
            let mut replies = Vec::new();
            for answer in answers {
                replies.push(answer.await.unwrap_or_else(|_| {
                    Err(ChatError::Backend {
                        reason: "the detector has stopped; see the errors above".into(),
                    })
                }));
            }
            replies
        })
    }
}

impl Drop for DetectorModel {
    fn drop(&mut self) {
        // Closing the channel ends the thread; joining it frees the context before the process tears llama.cpp down.
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}
