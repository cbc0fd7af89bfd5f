//! One pair through a network, every prompt looked at on its way.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use widedeep::chat::{ChatError, ChatModel, Fit, Identity, Reply, Request, Steering};
use widedeep::network::aggregate::{Reading, aggregate};
use widedeep::network::{Network, Opinion, Panel, Setting, evaluate};
use widedeep::pair::{Label, Pair, Taxonomy};
use widedeep::prompt::{Nonce, Prompts};

use super::blocks::Markers;

/// What came of a pair.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The verdict; `None` where no opinion has scores.
    pub verdict: Option<Label>,
    /// Mean over the opinions of score 1 minus score 2, in expectation where distributions are known.
    pub lead: Option<f64>,
    /// Opinions asked for.
    pub opinions: usize,
    /// Why opinions are missing, one entry each.
    pub missing: Vec<&'static str>,
    /// Prompts sent that show both candidates in blocks.
    pub prompts: usize,
    /// What is wrong with the blocks of prompts, one entry each.
    pub broken: Vec<String>,
    /// The error or panic that ended it.
    pub crash: Option<String>,
}

/// What trials have in common.
pub struct Bench<'a> {
    /// The network.
    pub network: &'a Network,
    /// Prompt texts.
    pub prompts: &'a Prompts,
    /// Which family a dataset is judged with.
    pub taxonomy: &'a Taxonomy,
    /// The model of all neurons.
    pub model: Arc<dyn ChatModel>,
    /// The run's seed.
    pub seed: u64,
}

impl Bench<'_> {
    /// The code of a pair's markers.
    pub fn nonce(&self, pair: &Pair) -> Nonce {
        Nonce::for_pair(self.seed, &[&pair.query, &pair.response1, &pair.response2])
    }

    /// Takes a pair through the network.
    ///
    /// # Panics
    /// If the taxonomy names a family without prompts.
    pub async fn judge(&self, pair: &Pair) -> Outcome {
        let family = self.taxonomy.family(&pair.dataset).family;
        let family = self.prompts.family(family).expect("the taxonomy's families have prompts");
        let witness = Arc::new(Witness {
            model: Arc::clone(&self.model),
            markers: Markers::of(self.network.prompt, family, &self.nonce(pair)),
            pair: pair.clone(),
            has_blocks_in_roles: self.network.prompt == widedeep::prompt::Layout::Shared,
            seen: Mutex::default(),
        });
        let panel = Panel::new(Arc::clone(&witness) as Arc<dyn ChatModel>, std::collections::BTreeMap::new());
        let setting = Setting {
            network: self.network,
            prompts: self.prompts,
            family,
            panel: &panel,
            seed: self.seed,
        };
        let evaluation = AssertUnwindSafe(evaluate(pair, &setting)).catch_unwind().await;
        let mut outcome = match evaluation {
            Ok(Ok(evaluation)) => self.outcome(&evaluation.opinions),
            Ok(Err(error)) => Outcome {
                crash: Some(error.to_string()),
                ..Outcome::default()
            },
            Err(_) => Outcome {
                crash: Some("a panic".to_owned()),
                ..Outcome::default()
            },
        };
        (outcome.prompts, outcome.broken) = witness.report();
        outcome
    }

    fn outcome(&self, opinions: &[Opinion]) -> Outcome {
        let votes: Vec<_> = opinions.iter().map(Opinion::vote).collect();
        let decision = aggregate(&votes, self.network.aggregate.cell, self.network.aggregate.tie_margin);
        let leads: Vec<f64> = votes
            .iter()
            .filter_map(|vote| vote.pair(Reading::Expected).or_else(|| vote.pair(Reading::Argmax)))
            .map(|pair| pair.score1.to_f64() - pair.score2.to_f64())
            .collect();
        Outcome {
            verdict: decision.map(|decision| decision.label),
            lead: (!leads.is_empty()).then(|| leads.iter().sum::<f64>() / leads.len() as f64),
            opinions: opinions.len(),
            missing: opinions
                .iter()
                .filter_map(|opinion| opinion.missing.as_ref())
                .map(widedeep::network::Missing::kind)
                .collect(),
            ..Outcome::default()
        }
    }
}

/// Passes requests on and looks at their blocks.
struct Witness {
    model: Arc<dyn ChatModel>,
    markers: Markers,
    pair: Pair,
    has_blocks_in_roles: bool,
    seen: Mutex<(usize, Vec<String>)>,
}

impl Witness {
    fn report(&self) -> (usize, Vec<String>) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn look_at(&self, request: &Request) {
        let Some(turn) = request.turns.last() else { return };
        if request.origin.stage == 0 && !self.has_blocks_in_roles {
            return;
        }
        let problem = self.markers.problem(&self.pair, &turn.content);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0 += 1;
        seen.1.extend(problem);
    }
}

impl ChatModel for Witness {
    fn identity(&self) -> &Identity {
        self.model.identity()
    }

    fn steering(&self) -> Steering {
        self.model.steering()
    }

    fn fit(&self, request: &Request) -> Option<Fit> {
        self.model.fit(request)
    }

    fn reply_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Result<Reply, ChatError>>> {
        requests.iter().for_each(|request| self.look_at(request));
        self.model.reply_all(requests)
    }
}
