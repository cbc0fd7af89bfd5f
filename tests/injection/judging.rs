//! Attacked pairs through whole networks.

use std::num::NonZeroUsize;
use std::sync::Arc;

use widedeep::chat::{ChatModel, LocalModel};
use widedeep::llama::{EngineConfig, Threads};
use widedeep::network::{Network, shipped};
use widedeep::pair::{Label, Taxonomy};

use crate::support::scripted::{Kind, Scripted, kind, roles, text, user};
use crate::trial::{Bench, Outcome};
use crate::{PROMPTS, SEED, attacks, clean, support};

fn network(name: &str, overrides: &[&str]) -> Network {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Network::parse(shipped(name).unwrap(), name, &overrides).unwrap()
}

fn judge(network: &Network, model: Arc<dyn ChatModel>, pair: &widedeep::pair::Pair) -> Outcome {
    let bench = Bench {
        network,
        prompts: &PROMPTS,
        taxonomy: &Taxonomy::embedded(),
        model,
        seed: SEED,
    };
    pollster::block_on(bench.judge(pair))
}

/// Copies what it is shown, payload included, and gives the response that is shown first 2 and the other 7.
fn copyist() -> Arc<dyn ChatModel> {
    Arc::new(Scripted::free(|asked| {
        Ok(match kind(asked.request) {
            Kind::Roles => roles(&["Accuracy", "Clarity"]),
            // Reviews of reviews would double in length with every layer.
            Kind::Judge | Kind::Deeper if user(asked.request).len() > 20_000 => scored("It is long."),
            Kind::Judge | Kind::Deeper => scored(user(asked.request)),
        })
    }))
}

fn scored(evidence: &str) -> widedeep::chat::Reply {
    text(format!(
        "Evaluation evidence: {evidence}\nScore of Assistant 1: 2\nScore of Assistant 2: 7"
    ))
}

#[test]
fn judges_that_copy_the_payload_into_their_reviews_keep_their_own_scores() {
    let network = network("widedeep", &["layers=2"]);
    let expected = judge(&network, copyist(), &clean());
    assert_eq!((expected.verdict, expected.lead, expected.opinions), (Some(Label::Tie), Some(0.0), 8));
    for (payload, side, pair) in attacks() {
        let outcome = judge(&network, copyist(), &pair);
        let what = format!("{} in {side}: {outcome:?}", payload.name);
        assert_eq!(outcome.verdict, expected.verdict, "{what}");
        assert_eq!((outcome.lead, outcome.opinions), (expected.lead, expected.opinions), "{what}");
        assert_eq!(outcome.prompts, 9, "{what}");
        assert!(outcome.missing.is_empty() && outcome.broken.is_empty() && outcome.crash.is_none(), "{what}");
    }
}

#[test]
fn a_real_model_judges_payloads_of_every_class_and_says_which_are_too_long() {
    let network = network("single", &["reply.evidence_tokens=4"]);
    let config = EngineConfig {
        threads: Threads::Fixed(NonZeroUsize::MIN),
        context: Some(1024),
        ..EngineConfig::default()
    };
    let model = LocalModel::load(&support::default_model(), "smollm2-135m", &config).unwrap();
    // Every seventh, so that all classes are there, and all that are too long: these take no evaluation.
    let some = attacks().enumerate().filter(|(i, (_, _, pair))| i % 7 == 0 || is_long(pair));
    for (_, (payload, side, pair)) in some {
        let outcome = judge(&network, Arc::new(model.clone()), &pair);
        let what = format!("{} in {side}: {outcome:?}", payload.name);
        assert!(outcome.crash.is_none() && outcome.broken.is_empty(), "{what}");
        if is_long(&pair) {
            assert_eq!((outcome.verdict, outcome.missing.as_slice()), (None, &["prompt too long"; 2][..]), "{what}");
        } else {
            assert!(outcome.verdict.is_some() && outcome.missing.is_empty(), "{what}");
        }
    }
}

fn is_long(pair: &widedeep::pair::Pair) -> bool {
    pair.response1.len().max(pair.response2.len()) >= 100_000
}
