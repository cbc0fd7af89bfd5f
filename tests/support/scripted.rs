//! A chat model that answers from a closure and keeps what it was asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use widedeep::chat::{
    ChatError, ChatModel, Chosen, Fit, Identity, Reply, ReplyPlan, Request, Steering, Step, Stopped, Usage,
};
use widedeep::pair::{Order, Pair};

/// Tokens of every scripted reply.
pub const USAGE: Usage = Usage {
    prompt: 100,
    cached_prompt: 40,
    completion: 10,
};

/// One request as the closure sees it.
pub struct Asked<'a> {
    /// How many groups came before this one.
    pub group: usize,
    /// Position in its group.
    pub place: usize,
    pub request: &'a Request,
}

type Answer = dyn Fn(&Asked<'_>) -> Result<Reply, ChatError> + Send + Sync;

pub struct Scripted {
    identity: Identity,
    steering: Steering,
    /// Characters that prompts may have; without it the model cannot tell whether a request fits.
    context: Option<usize>,
    answer: Box<Answer>,
    groups: Mutex<Vec<Vec<Request>>>,
}

impl Scripted {
    /// A model that follows scaffolds.
    pub fn steerable(answer: impl Fn(&Asked<'_>) -> Result<Reply, ChatError> + Send + Sync + 'static) -> Self {
        Self {
            identity: Identity {
                name: "scripted".to_owned(),
                digest: String::new(),
            },
            steering: Steering::Scaffold,
            context: None,
            answer: Box::new(answer),
            groups: Mutex::default(),
        }
    }

    /// A model that writes freely.
    pub fn free(answer: impl Fn(&Asked<'_>) -> Result<Reply, ChatError> + Send + Sync + 'static) -> Self {
        Self {
            steering: Steering::FreeText,
            ..Self::steerable(answer)
        }
    }

    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.identity.name);
        self
    }

    /// Prompts of more characters are refused.
    pub fn with_context(mut self, characters: usize) -> Self {
        self.context = Some(characters);
        self
    }

    pub fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }

    /// All groups of requests so far.
    pub fn groups(&self) -> Vec<Vec<Request>> {
        self.lock().clone()
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Request> {
        self.groups().into_iter().flatten().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<Request>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChatModel for Scripted {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn steering(&self) -> Steering {
        self.steering
    }

    fn fit(&self, request: &Request) -> Option<Fit> {
        let characters = |request: &Request| request.turns.iter().map(|turn| turn.content.chars().count()).sum();
        self.context.map(|limit| Fit {
            prompt: characters(request),
            reply: 0,
            limit,
        })
    }

    fn reply_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Result<Reply, ChatError>>> {
        Box::pin(async move {
            let group = {
                let mut groups = self.lock();
                groups.push(requests.clone());
                groups.len() - 1
            };
            requests
                .iter()
                .enumerate()
                .map(|(place, request)| match self.fit(request) {
                    Some(fit) if !fit.fits() => Err(ChatError::TooLong {
                        prompt: fit.prompt,
                        reply: fit.reply,
                        limit: fit.limit,
                    }),
                    _ => (self.answer)(&Asked { group, place, request }),
                })
                .collect()
        })
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Roles,
    Judge,
    Deeper,
}

/// What a request asks for, in the words of the layouts `shared`, `official` and `faireval`.
pub fn kind(request: &Request) -> Kind {
    let text = user(request);
    if ["List the angles of view", "Sum up the angles of view"]
        .iter()
        .any(|words| text.contains(words))
    {
        Kind::Roles
    } else if ["have already written these reviews", "Again, take", "{aspect}"]
        .iter()
        .any(|words| text.contains(words))
    {
        Kind::Deeper
    } else {
        Kind::Judge
    }
}

/// The user message.
pub fn user(request: &Request) -> &str {
    request.turns.last().map_or("", |turn| turn.content.as_str())
}

/// In which order a request shows a pair whose responses differ and occur nowhere else.
pub fn order(request: &Request, pair: &Pair) -> Order {
    let at = |text: &str| user(request).find(text).expect("both candidates are shown");
    if at(&pair.response1) < at(&pair.response2) {
        Order::Forward
    } else {
        Order::Swapped
    }
}

/// A reply of this text.
pub fn text(text: impl Into<String>) -> Reply {
    Reply {
        text: text.into(),
        chosen: Vec::new(),
        stopped: vec![Stopped::EndOfTurn],
        usage: USAGE,
    }
}

/// A list of roles.
pub fn roles(names: &[&str]) -> Reply {
    let lines: Vec<String> = names.iter().map(|name| format!("${name}&")).collect();
    text(lines.join("\n"))
}

/// Evidence and the scores of what was shown first and second: chosen if the request has a scaffold, written if not.
pub fn judged(request: &Request, evidence: &str, first: u8, second: u8) -> Reply {
    let ReplyPlan::Scaffold(steps) = &request.plan else {
        return text(format!(
            "{evidence}\nScore of Assistant 1: {first}\nScore of Assistant 2: {second}"
        ));
    };
    let mut reply = text("");
    let mut scores = [first, second].into_iter();
    for step in steps {
        match step {
            Step::Force(forced) => reply.text += forced,
            Step::Generate { .. } => {
                reply.text += " ";
                reply.text += evidence;
            }
            Step::Choose(options) => {
                let score = scores.next().expect("a scaffold chooses two scores");
                reply.text += &score.to_string();
                reply.chosen.push(certain(usize::from(score) - 1, options.len()));
            }
        }
    }
    reply
}

/// A choice without doubt.
pub fn certain(option: usize, options: usize) -> Chosen {
    let mut probabilities = vec![0.0; options];
    probabilities[option] = 1.0;
    Chosen {
        option,
        probabilities,
        mass: 1.0,
    }
}
