//! What the engine evaluates once and what anew: counts, which do not depend on the machine, and the models whose cache is special.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use widedeep::chat::{ChatError, ChatModel, Fit, Identity, LocalModel, Reply, Request, Steering};
use widedeep::llama::{Completion, Engine, EngineConfig, Job, Model, Sampling, Sharing, Step, Threads};
use widedeep::network::{Network, Panel, Setting};
use widedeep::pair::Pair;
use widedeep::prompt::Prompts;

mod support;

use support::engine::{ask, generate, scores, story};
use support::tiny::Tiny;

fn config(parallel: usize, context: usize) -> EngineConfig {
    EngineConfig {
        parallel,
        context: Some(context),
        threads: Threads::Fixed(2.try_into().unwrap()),
        ..EngineConfig::default()
    }
}

fn start(config: &EngineConfig) -> Engine {
    Engine::start(Model::load(&support::default_model(), 0).unwrap(), config).unwrap()
}

fn job(engine: &Engine, text: &str, steps: &[Step]) -> Job {
    let model = engine.model();
    engine.job(
        model.prompt(&ask(text)).unwrap(),
        model.script(steps),
        Sampling::greedy(),
        0,
    )
}

async fn run(engine: &Engine, jobs: Vec<Job>) -> Vec<Completion> {
    engine.submit(jobs).await.into_iter().map(Result::unwrap).collect()
}

/// A model that writes down what it is asked.
struct Recorder {
    inner: LocalModel,
    asked: Mutex<Vec<Vec<widedeep::llama::Turn>>>,
}

impl ChatModel for Recorder {
    fn identity(&self) -> &Identity {
        self.inner.identity()
    }

    fn steering(&self) -> Steering {
        self.inner.steering()
    }

    fn fit(&self, request: &Request) -> Option<Fit> {
        self.inner.fit(request)
    }

    fn reply_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Result<Reply, ChatError>>> {
        let turns = requests.iter().map(|request| request.turns.clone());
        self.asked.lock().unwrap().extend(turns);
        self.inner.reply_all(requests)
    }
}

/// Tokens of the tree that these prompts make: what has to be evaluated if nothing is evaluated twice.
fn tree_tokens(model: &Model, conversations: &[Vec<widedeep::llama::Turn>]) -> usize {
    let mut prefixes = std::collections::HashSet::new();
    for turns in conversations {
        let prompt: Vec<i32> = model.prompt(turns).unwrap().iter().map(|token| token.0).collect();
        prefixes.extend((1..=prompt.len()).map(|length| prompt[..length].to_vec()));
    }
    prefixes.len()
}

#[tokio::test]
async fn a_network_of_two_layers_evaluates_little_more_than_the_tree_of_its_prompts() {
    let model = Model::load(&support::default_model(), 0).unwrap();
    let inner = LocalModel::load(&support::default_model(), "smollm2-135m", &config(24, 8192)).unwrap();
    let recorder = Arc::new(Recorder {
        inner,
        asked: Mutex::default(),
    });
    let overrides = ["layers=2", "reply.evidence_tokens=32"].map(str::to_owned);
    let network = Network::parse(widedeep::network::shipped("widedeep").unwrap(), "widedeep", &overrides).unwrap();
    let prompts = Prompts::embedded();
    let panel = Panel::new(Arc::clone(&recorder) as Arc<dyn ChatModel>, BTreeMap::new());
    let setting = Setting {
        network: &network,
        prompts: &prompts,
        family: prompts.family("qa").unwrap(),
        panel: &panel,
        seed: 1,
    };
    let pair = Pair {
        index: 0,
        id: None,
        query: "What did the fox do, and why?".to_owned(),
        response1: story(1),
        response2: story(2),
        label: None,
        dataset: "webgpt".to_owned(),
    };
    let evaluation = widedeep::network::evaluate(&pair, &setting).await.unwrap();
    assert!(evaluation.opinions.iter().any(|opinion| opinion.layer == 1));
    let asked = recorder.asked.lock().unwrap().clone();
    assert!(asked.len() >= 8, "{} calls", asked.len());
    let (stats, tree) = (recorder.inner.stats(), tree_tokens(&model, &asked));
    assert_eq!(stats.prompt, stats.prompt_shared + stats.prompt_evaluated);
    assert!(
        stats.prompt_evaluated as f64 <= 1.1 * tree as f64,
        "{} tokens evaluated of {}; the tree has {tree}",
        stats.prompt_evaluated,
        stats.prompt
    );
    assert!(
        stats.prompt as f64 > 3.0 * tree as f64,
        "the calls have much in common: {stats:?} over a tree of {tree}"
    );
}

#[tokio::test]
async fn two_beginnings_that_do_not_fit_together_are_evaluated_once_each() {
    // Room for one story with all its endings; the jobs ask for either by turns.
    let engine = start(&config(8, 1024));
    let stories = [1, 2].map(|n| story(n).chars().take(2800).collect::<String>());
    let texts: Vec<String> = (0..12)
        .map(|i| format!("{}\nAs judge number {i}: what is your view?", stories[i % 2]))
        .collect();
    let conversations: Vec<_> = texts.iter().map(|text| ask(text)).collect();
    let length = engine.model().prompt(&conversations[0]).unwrap().len();
    assert!((520..900).contains(&length), "{length}");
    let tree = tree_tokens(engine.model(), &conversations);
    let jobs = texts
        .iter()
        .map(|text| job(&engine, text, &[generate(2, &[])]))
        .collect();
    run(&engine, jobs).await;
    let stats = engine.stats();
    assert!(
        stats.prompt_evaluated as f64 <= 1.1 * tree as f64,
        "{} tokens evaluated; the tree has {tree}",
        stats.prompt_evaluated
    );
}

#[tokio::test]
async fn a_layer_of_eight_evaluates_its_prefix_once() {
    let engine = start(&config(8, 4096));
    let body = story(1);
    let texts: Vec<String> = (0..8)
        .map(|i| format!("{body}\nAs judge number {i}: what is your view of it, in a word or two?"))
        .collect();
    let prompts: Vec<_> = texts
        .iter()
        .map(|text| engine.model().prompt(&ask(text)).unwrap())
        .collect();
    // P: what all eight have in common; S: the longest rest.
    let prefix = (0..prompts[0].len())
        .take_while(|&i| prompts.iter().all(|prompt| prompt[i] == prompts[0][i]))
        .count();
    let suffix = prompts.iter().map(Vec::len).max().unwrap() - prefix;
    let jobs = texts
        .iter()
        .map(|text| job(&engine, text, &[generate(2, &[])]))
        .collect();
    run(&engine, jobs).await;
    let stats = engine.stats();
    let bound = 1.1 * (prefix + 8 * suffix) as f64;
    assert!(prefix > 10 * suffix, "a prefix of {prefix}, suffixes of {suffix}");
    assert!(
        stats.prompt_evaluated as f64 <= bound,
        "{} of {} evaluated, bound {bound}",
        stats.prompt_evaluated,
        stats.prompt
    );
}

#[tokio::test]
async fn when_the_cache_is_full_ends_go_and_what_they_had_in_common_stays() {
    // A story of about 700 tokens with different ends of about 170; 1,400 cells hold it with the ends of three.
    let engine = start(&config(1, 1400));
    let body = story(1);
    let with_end = |n: usize| {
        let end: String = story(100 + n).chars().take(500).collect();
        format!("{body}{end}")
    };
    let length = engine.model().prompt(&ask(&body)).unwrap().len() as u64;
    for n in 0..6 {
        run(&engine, vec![job(&engine, &with_end(n), &[generate(2, &[])])]).await;
    }
    let stats = engine.stats();
    assert!(stats.prompt > 1400 + 5 * length, "more than the cache holds: {stats:?}");
    assert!(
        stats.prompt_shared >= 5 * (length - 20),
        "the story of {length} tokens was evaluated once: {stats:?}"
    );
    // The last end is still there, the first is not.
    run(&engine, vec![job(&engine, &with_end(5), &[generate(2, &[])])]).await;
    let last = engine.stats().prompt_evaluated - stats.prompt_evaluated;
    assert_eq!(last, 1, "all but the token whose logits are read");
    let before = engine.stats().prompt_evaluated;
    run(&engine, vec![job(&engine, &with_end(0), &[generate(2, &[])])]).await;
    assert!(engine.stats().prompt_evaluated - before > 50);
}

#[tokio::test]
async fn who_writes_goes_on_while_a_long_prompt_is_read() {
    let engine = start(&EngineConfig {
        batch: 128,
        ..config(4, 4096)
    });
    let long: String = (0..3).map(story).collect();
    let long_tokens = engine.model().prompt(&ask(&long)).unwrap().len() as u64;
    let short = job(&engine, "Tell a story of a fox.", &[generate(6, &[])]);
    let long = job(&engine, &long, &[generate(2, &[])]);
    assert!(long_tokens > 12 * 128, "{long_tokens}");
    let reading = {
        let engine = engine.clone();
        tokio::spawn(async move { run(&engine, vec![long]).await })
    };
    while engine.stats().batches == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    run(&engine, vec![short]).await;
    let stats = engine.stats();
    assert!(
        stats.prompt_evaluated < long_tokens,
        "the short reply was done before the long prompt: {stats:?}"
    );
    assert_eq!(reading.await.unwrap().len(), 1, "and the prompt was read to its end");
}

#[tokio::test]
async fn a_long_prompt_is_read_while_others_write() {
    let engine = start(&EngineConfig {
        batch: 128,
        ..config(6, 4096)
    });
    let mut jobs: Vec<Job> = (0..5)
        .map(|i| job(&engine, &format!("Story {i}, please."), &[generate(40, &[])]))
        .collect();
    jobs.push(job(&engine, &story(1), &[generate(2, &[])]));
    let replies = run(&engine, jobs).await;
    let written = replies.iter().map(|reply| reply.usage.completion).max().unwrap();
    // Were the prompt to wait until all have written, its chunks would need batches of their own.
    assert!(
        engine.stats().batches <= written + 4,
        "{written} tokens in {} batches",
        engine.stats().batches
    );
}

/// A model's file in a folder of its own.
fn tiny(model: &Tiny, name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    model.write(&path, &support::default_model());
    (folder, path)
}

/// Six conversations over two stories of several hundred tokens, each with a choice and free text that is partly taken back.
async fn conversations(path: &std::path::Path, sharing: Sharing) -> (Vec<Completion>, Engine) {
    let config = EngineConfig {
        sharing,
        ..config(6, 4096)
    };
    let engine = Engine::start(Model::load(path, 0).unwrap(), &config).unwrap();
    let steps = [
        Step::Force("Score: ".into()),
        scores(),
        generate(6, &["e", "a"]),
        Step::Force("\nAgain: ".into()),
        scores(),
    ];
    let jobs = (0..6)
        .map(|i| {
            let text: String = story(i / 3).chars().take(900).collect();
            job(&engine, &format!("{text} And now number {i}."), &steps)
        })
        .collect();
    (run(&engine, jobs).await, engine)
}

/// Largest difference between the distributions of two lists of replies.
fn distance(a: &[Completion], b: &[Completion]) -> f64 {
    let chosen = |replies: &[Completion]| -> Vec<f64> {
        let chosen = replies.iter().flat_map(|reply| &reply.chosen);
        chosen.flat_map(|chosen| chosen.probabilities.clone()).collect()
    };
    let (a, b) = (chosen(a), chosen(b));
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(&b).map(|(x, y)| (x - y).abs());
    differences.max_by(f64::total_cmp).unwrap()
}

#[tokio::test]
async fn a_sliding_window_model_shares_prefixes_that_are_longer_than_its_window() {
    let (_folder, path) = tiny(&Tiny::gemma3(32), "gemma3.gguf");
    let (alone, unshared) = conversations(&path, Sharing::Nothing).await;
    let (together, shared) = conversations(&path, Sharing::Prefixes).await;
    assert_eq!(unshared.stats().prompt_shared, 0);
    let stats = shared.stats();
    assert!(stats.prompt_shared > 4 * 200, "far beyond the window of 32: {stats:?}");
    // The cache rounds to 16 bits, and batches of another shape sum in another order: measured 0.0005. Another prompt is 0.1 away.
    let (same, other) = (distance(&alone, &together), distance(&alone[..1], &alone[1..2]));
    assert!(
        same < 0.003 && other > 0.03,
        "{same} for the same prompt, {other} for another"
    );
    let texts = |replies: &[Completion]| replies.iter().map(|reply| reply.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&alone), texts(&together));
}

#[tokio::test]
async fn a_recurrent_model_evaluates_every_prompt_for_itself() {
    let (_folder, path) = tiny(&Tiny::mamba(), "mamba.gguf");
    let (together, engine) = conversations(&path, Sharing::Prefixes).await;
    assert_eq!(engine.stats().prompt_shared, 0);
    let single = Engine::start(Model::load(&path, 0).unwrap(), &config(1, 4096)).unwrap();
    let steps = [Step::Force("Score: ".into()), scores()];
    let mut alone = Vec::new();
    for i in 0..6 {
        let text: String = story(i / 3).chars().take(900).collect();
        let job = job(&single, &format!("{text} And now number {i}."), &steps);
        alone.extend(run(&single, vec![job]).await);
    }
    let first = together.iter().map(|reply| Completion {
        chosen: reply.chosen[..1].to_vec(),
        ..reply.clone()
    });
    let first: Vec<_> = first.collect();
    let (same, other) = (distance(&alone, &first), distance(&alone[..1], &alone[1..2]));
    assert!(
        same < 1e-5 && other > 0.03,
        "{same} for the same prompt, {other} for another"
    );
}
