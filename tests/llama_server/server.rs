//! The server: shared by the tests that run at the same time, killed with the last of them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::support::{default_model, llama_server::LlamaServer};

/// The key that the server wants. It must show up nowhere.
pub const KEY: &str = "sk-canary-llama-7f3a9c";
/// Samples of one request that the server can give at once.
pub const SLOTS: usize = 4;

pub struct Server(LlamaServer);

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
        self.0.address()
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address())
    }

    fn start() -> Self {
        let (model, slots) = (default_model(), SLOTS.to_string());
        let model = model.to_str().unwrap();
        let flags = [
            "--model",
            model,
            "--api-key",
            KEY,
            "--jinja",
            "--threads",
            "1",
            "--ctx-size",
            "4096",
            "--kv-unified",
            "--parallel",
            &slots,
        ];
        Self(LlamaServer::start(&flags, KEY))
    }
}
