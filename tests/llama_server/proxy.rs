//! Counts the requests that pass between the program and the server, so that neither of them has to be believed.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const REQUEST: &[u8] = b"POST /v1/chat/completions ";

pub struct Proxy {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens until the process ends.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let Ok(upstream) = TcpStream::connect(server) else {
                    continue;
                };
                let (back, forth) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || pump(client, upstream, Some(&counter)));
                std::thread::spawn(move || pump(forth, back, None));
            }
        });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Requests for a reply so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Passes on what one side says, until it has no more to say.
fn pump(mut from: TcpStream, mut to: TcpStream, counter: Option<&AtomicUsize>) {
    let mut buffer = vec![0; 64 << 10];
    // With the end of what was read before: a request line may come in two pieces.
    let mut seen: Vec<u8> = Vec::new();
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if let Some(counter) = counter {
            seen.extend_from_slice(&buffer[..read]);
            let found = seen.windows(REQUEST.len()).filter(|window| *window == REQUEST).count();
            counter.fetch_add(found, Ordering::SeqCst);
            seen.drain(..seen.len().saturating_sub(REQUEST.len() - 1));
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
