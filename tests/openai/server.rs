//! An HTTP server on a TCP socket: unlike a mock it can cut connections, hang, and send what no library would.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
pub struct Received {
    /// The last message's text.
    pub id: String,
    /// Counts arrivals of this id, from 1.
    pub attempt: usize,
    pub body: Value,
    pub authorization: String,
}

/// What the server does about it.
pub enum Reaction {
    /// Status, headers, content type, body.
    Answer(u16, Vec<(&'static str, String)>, &'static str, Vec<u8>),
    /// The same after a while.
    Late(Duration, Box<Reaction>),
    /// Nothing, until the client goes away.
    Hang,
    /// The connection ends after the request.
    Drop,
    /// The connection ends within the body.
    CutBody,
    /// A body of so many bytes whose length is not announced.
    Endless(usize),
}

/// A well-formed reply with this text.
pub fn reply(text: &str) -> Reaction {
    json_answer(
        200,
        &json!({
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13},
        }),
    )
}

pub fn json_answer(status: u16, body: &Value) -> Reaction {
    Reaction::Answer(status, vec![], "application/json", body.to_string().into_bytes())
}

/// An error in OpenAI's shape, with headers.
pub fn error(status: u16, message: &str, headers: &[(&'static str, &str)]) -> Reaction {
    let body = json!({"error": {"message": message, "type": "some_error", "code": null}});
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    Reaction::Answer(status, headers, "application/json", body.to_string().into_bytes())
}

type Plan = dyn Fn(&Received) -> Reaction + Send + Sync;

#[derive(Default)]
struct Log {
    arrivals: BTreeMap<String, usize>,
    delivered: BTreeMap<String, usize>,
    times: Vec<Instant>,
    bodies: Vec<Value>,
    inside: usize,
    most_inside: usize,
}

pub struct FaultServer {
    address: std::net::SocketAddr,
    log: Arc<Mutex<Log>>,
}

impl FaultServer {
    pub async fn start(plan: impl Fn(&Received) -> Reaction + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let (plan, shared): (Arc<Plan>, _) = (Arc::new(plan), Arc::clone(&log));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that goes away is no error here.
                tokio::spawn(serve(stream, Arc::clone(&plan), Arc::clone(&shared)));
            }
        });
        Self { address, log }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Requests that arrived.
    pub fn requests(&self) -> usize {
        self.log.lock().unwrap().times.len()
    }

    pub fn bodies(&self) -> Vec<Value> {
        self.log.lock().unwrap().bodies.clone()
    }

    pub fn times(&self) -> Vec<Instant> {
        self.log.lock().unwrap().times.clone()
    }

    /// Successful answers that were sent completely, by id. A client may have read an answer before the server has noted that it was
    /// sent, so this waits until no request is being answered.
    pub async fn delivered(&self) -> BTreeMap<String, usize> {
        let start = Instant::now();
        loop {
            {
                let log = self.log.lock().unwrap();
                if log.inside == 0 {
                    return log.delivered.clone();
                }
                assert!(
                    start.elapsed() < Duration::from_secs(30),
                    "{} requests never ended",
                    log.inside
                );
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The most requests that were being answered at the same time.
    pub fn most_inside(&self) -> usize {
        self.log.lock().unwrap().most_inside
    }
}

async fn serve(stream: TcpStream, plan: Arc<Plan>, log: Arc<Mutex<Log>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut authorization = String::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let Some((name, value)) = line.split_once(':') else {
                if line.trim().is_empty() {
                    break;
                }
                assert_eq!(line.trim(), "POST /v1/chat/completions HTTP/1.1");
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "authorization" => value.trim().clone_into(&mut authorization),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let body: Value = serde_json::from_slice(&body).unwrap();
        let id = body["messages"]
            .as_array()
            .and_then(|messages| messages.last()?["content"].as_str())
            .unwrap()
            .to_owned();

        let attempt = {
            let mut log = log.lock().unwrap();
            log.times.push(Instant::now());
            log.bodies.push(body.clone());
            log.inside += 1;
            log.most_inside = log.most_inside.max(log.inside);
            let arrivals = log.arrivals.entry(id.clone()).or_default();
            *arrivals += 1;
            *arrivals
        };
        let received = Received {
            id,
            attempt,
            body,
            authorization,
        };
        let done = react(&mut stream, plan(&received)).await;
        let mut log = log.lock().unwrap();
        log.inside -= 1;
        match done? {
            Done::Delivered => *log.delivered.entry(received.id).or_default() += 1,
            Done::Answered => {}
            Done::Closed => return Ok(()),
        }
    }
}

enum Done {
    /// A reply that can be used was sent.
    Delivered,
    Answered,
    Closed,
}

async fn react(stream: &mut BufReader<TcpStream>, reaction: Reaction) -> std::io::Result<Done> {
    let mut reaction = reaction;
    while let Reaction::Late(after, later) = reaction {
        tokio::time::sleep(after).await;
        reaction = *later;
    }
    match reaction {
        Reaction::Answer(status, headers, content_type, body) => {
            let mut head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n",
                body.len()
            );
            for (name, value) in headers {
                write!(head, "{name}: {value}\r\n").unwrap();
            }
            head.push_str("\r\n");
            let mut bytes = head.into_bytes();
            bytes.extend_from_slice(&body);
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            let usable = status == 200
                && serde_json::from_slice::<Value>(&body)
                    .is_ok_and(|body| body["choices"][0]["message"]["content"].is_string());
            Ok(if usable { Done::Delivered } else { Done::Answered })
        }
        Reaction::Hang => {
            let mut byte = [0];
            let _ = stream.read(&mut byte).await;
            Ok(Done::Closed)
        }
        Reaction::Drop => Ok(Done::Closed),
        Reaction::CutBody => {
            stream
                .write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"choices\": [",
                )
                .await?;
            stream.flush().await?;
            Ok(Done::Closed)
        }
        Reaction::Endless(bytes) => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"x\": \"")
                .await?;
            let chunk = vec![b'x'; 1 << 16];
            for _ in 0..bytes.div_ceil(chunk.len()) {
                stream.write_all(&chunk).await?;
            }
            Ok(Done::Closed)
        }
        Reaction::Late(..) => unreachable!("unwrapped above"),
    }
}
