//! What a run will ask, before it asks anything: the network is taken through the pairs with models that only count.
//!
//! The prompts are the real ones. Unknown are the replies: how long they are (deeper layers read them), how many roles are named, which replies
//! have to be asked for again, and where a network stops early. Three [`Scenario`]s bound that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use serde::Serialize;

use super::config::Judge;
use super::judge::JudgeError;
use crate::chat::{
    ChatError, ChatModel, Chosen, Fit, Identity, Reply, ReplyPlan, Request, Steering, Step, Stopped, Usage,
};
use crate::cost::{Stage, Tariff, Tokens, is_local};
use crate::network::spec::{Roles, Stop};
use crate::network::{EvaluateError, Network, Panel, Setting, evaluate};
use crate::pair::{Pair, Taxonomy};
use crate::prompt::{PromptError, Prompts};

/// How replies turn out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// One role, replies without a word beside what is asked for, all of them readable, agreement wherever that ends a pair.
    Least,
    /// As many roles as the network uses (four, if it says nothing), replies of half their limit, all of them readable; no early end.
    Expected,
    /// As many roles as the network uses (eight, if it says nothing), replies as long as they may be, every one asked for as often as the network
    /// does; no early end.
    Most,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Scenario; 3] = [Scenario::Least, Scenario::Expected, Scenario::Most];

    /// Tokens in so many bytes of text, where the tokeniser is not at hand: one in 6, 4 or 2.5 bytes.
    fn tokens(self, bytes: usize) -> usize {
        match self {
            Scenario::Least => bytes.div_ceil(6),
            Scenario::Expected => bytes.div_ceil(4),
            Scenario::Most => (2 * bytes).div_ceil(5),
        }
    }

    /// Tokens of a reply that may have so many.
    fn length(self, most: usize) -> usize {
        match self {
            Scenario::Least => 0,
            Scenario::Expected => most.div_ceil(2),
            Scenario::Most => most,
        }
    }

    fn roles(self, wanted: Option<usize>) -> usize {
        match self {
            Scenario::Least => 1,
            Scenario::Expected => wanted.unwrap_or(4),
            Scenario::Most => wanted.unwrap_or(8),
        }
    }
}

/// What one scenario comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlook {
    /// Which.
    pub scenario: Scenario,
    /// Calls and tokens by stage and model.
    pub parts: Vec<Part>,
}

/// Calls of one stage to one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The stage.
    pub stage: Stage,
    /// The model.
    pub model: String,
    /// Calls.
    pub calls: u64,
    /// Tokens; no help from a provider's cache is assumed.
    pub tokens: Tokens,
}

impl Outlook {
    /// All calls.
    pub fn calls(&self) -> u64 {
        self.parts.iter().map(|part| part.calls).sum()
    }

    /// All tokens.
    pub fn tokens(&self) -> Tokens {
        self.parts.iter().map(|part| part.tokens).sum()
    }

    /// US dollars for the tokens, without the time of a machine; `None` if a price is not known.
    pub fn usd(&self, tariff: &Tariff) -> Option<f64> {
        self.parts.iter().map(|part| tariff.of(&part.model, part.tokens)).sum()
    }
}

/// What counts the tokens of a prompt to a model: a local model that is at hand.
pub type Tokeniser = Arc<dyn ChatModel>;

/// Takes a network through the pairs in every scenario. Models in `tokenisers` (by name) count their own prompt tokens; of others the bytes are
/// counted.
pub fn rehearse<E: From<JudgeError>>(
    judge: &Judge,
    pairs: impl IntoIterator<Item = Result<Pair, E>>,
    prompts: &Prompts,
    taxonomy: &Taxonomy,
    seed: u64,
    tokenisers: &BTreeMap<String, Tokeniser>,
) -> Result<Vec<Outlook>, E> {
    let Judge::Network { network, model, named } = judge else {
        return Ok(Vec::new());
    };
    let rehearsals: Vec<Rehearsal> = Scenario::ALL
        .into_iter()
        .map(|scenario| Rehearsal::new(scenario, network, model, named, tokenisers))
        .collect();
    for pair in pairs {
        let pair = pair?;
        let family = prompts.family(taxonomy.family(&pair.dataset).family);
        let family = family.map_err(|source: PromptError| JudgeError::Family {
            dataset: pair.dataset.clone(),
            source,
        })?;
        for rehearsal in &rehearsals {
            let setting = Setting {
                network: &rehearsal.network,
                prompts,
                family,
                panel: &rehearsal.panel,
                seed,
            };
            pollster::block_on(evaluate(&pair, &setting)).map_err(|source: EvaluateError| JudgeError::Evaluate {
                index: pair.index,
                source,
            })?;
        }
    }
    Ok(rehearsals.into_iter().map(Rehearsal::outlook).collect())
}

/// A scenario with the network and the models that play it.
struct Rehearsal {
    scenario: Scenario,
    network: Network,
    panel: Panel,
    counts: Arc<Mutex<Counts>>,
}

impl Rehearsal {
    fn new(
        scenario: Scenario,
        network: &Network,
        model: &Identity,
        named: &[Identity],
        tokenisers: &BTreeMap<String, Tokeniser>,
    ) -> Self {
        let network = match scenario {
            Scenario::Least => network.clone(),
            Scenario::Expected | Scenario::Most => Network {
                stop: Stop::Never,
                sequential: None,
                ..network.clone()
            },
        };
        let counts: Arc<Mutex<Counts>> = Arc::default();
        let counting = |identity: &Identity| -> Arc<dyn ChatModel> {
            Arc::new(Counting {
                identity: identity.clone(),
                tokeniser: tokenisers.get(&identity.name).cloned(),
                scenario,
                attempts: (attempts_for_roles(&network), network.reply.attempts.get()),
                roles: scenario.roles(wanted_roles(&network)),
                counts: Arc::clone(&counts),
            })
        };
        let by_words = network.models().into_iter().map(str::to_owned);
        let panel = Panel::new(counting(model), by_words.zip(named.iter().map(counting)).collect());
        Self {
            scenario,
            network,
            panel,
            counts,
        }
    }

    fn outlook(self) -> Outlook {
        let counts = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        let parts = counts.into_iter().map(|((stage, model), (calls, tokens))| Part {
            stage,
            model,
            calls,
            tokens,
        });
        Outlook {
            scenario: self.scenario,
            parts: parts.collect(),
        }
    }
}

fn wanted_roles(network: &Network) -> Option<usize> {
    match &network.roles {
        Roles::Generated { limit, cap, .. } => [*limit, *cap]
            .into_iter()
            .flatten()
            .map(std::num::NonZeroUsize::get)
            .min(),
        Roles::Fixed { .. } | Roles::None => None,
    }
}

fn attempts_for_roles(network: &Network) -> usize {
    match &network.roles {
        Roles::Generated { attempts, .. } => attempts.get(),
        Roles::Fixed { .. } | Roles::None => 1,
    }
}

type Counts = BTreeMap<(Stage, String), (u64, Tokens)>;

/// A model that counts what it is asked, and answers as the scenario says.
struct Counting {
    identity: Identity,
    tokeniser: Option<Tokeniser>,
    scenario: Scenario,
    /// Requests made until a list of roles, or a judgement, can be read.
    attempts: (usize, usize),
    roles: usize,
    counts: Arc<Mutex<Counts>>,
}

/// What roles may be called.
const NAMES: [&str; 8] = [
    "Accuracy",
    "Relevance",
    "Clarity",
    "Depth",
    "Coherence",
    "Helpfulness",
    "Completeness",
    "Fluency",
];

/// The sign that closes a role's name, from the prompt that asks for them: what stands behind the last `$name` in it.
fn closing_sign(prompt: &str) -> char {
    let after = prompt.rsplit('$').next().unwrap_or_default();
    let sign = after.chars().find(|c| !c.is_alphanumeric() && !c.is_whitespace());
    sign.filter(|sign| matches!(sign, '&' | '@')).unwrap_or('&')
}

/// Tokens in a text of so many common words.
fn words(tokens: usize) -> String {
    "word ".repeat(tokens)
}

impl Counting {
    fn prompt_tokens(&self, request: &Request) -> u64 {
        if let Some(fit) = self.tokeniser.as_ref().and_then(|tokeniser| tokeniser.fit(request)) {
            return fit.prompt as u64;
        }
        let bytes: usize = request.turns.iter().map(|turn| turn.content.len()).sum();
        // Beside the text, role marks of the chat template.
        let marks = match self.scenario {
            Scenario::Least => 0,
            Scenario::Expected | Scenario::Most => 8 * request.turns.len(),
        };
        (self.scenario.tokens(bytes) + marks) as u64
    }

    fn answer(&self, request: &Request) -> Reply {
        let stage = Stage::numbered(request.origin.stage);
        let (text, chosen, completion) = match &request.plan {
            ReplyPlan::Scaffold(steps) => self.steered(stage, steps),
            ReplyPlan::Free { max_tokens } | ReplyPlan::Judgement { max_tokens } => {
                let text = self.free(stage, *max_tokens, request);
                (text, Vec::new(), self.scenario.length(*max_tokens).max(1))
            }
        };
        Reply {
            text,
            chosen,
            stopped: vec![Stopped::EndOfTurn],
            usage: Usage {
                prompt: self.prompt_tokens(request),
                cached_prompt: 0,
                completion: completion as u64,
            },
        }
    }

    fn steered(&self, stage: Stage, steps: &[Step]) -> (String, Vec<Chosen>, usize) {
        let (mut text, mut chosen, mut completion) = (String::new(), Vec::new(), 0);
        let mut names = NAMES.iter().take(self.roles);
        for step in steps {
            match step {
                Step::Force(forced) => {
                    text += forced;
                    completion += self.scenario.tokens(forced.len());
                }
                Step::Generate { max_tokens, .. } if stage == Stage::Roles => {
                    let name = names.next().unwrap_or(&NAMES[0]);
                    text += name;
                    completion += self.scenario.length(*max_tokens);
                }
                Step::Generate { max_tokens, .. } => {
                    let length = self.scenario.length(*max_tokens);
                    text += &words(length);
                    completion += length;
                }
                Step::Choose(options) => {
                    text += options.last().map_or("", String::as_str);
                    completion += 1;
                    chosen.push(Chosen {
                        option: options.len().saturating_sub(1),
                        probabilities: vec![1.0 / options.len().max(1) as f64; options.len()],
                        mass: 1.0,
                    });
                }
            }
        }
        (text, chosen, completion)
    }

    fn free(&self, stage: Stage, max_tokens: usize, request: &Request) -> String {
        let attempt = request.origin.attempt as usize;
        let (for_roles, for_scores) = self.attempts;
        let attempts = if stage == Stage::Roles { for_roles } else { for_scores };
        if self.scenario == Scenario::Most && attempt + 1 < attempts {
            return words(max_tokens);
        }
        if stage == Stage::Roles {
            let close = request.turns.last().map_or('&', |turn| closing_sign(&turn.content));
            let names = NAMES.iter().take(self.roles).map(|name| format!("${name}{close}\n"));
            return names.collect();
        }
        format!(
            "{}\nScore of Assistant 1: 7\nScore of Assistant 2: 7",
            words(self.scenario.length(max_tokens))
        )
    }
}

impl ChatModel for Counting {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn steering(&self) -> Steering {
        if is_local(&self.identity.name) {
            Steering::Scaffold
        } else {
            Steering::FreeText
        }
    }

    fn fit(&self, request: &Request) -> Option<Fit> {
        self.tokeniser.as_ref()?.fit(request)
    }

    fn reply_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Result<Reply, ChatError>>> {
        let replies = requests
            .iter()
            .map(|request| {
                // What does not fit is not sent.
                if let Some(fit) = self.fit(request).filter(|fit| !fit.fits()) {
                    return Err(ChatError::TooLong {
                        prompt: fit.prompt,
                        reply: fit.reply,
                        limit: fit.limit,
                    });
                }
                let reply = self.answer(request);
                let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
                let key = (Stage::numbered(request.origin.stage), self.identity.name.clone());
                let (calls, tokens) = counts.entry(key).or_default();
                *calls += 1;
                *tokens += Tokens::from(reply.usage);
                Ok(reply)
            })
            .collect();
        Box::pin(std::future::ready(replies))
    }
}
