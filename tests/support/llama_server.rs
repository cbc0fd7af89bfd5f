//! llama.cpp's own server, started on a free port and killed when it is dropped.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Loading the model takes a second; a busy machine may need many.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server.
pub struct LlamaServer {
    child: Child,
    address: SocketAddr,
}

impl Drop for LlamaServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl LlamaServer {
    /// Starts it with these flags, and waits until the model is loaded. `secret` is kept out of what a failure prints.
    pub fn start<S: AsRef<OsStr>>(flags: &[S], secret: &str) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let mut said = String::new();
        // Another process may take the port between our looking for it and the server's.
        for _ in 0..3 {
            let started = STARTED.fetch_add(1, Ordering::Relaxed);
            let log = Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join(format!("llama-server-{}-{started}.log", std::process::id()));
            match Self::try_start(flags, &log) {
                Ok(server) => {
                    // The server has it open; nobody reads it any more.
                    let _ = std::fs::remove_file(&log);
                    return server;
                }
                Err(problem) => said = format!("{problem}; it said:\n{}", end_of(&log, secret)),
            }
        }
        panic!("{}: {said}", program().display());
    }

    fn try_start<S: AsRef<OsStr>>(flags: &[S], log: &Path) -> Result<Self, String> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let out = File::create(log).unwrap();
        let child = Command::new(program())
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn();
        let mut server = Self {
            child: child.unwrap(),
            address,
        };
        let begun = Instant::now();
        // While it loads the model it refuses connections, or answers 503.
        while server.ask("GET", "/health", "", Duration::from_secs(5)).is_none() {
            if let Some(status) = server.child.try_wait().unwrap() {
                return Err(format!("ended with {status} before it was ready"));
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("not ready after {} s", PATIENCE.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The body of an answer to a JSON request.
    pub fn post(&self, path: &str, body: &str) -> String {
        self.ask("POST", path, body, PATIENCE).expect("an answer 200")
    }

    /// The body of an answer 200.
    fn ask(&self, method: &str, path: &str, body: &str, patience: Duration) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(patience)).ok()?;
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

fn end_of(log: &Path, secret: &str) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let mut text = String::from_utf8_lossy(&text).into_owned();
    if !secret.is_empty() {
        text = text.replace(secret, "[key]");
    }
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
