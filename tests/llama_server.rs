//! The whole API path against llama.cpp's own server, which is started for the test. It is compiled only where somebody has such a server:
//!
//! `WIDEDEEP_LLAMA_SERVER=/path/to/llama-server WIDEDEEP_TEST_MODEL=model.gguf cargo test --release --features llama-server-tests --test llama_server`
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use widedeep::chat::openai::{Endpoint, Features, KeySource};
use widedeep::chat::{ChatModel, OpenAiModel, Origin, ReplyPlan, Request, Sampling, Speaker, Turn};
use widedeep::prompt::parse::robust;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn file(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from).unwrap_or_default();
    assert!(path.is_file(), "this test needs ${variable} (`{}`)", path.display());
    path
}

/// Starts the server with a key on a free port; gives its base URL.
fn start(key: &str) -> (Server, String) {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let child = Command::new(file("WIDEDEEP_LLAMA_SERVER"))
        .arg("--model")
        .arg(file("WIDEDEEP_TEST_MODEL"))
        .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--api-key", key])
        // One thread: several wait for each other in turns, which takes minutes where other tests keep the cores busy.
        .args(["--ctx-size", "8192", "--parallel", "4", "--jinja", "--threads", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    (Server(child), format!("http://127.0.0.1:{port}/v1"))
}

fn request(seed: u64, plan: ReplyPlan) -> Request {
    Request {
        turns: vec![Turn {
            speaker: Speaker::User,
            content: "Question: What is 2 + 2?\n\nAssistant 1: 4\n\nAssistant 2: 5\n\nEvaluate both answers. End with two lines:\n\
                      Score of Assistant 1: <1 to 10>\nScore of Assistant 2: <1 to 10>"
                .into(),
        }],
        plan,
        sampling: Sampling {
            temperature: 0.7,
            top_p: 1.0,
            seed,
        },
        origin: Origin::default(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn judgements_come_from_a_real_server_in_structured_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "sk-canary-llama").unwrap();
    let (_server, url) = start("sk-canary-llama");
    let endpoint = Endpoint {
        features: Features::Probed,
        ..Endpoint::new(url.parse().unwrap(), "local", KeySource::File(path))
    };
    // While it loads the model it refuses connections, then answers 503.
    let begun = Instant::now();
    let model = loop {
        match OpenAiModel::connect(endpoint.clone()).await {
            Ok(model) => break model,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(300), "{error}"),
        }
    };
    let can = model.capabilities();
    assert!(can.structured && can.top_logprobs > 0, "{can:?}");

    let plan = ReplyPlan::Judgement { max_tokens: 300 };
    let replies = model
        .reply_all((0..4).map(|seed| request(seed, plan.clone())).collect())
        .await;
    let (mut parsed, mut prompt) = (0, 0);
    for reply in replies {
        let reply = reply.unwrap();
        assert!(reply.usage.completion > 0, "{reply:?}");
        prompt += reply.usage.prompt;
        // A small model may not come to the end of its evidence.
        if let Ok(scores) = robust::parse(&reply.text) {
            parsed += 1;
            // Vocabularies with one token per digit leave it open whether a likely `1` would have become a `10`: then there is none.
            if let [first, _] = reply.chosen.as_slice() {
                assert_eq!(scores.score1.to_string(), (first.option + 1).to_string());
                assert!((first.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }
    assert!(parsed >= 2, "{parsed} of 4 replies were complete");
    // Once, if the server gives several samples in one answer.
    assert!(prompt > 30, "{prompt}");
    let free = model
        .reply_all(vec![request(1, ReplyPlan::Free { max_tokens: 8 })])
        .await
        .remove(0)
        .unwrap();
    assert!(!free.text.starts_with('{') && free.usage.completion <= 8, "{free:?}");

    let stranger = Endpoint {
        key: KeySource::None,
        ..endpoint
    };
    let error = OpenAiModel::connect(stranger).await.unwrap_err().to_string();
    assert!(error.contains("wants an API key"), "{error}");
}
