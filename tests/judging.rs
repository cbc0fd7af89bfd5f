//! A network judging on the real default model.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use widedeep::chat::{ChatModel, LocalModel};
use widedeep::llama::EngineConfig;
use widedeep::network::{Evaluation, Network, Panel, Setting, evaluate, shipped};
use widedeep::pair::{Pair, Taxonomy};
use widedeep::prompt::Prompts;

mod support;

fn local() -> LocalModel {
    LocalModel::load(&support::default_model(), "smollm2-135m", &EngineConfig::default()).unwrap()
}

async fn judge(pair: &Pair, network: &Network, model: &LocalModel) -> Evaluation {
    let prompts = Prompts::embedded();
    let family = prompts
        .family(Taxonomy::embedded().family(&pair.dataset).family)
        .unwrap();
    let run: Arc<dyn ChatModel> = Arc::new(model.clone());
    let panel = Panel::new(run, BTreeMap::new());
    evaluate(
        pair,
        &Setting {
            network,
            prompts: &prompts,
            family,
            panel: &panel,
            seed: 0,
        },
    )
    .await
    .unwrap()
}

#[tokio::test]
async fn probe() {
    let model = local();
    let mut network = Network::parse(
        shipped("widedeep").unwrap(),
        "widedeep",
        &["reply.evidence_tokens=64".into()],
    )
    .unwrap();
    let _ = &mut network;
    for pair in widedeep::pair::demo().pairs {
        let clock = std::time::Instant::now();
        let before = model.stats();
        let e = judge(&pair, &network, &model).await;
        let after = model.stats();
        println!("=== {} {:?} human {:?}", pair.index, pair.dataset, pair.label);
        println!(
            "raw roles: {:?}\nroles {:?} fallback {}",
            e.roles.raw, e.roles.roles, e.roles.fallback
        );
        for o in &e.opinions {
            println!(
                "L{} n{} {:?} {:?} {:?} {}",
                o.layer,
                o.neuron,
                o.order.name(),
                o.scores.map(|s| (s.score1.to_f64(), s.score2.to_f64())),
                o.expected.map(|s| (s.score1.to_f64(), s.score2.to_f64())),
                o.review.replace('\n', "|")
            );
        }
        println!(
            "{:?} prompt {} evaluated {} completion {} batches {}",
            clock.elapsed(),
            after.prompt - before.prompt,
            after.prompt_evaluated - before.prompt_evaluated,
            after.completion - before.completion,
            after.batches - before.batches
        );
        for s in &e.stages {
            println!("{s:?}");
        }
    }
}
