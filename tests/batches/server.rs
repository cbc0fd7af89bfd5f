//! A server with OpenAI's chat and Batch APIs on this machine. What it replies is a function of the request, how a request gets there does not
//! matter; how its batches end, and which requests about them fail, the test says.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

/// What is said about a request.
pub enum Said {
    Reply(String),
    /// Status and message.
    Refusal(u16, String),
    /// Only in a batch: code and message of a line without a response.
    Undone(&'static str),
    /// Only in a batch: the output does not mention it.
    Nothing,
}

/// How a batch ends.
#[derive(Debug, Clone)]
pub enum Ending {
    /// When it was looked at so often.
    After(usize),
    /// At once, with only so many requests answered; the status is `expired` or `cancelled`.
    Short(&'static str, usize),
    /// Refused as a whole.
    Refused(&'static str, String),
    Never,
}

/// What happens to a request about files or batches.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    Status(u16),
    /// It is not seen to, and the connection ends.
    Cut,
    /// It is seen to, and the connection ends before the answer.
    LostAnswer,
}

/// What the server knows of a batch.
#[derive(Debug, Clone)]
pub struct Made {
    pub id: String,
    pub input: String,
    pub custom_ids: Vec<String>,
    metadata: Value,
    looks: usize,
    ending: Ending,
    status: &'static str,
    output: Option<String>,
    errors: Option<String>,
    answered: usize,
}

type Say = dyn Fn(&Value, usize) -> Said + Send + Sync;
type End = dyn Fn(usize, usize) -> Ending + Send + Sync;

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    batches: Vec<Made>,
    /// Method and path of every request, and its key.
    log: Vec<(String, String)>,
    /// By method and path, in the order in which they happen.
    faults: Vec<(String, VecDeque<Fault>)>,
    /// How often each body came.
    asked: BTreeMap<String, usize>,
}

/// The server; it ends with the test's process. Cloning it clones the handle.
#[derive(Clone)]
pub struct Server {
    port: u16,
    state: Arc<Mutex<State>>,
    say: Arc<Say>,
    end: Arc<Mutex<Box<End>>>,
}

impl Server {
    /// `say` is given a request's body and how often that came before.
    pub fn start(say: impl Fn(&Value, usize) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::default(),
            say: Arc::new(say),
            end: Arc::new(Mutex::new(Box::new(|_, _| Ending::After(1)))),
        };
        let serving = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = serving.clone();
                // A client that goes away ends its connection, and nothing else.
                std::thread::spawn(move || serving.serve(&stream.unwrap()));
            }
        });
        server
    }

    /// How batches end: given their number, from 0, and their requests.
    pub fn ending(&self, end: impl Fn(usize, usize) -> Ending + Send + Sync + 'static) -> &Self {
        *self.end.lock().unwrap() = Box::new(end);
        self
    }

    /// Lets the next requests of this method to paths that begin so fail.
    pub fn fail(&self, place: &str, faults: &[Fault]) -> &Self {
        let faults = faults.iter().copied().collect();
        self.state().faults.push((place.to_owned(), faults));
        self
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    pub fn batches(&self) -> Vec<Made> {
        self.state().batches.clone()
    }

    /// Requests of all batches, by the names that they have there.
    pub fn custom_ids(&self) -> Vec<String> {
        let batches = self.batches().into_iter();
        batches.flat_map(|batch| batch.custom_ids).collect()
    }

    /// Method and path of the requests so far that begin so.
    pub fn requests(&self, place: &str) -> usize {
        let state = self.state();
        let is_it = |(place_of, _): &&(String, String)| place_of.starts_with(place);
        state.log.iter().filter(is_it).count()
    }

    pub fn keys(&self) -> Vec<String> {
        self.state().log.iter().map(|(_, key)| key.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn serve(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let (mut place, mut key, mut length) = (String::new(), String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).ok()? == 0 {
                    return None;
                }
                let line = line.trim();
                if line.is_empty() {
                    break;
                }
                match line.split_once(':') {
                    _ if place.is_empty() => place = line.strip_suffix(" HTTP/1.1")?.replace(" /v1", " "),
                    Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                        length = value.trim().parse().ok()?;
                    }
                    Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                        value.trim().clone_into(&mut key);
                    }
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            let fault = {
                let mut state = self.state();
                state.log.push((place.clone(), key.clone()));
                let mut faults = state.faults.iter_mut();
                faults
                    .find(|(of, faults)| place.starts_with(of.as_str()) && !faults.is_empty())
                    .and_then(|(_, faults)| faults.pop_front())
            };
            let (status, answer) = match fault {
                Some(Fault::Status(status)) => {
                    let message = format!("as the test wants it, {key}");
                    (status, json!({"error": {"message": message}}).to_string())
                }
                Some(Fault::Cut) => return None,
                Some(Fault::LostAnswer) => {
                    self.answer(&place, &key, &body)?;
                    return None;
                }
                None => self.answer(&place, &key, &body)?,
            };
            let kind = if place.ends_with("/content") {
                "application/octet-stream"
            } else {
                "application/json"
            };
            let head = format!(
                "HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                answer.len()
            );
            let mut stream = stream;
            stream.write_all((head + &answer).as_bytes()).ok()?;
        }
    }

    fn answer(&self, place: &str, key: &str, body: &[u8]) -> Option<(u16, String)> {
        let (method, path) = place.split_once(' ')?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let value = || serde_json::from_slice::<Value>(body).ok();
        Some(match (method, parts.as_slice()) {
            ("POST", ["chat", "completions"]) => {
                let (status, body) = self.completion(&value()?);
                (status, body.to_string())
            }
            ("POST", ["files"]) => {
                let content = form_file(body)?;
                let mut state = self.state();
                let id = format!("file-{}", state.files.len());
                state.files.insert(id.clone(), content);
                (200, json!({"id": id, "object": "file", "purpose": "batch"}).to_string())
            }
            ("GET", ["files", id, "content"]) => match self.state().files.get(*id) {
                Some(content) => (200, String::from_utf8(content.clone()).ok()?),
                None => (404, json!({"error": {"message": "no such file"}}).to_string()),
            },
            ("POST", ["batches"]) => (200, self.create(&value()?, key)?.to_string()),
            ("GET", ["batches"]) => {
                // Newest first, two to a page.
                let state = self.state();
                let after = query.split('&').find_map(|part| part.strip_prefix("after="));
                let newest: Vec<&Made> = state.batches.iter().rev().collect();
                let from = after.map_or(0, |after| {
                    newest.iter().position(|made| made.id == after).map_or(0, |at| at + 1)
                });
                let page: Vec<Value> = newest[from..].iter().take(2).map(|made| object(made)).collect();
                let more = newest.len() > from + 2;
                (
                    200,
                    json!({"object": "list", "data": page, "has_more": more}).to_string(),
                )
            }
            ("GET", ["batches", id]) => match self.look(id, key) {
                Some(made) => (200, object(&made).to_string()),
                None => (404, json!({"error": {"message": "no such batch"}}).to_string()),
            },
            _ => (404, json!({"detail": "Not Found"}).to_string()),
        })
    }

    fn completion(&self, body: &Value) -> (u16, Value) {
        match self.said(body) {
            Said::Reply(text) => (200, reply(body, &text)),
            Said::Refusal(status, message) => (status, json!({"error": {"message": message}})),
            Said::Undone(_) | Said::Nothing => (500, json!({"error": {"message": "only in batches"}})),
        }
    }

    fn said(&self, body: &Value) -> Said {
        let before = {
            let mut state = self.state();
            let times = state.asked.entry(body.to_string()).or_default();
            *times += 1;
            *times - 1
        };
        (self.say)(body, before)
    }

    fn create(&self, body: &Value, key: &str) -> Option<Value> {
        assert_eq!(body["endpoint"], "/v1/chat/completions");
        assert_eq!(body["completion_window"], "24h");
        let input = body["input_file_id"].as_str()?.to_owned();
        let lines = lines(&self.state().files[&input]);
        let custom_ids: Vec<String> = lines
            .iter()
            .map(|line| line["custom_id"].as_str().unwrap().to_owned())
            .collect();
        let mut distinct = custom_ids.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), custom_ids.len(), "the API wants distinct names");
        let mut state = self.state();
        let number = state.batches.len();
        let ending = (self.end.lock().unwrap())(number, custom_ids.len());
        state.batches.push(Made {
            id: format!("batch_{number}"),
            input,
            custom_ids,
            metadata: body["metadata"].clone(),
            looks: 0,
            ending,
            status: "validating",
            output: None,
            errors: None,
            answered: 0,
        });
        let _ = key;
        state.batches.last().map(object)
    }

    fn look(&self, id: &str, key: &str) -> Option<Made> {
        let at = self.state().batches.iter().position(|made| made.id == id)?;
        let made = {
            let mut state = self.state();
            state.batches[at].looks += 1;
            state.batches[at].clone()
        };
        if made.status != "validating" && made.status != "in_progress" {
            return Some(made);
        }
        let (status, answered) = match &made.ending {
            Ending::After(looks) if made.looks >= *looks => ("completed", made.custom_ids.len()),
            Ending::After(_) | Ending::Never => ("in_progress", 0),
            Ending::Short(status, answered) => (*status, *answered),
            Ending::Refused(..) => ("failed", 0),
        };
        if !matches!(status, "in_progress" | "failed") {
            self.work_on(at, answered, key);
        }
        let mut state = self.state();
        state.batches[at].status = status;
        Some(state.batches[at].clone())
    }

    /// Answers a batch's first requests; the last come first in its files.
    fn work_on(&self, at: usize, answered: usize, key: &str) {
        let input = self.state().batches[at].input.clone();
        let lines = lines(&self.state().files[&input]);
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        for (nth, line) in lines.iter().enumerate() {
            let custom_id = &line["custom_id"];
            if nth >= answered {
                let error = json!({"code": "batch_expired", "message": format!("it could not be executed, {key}")});
                errors.push(json!({"id": nth, "custom_id": custom_id, "response": null, "error": error}));
                continue;
            }
            let body = &line["body"];
            let response = |status: u16, body: Value| json!({"status_code": status, "request_id": "r", "body": body});
            match self.said(body) {
                Said::Reply(text) => output.push(
                    json!({"id": nth, "custom_id": custom_id, "response": response(200, reply(body, &text)), "error": null}),
                ),
                Said::Refusal(status, message) => {
                    let body = json!({"error": {"message": message}});
                    errors.push(json!({"id": nth, "custom_id": custom_id, "response": response(status, body), "error": null}));
                }
                Said::Undone(code) => {
                    let error = json!({"code": code, "message": "the test wants it"});
                    errors.push(json!({"id": nth, "custom_id": custom_id, "response": null, "error": error}));
                }
                Said::Nothing => {}
            }
        }
        let mut state = self.state();
        let mut keep = |name: &str, lines: Vec<Value>| {
            (!lines.is_empty()).then(|| {
                let id = format!("file-{name}-{at}");
                let lines: Vec<String> = lines.iter().rev().map(ToString::to_string).collect();
                let text = lines.join("\n") + "\n";
                state.files.insert(id.clone(), text.into_bytes());
                id
            })
        };
        let count = output.len();
        let (output, errors) = (keep("output", output), keep("errors", errors));
        let made = &mut state.batches[at];
        (made.output, made.errors, made.answered) = (output, errors, count);
    }
}

fn lines(content: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(content).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn object(made: &Made) -> Value {
    let errors = match &made.ending {
        Ending::Refused(code, message) if made.status == "failed" => {
            json!({"object": "list", "data": [{"code": code, "message": message, "line": null}]})
        }
        _ => Value::Null,
    };
    json!({
        "id": made.id, "object": "batch", "endpoint": "/v1/chat/completions", "status": made.status, "errors": errors,
        "input_file_id": made.input, "output_file_id": made.output, "error_file_id": made.errors, "metadata": made.metadata,
        "request_counts": {"total": made.custom_ids.len(), "completed": made.answered, "failed": 0},
    })
}

/// Samples of a request differ.
fn reply(body: &Value, text: &str) -> Value {
    let n = body["n"].as_u64().unwrap_or(1);
    let choice =
        |i: u64| json!({"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
    let choices: Vec<Value> = (0..n).map(choice).collect();
    let prompt = body["messages"].to_string().len() / 4;
    json!({"choices": choices, "usage": {"prompt_tokens": prompt, "completion_tokens": text.len() / 4 * choices.len()}})
}

/// The file in a form.
fn form_file(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let boundary = text.lines().next()?;
    assert!(
        text.contains("name=\"purpose\"\r\n\r\nbatch\r\n"),
        "the purpose is `batch`"
    );
    let part = text.split(boundary).find(|part| part.contains("name=\"file\""))?;
    let content = part.split_once("\r\n\r\n")?.1.strip_suffix("\r\n")?;
    Some(content.as_bytes().to_vec())
}
