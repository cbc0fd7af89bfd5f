//! The server: started on a free port, shared by the tests that run at the same time, killed with the last of them.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::support::default_model;

/// The key that the server wants. It must show up nowhere.
pub const KEY: &str = "sk-canary-llama-7f3a9c";
/// Samples of one request that the server can give at once.
pub const SLOTS: usize = 4;

/// Loading the model takes a second; a busy machine may need many.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Server {
    child: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The running server, or a new one.
pub fn server() -> Arc<Server> {
    static RUNNING: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = running.upgrade() {
        return server;
    }
    let server = Arc::new(Server::start());
    *running = Arc::downgrade(&server);
    server
}

impl Server {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    fn start() -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let mut said = String::new();
        // Another process may take the port between our looking for it and the server's.
        for _ in 0..3 {
            let started = STARTED.fetch_add(1, Ordering::Relaxed);
            let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("llama-server-{started}.log"));
            match Self::try_start(&log) {
                Ok(server) => return server,
                Err(problem) => said = format!("{problem}; it said:\n{}", end_of(&log)),
            }
        }
        panic!("{}: {said}", program().display());
    }

    fn try_start(log: &Path) -> Result<Self, String> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let out = File::create(log).unwrap();
        let child = Command::new(program())
            .arg("--model")
            .arg(default_model())
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--api-key", KEY, "--jinja", "--threads", "1"])
            .args(["--ctx-size", "4096", "--kv-unified", "--parallel", &SLOTS.to_string()])
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn();
        let mut server = Self {
            child: child.unwrap(),
            address,
        };
        let begun = Instant::now();
        while !server.is_ready() {
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

    /// While it loads the model it refuses connections, or answers 503.
    fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address) else {
            return false;
        };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let host = self.address;
        let asked = write!(
            stream,
            "GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        );
        let mut answer = String::new();
        asked.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && answer.starts_with("HTTP/1.1 200")
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

fn end_of(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).replace(KEY, "[key]");
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
