//! Runs on disk: what is stored, how a run resumes, what is refused.

#![expect(clippy::unwrap_used, reason = "tests")]

mod keys;
mod recording;
mod resuming;
mod store;

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use futures::executor::block_on;
use tokio_util::sync::CancellationToken;
use widedeep::chat::{ChatError, ChatModel};
use widedeep::network::Network;
use widedeep::pair::{Pair, Taxonomy};
use widedeep::prompt::Prompts;
use widedeep::run::{Desk, Event, Judge, JudgeError, Judged, Limits, RunConfig, Store, judge};

use support::runs::network;
use support::scripted::{Kind, Scripted, judged, kind, roles, user};

static PROMPTS: LazyLock<Prompts> = LazyLock::new(Prompts::embedded);
static TAXONOMY: LazyLock<Taxonomy> = LazyLock::new(Taxonomy::embedded);

const ONE_AT_A_TIME: Limits = Limits { concurrency: 1 };

fn pairs(n: usize) -> Vec<Pair> {
    support::runs::pairs(n, &["webgpt", "summeval", "code-contests"])
}

fn config(network: Network) -> RunConfig {
    support::runs::config(Judge::Network {
        network,
        model: scripted(u64::MAX).identity().clone(),
        named: Vec::new(),
    })
}

/// The recommended network, drawing its evidence so that seeds matter.
fn widedeep() -> RunConfig {
    config(network("widedeep", &["sampling.temperature=0.8"]))
}

/// A model whose replies depend on nothing but the request, and whose backend is gone after so many calls. Its lists of roles are of
/// different lengths and now and then unreadable, and so are some of its judgements: it is asked again.
fn scripted(calls: u64) -> Scripted {
    let left = std::sync::atomic::AtomicU64::new(calls);
    Scripted::free(move |asked| {
        use std::sync::atomic::Ordering::SeqCst;
        let counted = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        if counted.is_err() {
            return Err(ChatError::Backend {
                reason: "the backend is gone".to_owned(),
            });
        }
        let hash = user(asked.request)
            .bytes()
            .fold(asked.request.sampling.seed, |hash, byte| {
                hash.wrapping_mul(0x0100_0000_01b3).wrapping_add(u64::from(byte))
            })
            >> 20;
        let score = |shift: u64| u8::try_from((hash >> shift) % 10 + 1).unwrap();
        Ok(match kind(asked.request) {
            Kind::Roles if hash.is_multiple_of(4) => support::scripted::text("None comes to mind."),
            // `code` closes angles with another sign than the rest.
            Kind::Roles if user(asked.request).contains('@') => support::scripted::text("$Correctness@ $Speed@"),
            Kind::Roles => roles(&["Accuracy", "Depth", "Tone"][..=usize::try_from(hash % 3).unwrap()]),
            Kind::Judge | Kind::Deeper if hash.is_multiple_of(5) => support::scripted::text("Assistant 1 it is."),
            Kind::Judge | Kind::Deeper => judged(asked.request, &format!("Reason {hash}."), score(8), score(16)),
        })
    })
}

/// Goes on with the run in `folder`.
fn run(
    folder: &Path,
    config: &RunConfig,
    pairs: &[Pair],
    model: &Arc<Scripted>,
    limits: Limits,
) -> Result<Vec<Judged>, JudgeError> {
    let store = Arc::new(Store::start(folder, config, pairs).unwrap());
    judge_all(
        &store,
        Arc::clone(model) as Arc<dyn ChatModel>,
        limits,
        &CancellationToken::new(),
        &mut |_| {},
    )?;
    Ok(store.judged().unwrap())
}

fn judge_all(
    store: &Arc<Store>,
    model: Arc<dyn ChatModel>,
    limits: Limits,
    stop: &CancellationToken,
    listen: &mut (dyn FnMut(&Event<'_>) + Send),
) -> Result<(), JudgeError> {
    let models: BTreeMap<String, Arc<dyn ChatModel>> = [("scripted".to_owned(), model)].into();
    let meter = Arc::default();
    let desk = Desk {
        store,
        models: &models,
        prompts: &PROMPTS,
        taxonomy: &TAXONOMY,
        meter: &meter,
        cache: None,
        limits,
    };
    block_on(judge(&desk, stop, listen))
}

/// What a run decided, without the clock.
fn timeless(judged: &[Judged]) -> Vec<Judged> {
    let mut judged = judged.to_vec();
    for stage in judged
        .iter_mut()
        .filter_map(|judged| judged.evaluation.as_mut())
        .flat_map(|evaluation| &mut evaluation.stages)
    {
        stage.seconds = 0.0;
    }
    judged
}
