//! A pair through a network, with a model that answers as the test says: which requests are made, in what words, and what becomes of the
//! replies. Section numbers are those of the method specification.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::float_cmp,
    reason = "temperatures and certainties are passed on, not computed"
)]

mod adaptive;
mod counts;
mod history;
mod models;
mod prefixes;
mod replies;
mod roles;
mod samples;
mod shortening;
mod spec;
mod symmetry;

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use futures::executor::block_on;
use widedeep::chat::{ChatError, ChatModel, Request};
use widedeep::network::score::ScorePair;
use widedeep::network::{EvaluateError, Evaluation, Network, Panel, Setting};
use widedeep::pair::Pair;
use widedeep::prompt::Prompts;

use support::scripted::{Scripted, user};

static PROMPTS: LazyLock<Prompts> = LazyLock::new(Prompts::embedded);

/// A network of the given TOML, which need not say its name.
fn network(body: &str) -> Network {
    let text = format!("name = \"test\"\nsummary = \"for a test\"\n{body}");
    Network::parse(&text, "test", &[]).unwrap()
}

fn shipped(name: &str, overrides: &[&str]) -> Network {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Network::parse(widedeep::network::shipped(name).unwrap(), name, &overrides).unwrap()
}

fn pair() -> Pair {
    Pair {
        index: 3,
        id: None,
        query: "Why is the sky blue?".to_owned(),
        response1: " Air scatters short waves most.\n".to_owned(),
        response2: "It mirrors the sea.".to_owned(),
        label: None,
        dataset: "webgpt".to_owned(),
    }
}

fn evaluate_with(
    network: &Network,
    pair: &Pair,
    model: Arc<dyn ChatModel>,
    named: BTreeMap<String, Arc<dyn ChatModel>>,
    seed: u64,
) -> Result<Evaluation, EvaluateError> {
    let panel = Panel::new(model, named);
    let setting = Setting {
        network,
        prompts: &PROMPTS,
        family: PROMPTS.family("qa").unwrap(),
        panel: &panel,
        seed,
    };
    block_on(widedeep::network::evaluate(pair, &setting))
}

/// [`pair`] through a network with one model.
fn evaluate(network: &Network, model: &Arc<Scripted>) -> Evaluation {
    try_evaluate(network, model).unwrap()
}

fn try_evaluate(network: &Network, model: &Arc<Scripted>) -> Result<Evaluation, EvaluateError> {
    evaluate_with(
        network,
        &pair(),
        Arc::clone(model) as Arc<dyn ChatModel>,
        BTreeMap::new(),
        7,
    )
}

#[expect(clippy::unnecessary_wraps, reason = "an opinion's scores are optional")]
fn scores(score1: u8, score2: u8) -> Option<ScorePair> {
    Some(ScorePair::new(score1.into(), score2.into()))
}

fn users(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(user).collect()
}

fn too_long() -> ChatError {
    ChatError::TooLong {
        prompt: 900,
        reply: 100,
        limit: 512,
    }
}

fn broken() -> ChatError {
    ChatError::Backend {
        reason: "the backend is gone".to_owned(),
    }
}
