//! What is written, in llama.cpp's own server.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use widedeep::inside::edit::{Store, adapter, live, predictions, rewrite};
use widedeep::llama::Tap;

use super::support::default_model;
use super::{TEXT, folder, load, set, tap};

/// Loading the model takes a second; a busy machine may need many.
const PATIENCE: Duration = Duration::from_secs(120);

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(model: &Path, adapter: Option<&Path>, log: &Path) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let out = File::create(log).unwrap();
        let mut command = Command::new(program());
        command
            .arg("--model")
            .arg(model)
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--threads", "1", "--ctx-size", "512", "--parallel", "1"]);
        if let Some(adapter) = adapter {
            command.arg("--lora").arg(adapter);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn();
        let mut server = Self {
            child: child.unwrap(),
            address,
        };
        let begun = Instant::now();
        while server.ask("GET", "/health", "").is_none() {
            let ended = server.child.try_wait().unwrap();
            let said = || std::fs::read_to_string(log).unwrap_or_default();
            assert!(ended.is_none(), "the server ended: {}", said());
            assert!(begun.elapsed() < PATIENCE, "the server is not ready: {}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// The body of an answer 200.
    fn ask(&self, method: &str, path: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
    }

    /// Log-probabilities of the next token after the text, by token.
    fn next(&self) -> Vec<(usize, f64)> {
        let body = json!({
            "prompt": TEXT, "n_predict": 1, "temperature": 0.0, "n_probs": 10, "cache_prompt": false, "post_sampling_probs": false,
        });
        let answer = self.ask("POST", "/completion", &body.to_string()).expect("an answer");
        let start = answer.find('{').unwrap();
        let end = answer.rfind('}').unwrap();
        let answer: Value = serde_json::from_str(&answer[start..=end]).unwrap();
        let listed = answer["completion_probabilities"][0]["top_logprobs"]
            .as_array()
            .expect("log-probabilities");
        let entry = |entry: &Value| {
            let token = usize::try_from(entry["id"].as_u64().unwrap()).unwrap();
            (token, entry["logprob"].as_f64().unwrap())
        };
        listed.iter().map(entry).collect()
    }
}

fn program() -> PathBuf {
    let path = std::env::var_os("WIDEDEEP_LLAMA_SERVER")
        .map(PathBuf::from)
        .unwrap_or_default();
    assert!(
        path.is_file(),
        "the tests need llama.cpp's server at $WIDEDEEP_LLAMA_SERVER (`{}`): run `make test`, or run `scripts/llama-server.sh` and set it to \
         the path of `.tools/llama-server/llama-server`",
        path.display()
    );
    path
}

/// The most likely next tokens by ourselves.
fn expected(reading: &mut Tap<'_>) -> Vec<f64> {
    predictions(reading, TEXT, 256).unwrap().last()
}

/// How far the server's log-probabilities are from ours, over its ten likeliest tokens. Another build of llama.cpp rounds otherwise on a quantised file.
fn off(server: &[(usize, f64)], ours: &[f64]) -> f64 {
    assert_eq!(server.len(), 10);
    server
        .iter()
        .map(|&(token, log)| (log - ours[token]).abs())
        .max_by(f64::total_cmp)
        .unwrap()
}

#[test]
fn the_rewritten_file_and_the_adapter_work_in_a_stock_server() {
    let folder = folder();
    let model = default_model();
    let loaded = load(&model);
    let mut reading = tap(&loaded);
    // Strong enough to show: a sixth of the units of ten layers.
    let units = (10..20).flat_map(|layer| (0..1536).step_by(6).map(move |index| (layer, index)));
    let units = set(&units.collect::<Vec<_>>());
    let base = expected(&mut reading);
    reading.set_edits(&[live(&units, 0.0)]).unwrap();
    let edited = expected(&mut reading);
    let (file, lora) = (folder.path().join("silenced.gguf"), folder.path().join("silencer.gguf"));
    rewrite(&model, &units, 0.0, Store::AsTheyAre, &file).unwrap();
    adapter(&model, &units, 0.0, &lora).unwrap();
    let log = folder.path().join("server.log");
    let unedited = Server::start(&model, None, &log).next();
    let rewritten = Server::start(&file, None, &log).next();
    let adapted = Server::start(&model, Some(&lora), &log).next();
    assert!(off(&unedited, &base) < 0.4, "{unedited:?}");
    assert!(off(&rewritten, &edited) < 0.4, "{rewritten:?}");
    assert!(off(&adapted, &edited) < 0.4, "{adapted:?}");
    assert!(
        off(&rewritten, &base) > 0.4 && off(&adapted, &base) > 0.4,
        "the edit shows"
    );
}
