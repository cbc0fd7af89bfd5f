//! llama-server as a model that follows scaffolds: what a network costs over the best server of the same llama.cpp.
//!
//! Calls go to its own `/completion`, which takes tokens, so that both sides evaluate the same prompts and write as much: a scaffold is one
//! request per stretch of free text and one per choice, each going on from what a slot holds already. The server chooses the slot by the longest common
//! prefix: giving every call the slot where its order was before made it evaluate three times as many tokens.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::json;
use widedeep::chat::{ChatError, ChatModel, Chosen, Fit, Identity, Reply, ReplyPlan, Request, Steering, Step, Usage};
use widedeep::llama::Model;

use super::setting::Setting;

/// Calls of a layer: 4 roles in 2 orders.
pub const SLOTS: usize = 8;

/// Cells of the server's cache, an eighth for each slot. Cells that are not in use cost it memory alone.
const CELLS: &str = "32768";

/// A running llama-server, and the vocabulary of its model.
pub struct Server {
    child: Child,
    url: String,
    client: reqwest::Client,
    model: Arc<Model>,
    identity: Identity,
    evaluated: AtomicU64,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The part of an answer that is read.
#[derive(Debug, Deserialize)]
struct Answer {
    content: String,
    #[serde(default)]
    tokens: Vec<i32>,
    timings: Timings,
}

#[derive(Debug, Deserialize)]
struct Timings {
    prompt_n: u64,
}

impl Server {
    /// Starts it with what serves this load best: a slot for each call of a layer with a part of the cache, prompts kept and reused. With one unified
    /// cache it took 1.20 and 1.21 times as long as one call at a time without sharing on pairs 2225 and 2512, with parts 0.83 and 1.14 times
    /// (`whole --repeats 1` with `--unified-cache` and without, SmolLM2-135M, two cores, 2026-11-28).
    pub fn start(setting: &Setting) -> anyhow::Result<Self> {
        let Setting {
            tools,
            model: path,
            model_name: name,
            ..
        } = setting;
        // A second server finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let program = tools.join("llama-server");
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let threads = setting.threads.to_string();
        let cache = if setting.unified_cache {
            "--kv-unified"
        } else {
            "--no-kv-unified"
        };
        let child = Command::new(&program)
            .arg("--model")
            .arg(path)
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--threads", &threads, "--threads-batch", &threads])
            .args(["--parallel", &SLOTS.to_string(), cache, "--ctx-size", CELLS])
            .args(["--batch-size", "512", "--ubatch-size", "512", "--cache-reuse", "64"])
            .args(["--no-webui", "--log-disable"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| {
                format!(
                    "failed to start `{}`: run benchmarks/engine/tools.sh",
                    program.display()
                )
            })?;
        let server = Self {
            child,
            url: format!("http://{address}"),
            client: reqwest::Client::new(),
            model: Model::load(path, 0)?,
            identity: Identity {
                name: name.clone(),
                digest: String::new(),
            },
            evaluated: AtomicU64::new(0),
        };
        let begun = Instant::now();
        let health = format!("{}/health", server.url);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        while !runtime
            .block_on(async { Ok::<_, reqwest::Error>(server.client.get(&health).send().await?.status().is_success()) })
            .unwrap_or(false)
        {
            anyhow::ensure!(
                begun.elapsed() < Duration::from_secs(120),
                "llama-server is not ready after two minutes"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// Prompt tokens that the server has evaluated so far, text that calls went on from included.
    pub fn evaluated(&self) -> u64 {
        self.evaluated.load(Relaxed)
    }

    async fn complete(&self, mut body: serde_json::Value) -> anyhow::Result<Answer> {
        body["cache_prompt"] = json!(true);
        body["temperature"] = json!(0);
        body["top_k"] = json!(1);
        body["samplers"] = json!(["top_k"]);
        body["return_tokens"] = json!(true);
        let request = self.client.post(format!("{}/completion", self.url));
        let request = request
            .header("Content-Type", "application/json")
            .body(body.to_string());
        let answer = request.send().await?;
        let status = answer.status();
        let answer = answer.bytes().await?;
        anyhow::ensure!(
            status.is_success(),
            "llama-server: {status}: {}",
            String::from_utf8_lossy(&answer)
        );
        let answer: Answer = serde_json::from_slice(&answer)?;
        self.evaluated.fetch_add(answer.timings.prompt_n, Relaxed);
        Ok(answer)
    }

    async fn follow(&self, request: &Request) -> anyhow::Result<Reply> {
        let ReplyPlan::Scaffold(steps) = &request.plan else {
            anyhow::bail!("the benchmark's network has scaffolds");
        };
        let mut tokens: Vec<i32> = self.model.prompt(&request.turns)?.iter().map(|token| token.0).collect();
        let prompt = tokens.len();
        let mut text = String::new();
        let mut chosen = Vec::new();
        for step in steps {
            match step {
                Step::Force(forced) => {
                    tokens.extend(self.plain(forced));
                    text += forced;
                }
                Step::Generate { max_tokens, stop } => {
                    let body = json!({ "prompt": &tokens, "n_predict": max_tokens, "stop": stop });
                    let answer = self.complete(body).await?;
                    tokens.extend(self.within(&answer));
                    text += &answer.content;
                }
                Step::Choose(options) => {
                    // Longer options first: where `1` and `10` fork, the grammar leaves both open.
                    let grammar: Vec<String> = options.iter().rev().map(|option| json!(option).to_string()).collect();
                    let body = json!({ "prompt": &tokens, "n_predict": 4, "grammar": format!("root ::= {}", grammar.join(" | ")) });
                    let answer = self.complete(body).await?;
                    let option = options.iter().position(|option| *option == answer.content);
                    let option = option.with_context(|| format!("the server chose `{}`", answer.content))?;
                    tokens.extend(self.within(&answer));
                    text += &answer.content;
                    let mut probabilities = vec![0.0; options.len()];
                    probabilities[option] = 1.0;
                    chosen.push(Chosen {
                        option,
                        probabilities,
                        mass: 1.0,
                    });
                }
            }
        }
        let usage = Usage {
            prompt: prompt as u64,
            cached_prompt: 0,
            completion: (tokens.len() - prompt) as u64,
        };
        Ok(Reply {
            text,
            chosen,
            stopped: Vec::new(),
            usage,
        })
    }

    /// The tokens of a stretch of the reply.
    fn plain(&self, text: &str) -> Vec<i32> {
        let begins = self.model.tokens("").len();
        self.model
            .tokens(text)
            .iter()
            .skip(begins)
            .map(|token| token.0)
            .collect()
    }

    /// The tokens that made the content; those of a stop are not among them.
    fn within(&self, answer: &Answer) -> Vec<i32> {
        let mut length = 0;
        let inside = |&&token: &&i32| {
            length += self.model.bytes(llama_cpp_2::token::LlamaToken(token)).len();
            length <= answer.content.len()
        };
        answer.tokens.iter().take_while(inside).copied().collect()
    }
}

impl ChatModel for Server {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn steering(&self) -> Steering {
        Steering::Scaffold
    }

    fn fit(&self, _: &Request) -> Option<Fit> {
        None
    }

    fn reply_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Result<Reply, ChatError>>> {
        Box::pin(async move {
            let calls = requests.iter().map(|request| self.follow(request));
            let replies = futures::future::join_all(calls).await;
            replies
                .into_iter()
                .map(|reply| {
                    reply.map_err(|error| ChatError::Backend {
                        reason: format!("{error:#}"),
                    })
                })
                .collect()
        })
    }
}
