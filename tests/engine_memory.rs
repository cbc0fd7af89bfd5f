//! The memory plan against what the process really takes: alone in its process, so that nothing else allocates meanwhile.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "tests")]

use widedeep::llama::{Engine, EngineConfig, MemoryPlan, Model, Sampling, Speaker, Step, Turn};

mod support;

fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn an_engine_takes_what_its_plan_says() {
    let model = Model::load(&support::default_model(), 0).unwrap();
    let config = EngineConfig {
        context: Some(8192),
        ..EngineConfig::default()
    };
    let plan = MemoryPlan::new(&model, &config);
    let before = anonymous_bytes();
    let engine = Engine::start(model, &config).unwrap();
    let turn = Turn {
        speaker: Speaker::User,
        content: "The fox went on. ".repeat(120),
    };
    let steps = [Step::Generate {
        max_tokens: 4,
        stop: Vec::new(),
    }];
    let prompt = engine.model().prompt(&[turn]).unwrap();
    let job = engine.job(prompt, engine.model().script(&steps), Sampling::greedy(), 0);
    engine.submit(vec![job]).await.remove(0).unwrap();
    let taken = anonymous_bytes().saturating_sub(before);
    // The cache is zeroed at once. Of the working memory, logits of sequences that are not there stay untouched.
    assert!(taken >= plan.cache, "{taken} bytes against {plan}");
    let most = plan.cache + plan.compute + (16 << 20);
    assert!(taken <= most, "{taken} bytes against {plan}");
}
