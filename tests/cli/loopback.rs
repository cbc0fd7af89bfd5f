//! A server with OpenAI's API on this machine, whose replies are a function of the request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// What the server does about a request, of which it sees the last message's text and how often that came before.
pub enum Answer {
    Reply(String),
    /// The same, charged as the most that the request can cost: a token for each byte of the prompt, and all that the reply may have.
    Dear(String),
    Error(u16, &'static str),
}

type Plan = dyn Fn(&str, usize) -> Answer + Send + Sync;

/// The server; it ends with the test's process.
pub struct Loopback {
    port: u16,
    /// Texts of the last messages, in the order of their arrival, those of the probe left out.
    arrivals: Arc<Mutex<Vec<String>>>,
    billed: Arc<Mutex<Billed>>,
}

/// What the server has charged for, those of the probe included.
#[derive(Debug, Default, Clone, Copy)]
pub struct Billed {
    pub requests: u64,
    pub prompt: u64,
    pub completion: u64,
}

impl Loopback {
    pub fn start(delay: Duration, plan: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let billed = Arc::new(Mutex::new(Billed::default()));
        let plan: Arc<Plan> = Arc::new(plan);
        std::thread::spawn({
            let (arrivals, billed) = (Arc::clone(&arrivals), Arc::clone(&billed));
            move || {
                for stream in listener.incoming() {
                    let (arrivals, billed, plan) = (Arc::clone(&arrivals), Arc::clone(&billed), Arc::clone(&plan));
                    // A client that goes away ends its connection, and nothing else.
                    std::thread::spawn(move || serve(&stream.unwrap(), delay, (&arrivals, &billed), &*plan));
                }
            }
        });
        Self { port, arrivals, billed }
    }

    /// Flags that send a run to this server.
    pub fn flags(&self) -> String {
        format!(
            "--model openai:judge --base-url http://127.0.0.1:{}/v1 --api-key-env WIDEDEEP_NO_KEY",
            self.port
        )
    }

    /// The model's name in price lists.
    pub fn name(&self) -> String {
        format!("judge@127.0.0.1:{}/v1", self.port)
    }

    pub fn billed(&self) -> Billed {
        *self.billed.lock().unwrap()
    }

    pub fn arrivals(&self) -> Vec<String> {
        self.arrivals.lock().unwrap().clone()
    }
}

fn serve(
    stream: &TcpStream,
    delay: Duration,
    (arrivals, billed): (&Mutex<Vec<String>>, &Mutex<Billed>),
    plan: &Plan,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body: Value = serde_json::from_slice(&body).ok()?;
        let text = body["messages"].as_array()?.last()?["content"].as_str()?.to_owned();
        let probe = body["messages"].as_array()?.len() == 1 && text.len() < 400;
        let before = if probe {
            0
        } else {
            let mut arrivals = arrivals.lock().unwrap();
            arrivals.push(text.clone());
            arrivals.iter().filter(|other| **other == text).count() - 1
        };
        std::thread::sleep(delay);
        let answer = plan(&text, before);
        let mut billed = billed.lock().unwrap();
        billed.requests += 1;
        let most = || {
            let bytes = |message: &Value| message["content"].as_str().map_or(0, str::len);
            let prompt: usize = body["messages"].as_array().into_iter().flatten().map(bytes).sum();
            let tokens = ["max_completion_tokens", "max_tokens"]
                .iter()
                .find_map(|name| body[*name].as_u64());
            (prompt as u64, tokens.unwrap_or(0) * body["n"].as_u64().unwrap_or(1))
        };
        let replied = match answer {
            Answer::Reply(reply) => Ok(((text.len() as u64 / 4, reply.len() as u64 / 4), reply)),
            Answer::Dear(reply) => Ok((most(), reply)),
            Answer::Error(status, message) => Err((status, json!({"error": {"message": message}}))),
        };
        let (status, answer) = match replied {
            Ok(((prompt, completion), reply)) => {
                billed.prompt += prompt;
                billed.completion += completion;
                let answer = json!({
                    "choices": [{"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": prompt, "completion_tokens": completion},
                });
                (200, answer)
            }
            Err(error) => error,
        };
        drop(billed);
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        (&*stream).write_all((head + &answer).as_bytes()).ok()?;
    }
}

/// What a judge says to a prompt: roles where it is asked for some, else scores, all of it by the prompt's letters.
pub fn judge(text: &str) -> Answer {
    if text.contains("angles of view") && !text.contains("have already written these reviews") {
        return Answer::Reply("$Accuracy&\n$Clarity&".to_owned());
    }
    let hash = text.bytes().fold(7_u64, |hash, byte| {
        hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)
    });
    let score = |shift: u32| (hash >> shift) % 10 + 1;
    Answer::Reply(format!(
        "Both were read.\nScore of Assistant 1: {}\nScore of Assistant 2: {}",
        score(20),
        score(40)
    ))
}

/// So many pairs as JSONL.
pub fn pairs(n: usize) -> String {
    let pair = |i: usize| {
        let label = ["1", "2", "tie"][i % 3];
        json!({
            "query": format!("What is {i} + {i}?"), "response1": format!("It is {}.", 2 * i),
            "response2": format!("It is {}, I think.", 2 * i + i % 3), "label": label, "dataset": "eli5",
        })
    };
    let lines: Vec<String> = (0..n).map(|i| pair(i).to_string()).collect();
    lines.join("\n") + "\n"
}
