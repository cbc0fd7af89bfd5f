//! One attempt: a request sent, an answer read within bounds, every failure classified.
//!
//! async-openai is used for the types of requests only. Its client repeats failed requests by itself, where neither ledger nor limits see
//! them; its `byot` calls and a tower service of our own would mend that, but it would still read answers of any size into memory,
//! put them into its errors (with whatever key they echo), and drop the headers that say how long to wait.

use std::error::Error;
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{RequestBuilder, Response, StatusCode, Url, redirect, retry};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::config::{Endpoint, Timeouts};
use super::failure::{Awaited, Failure};
use super::{Key, SetupError, wait};
use crate::chat::ReplyFault;
use crate::fetch::download::client_builder;

/// Bytes of an error's body that are read.
const ERROR_BYTES: usize = 64 << 10;
/// Characters of it that are shown.
const SHOWN: usize = 300;
/// Time for the body of an error.
const ERROR_PATIENCE: Duration = Duration::from_secs(10);

/// The way to one endpoint.
pub(super) struct Transport {
    pub(super) client: reqwest::Client,
    url: Url,
    key: Option<Key>,
    authorization: Option<HeaderValue>,
    pub(super) timeouts: Timeouts,
    pub(super) max_reply_bytes: usize,
}

impl Transport {
    pub(super) fn new(endpoint: &Endpoint, key: Option<Key>) -> Result<Self, SetupError> {
        let mut builder = client_builder()
            .connect_timeout(endpoint.timeouts.connect)
            // A model may think for minutes before the first byte; the timeouts are ours.
            .read_timeout(endpoint.timeouts.whole)
            // A redirected POST loses its body, and the key is for the host that was named.
            .redirect(redirect::Policy::none())
            // Attempts are counted, so none may be made unseen.
            .retry(retry::never())
            .referer(false);
        if endpoint.base_url.is_loopback() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| SetupError::Client {
            why: error.without_url().to_string(),
        })?;
        if key.is_some() && endpoint.base_url.is_plain() && !endpoint.base_url.is_loopback() {
            tracing::warn!(
                place = endpoint.base_url.place(),
                "the API key is sent without encryption: use `https://` if the server has it"
            );
        }
        Ok(Self {
            client,
            url: endpoint.base_url.completions(),
            authorization: key.as_ref().and_then(Key::header),
            key,
            timeouts: endpoint.timeouts,
            max_reply_bytes: endpoint.max_reply_bytes,
        })
    }

    /// Sends a request body; gives the body of the answer if its status is a success.
    pub(super) async fn attempt(&self, body: &[u8], samples: usize) -> Result<Vec<u8>, Failure> {
        let start = Instant::now();
        let deadline = start + self.timeouts.whole;
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(body.to_vec());
        let first_byte = self.timeouts.first_byte.min(self.timeouts.whole);
        let response = self.send(request, first_byte).await?;
        let limit = self.max_reply_bytes.saturating_mul(samples.max(1));
        match timeout_at(deadline, self.body(response, limit)).await {
            Ok(body) => body,
            Err(_) => Err(Failure::TimedOut {
                waiting_for: Awaited::LastByte,
                after: self.timeouts.whole,
            }),
        }
    }

    /// Sends a request with the key, and waits that long for the answer to begin. Only a success is an answer.
    pub(super) async fn send(&self, mut request: RequestBuilder, patience: Duration) -> Result<Response, Failure> {
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let response = timeout_at(Instant::now() + patience, request.send())
            .await
            .map_err(|_| Failure::TimedOut {
                waiting_for: Awaited::FirstByte,
                after: patience,
            })?
            .map_err(|error| self.transport_failure(error))?;
        if !response.status().is_success() {
            return Err(self.status_failure(response).await);
        }
        Ok(response)
    }

    /// The body of an answer that does not say of itself that it is no JSON.
    pub(super) async fn body(&self, response: Response, limit: usize) -> Result<Vec<u8>, Failure> {
        self.check_type(response.headers())?;
        self.read(response, limit).await
    }

    /// A text from outside, fit for an error: without key and control characters, and short.
    pub(super) fn shown(&self, text: &str) -> String {
        // The key first: cutting could leave its beginning.
        let text = match &self.key {
            Some(key) => key.redact(text),
            None => text.to_owned(),
        };
        let words: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|word| !word.is_empty())
            .collect();
        let mut text = words.join(" ");
        if let Some((end, _)) = text.char_indices().nth(SHOWN) {
            text.truncate(end);
            text.push('…');
        }
        text
    }

    /// The text of a reply, with the key removed should the server have put it there.
    pub(super) fn reply_text(&self, text: String) -> String {
        match &self.key {
            Some(key) => key.redact_reply(text),
            None => text,
        }
    }

    /// A line of a file that is kept, with the key removed from it likewise.
    pub(super) fn stored(&self, line: Vec<u8>) -> Vec<u8> {
        match &self.key {
            Some(key) => key.redact_line(line),
            None => line,
        }
    }

    fn check_type(&self, headers: &HeaderMap) -> Result<(), Failure> {
        // Some small servers send none.
        let Some(value) = headers.get(CONTENT_TYPE) else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        let essence = text.split(';').next().unwrap_or_default().trim();
        if essence == "application/json" || essence.ends_with("+json") {
            return Ok(());
        }
        Err(Failure::Garbled(ReplyFault::ContentType {
            found: self.shown(essence),
        }))
    }

    async fn read(&self, mut response: Response, limit: usize) -> Result<Vec<u8>, Failure> {
        let too_large = || Failure::Garbled(ReplyFault::TooLarge { limit });
        let announced = response.content_length().unwrap_or(0);
        // Not a byte of what is known to be too large is read; a length that is not announced is met on the way.
        if usize::try_from(announced).map_or(true, |bytes| bytes > limit) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport_failure(error))? {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn status_failure(&self, response: Response) -> Failure {
        let status = response.status();
        let wait = wait::asked(response.headers(), SystemTime::now());
        if status.is_redirection() {
            let target = response.headers().get(LOCATION).map(|value| {
                let target = String::from_utf8_lossy(value.as_bytes()).into_owned();
                format!("a redirect to `{}`", self.shown(&target))
            });
            let reason = target.unwrap_or_else(|| "a redirect".into());
            return Failure::of_status(status.as_u16(), String::new(), reason, wait);
        }
        let body = timeout_at(Instant::now() + ERROR_PATIENCE, beginning(response))
            .await
            .unwrap_or_default();
        let (code, reason) = self.explain(status, &body);
        Failure::of_status(status.as_u16(), code, reason, wait)
    }

    /// Code and message in the body of an error.
    pub(super) fn explain(&self, status: StatusCode, body: &[u8]) -> (String, String) {
        let text = String::from_utf8_lossy(body);
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let (code, message) = error_in(&value);
        let message = self.shown(message.as_deref().unwrap_or(&text));
        let name = status.canonical_reason().unwrap_or("no reason given").to_owned();
        // The page of a proxy says no more than its status.
        let reason = if message.is_empty() || message.starts_with('<') {
            name
        } else {
            format!("“{message}”")
        };
        (self.shown(&code), reason)
    }

    pub(super) fn transport_failure(&self, error: reqwest::Error) -> Failure {
        let connecting = error.is_connect();
        let mut reason = String::new();
        // The outer texts ("error sending request") say nothing; the innermost says why.
        let error = error.without_url();
        let mut cause: Option<&dyn Error> = Some(&error);
        while let Some(error) = cause {
            reason = error.to_string();
            cause = error.source();
        }
        let reason = self.shown(&reason);
        if connecting {
            Failure::Unreachable { reason }
        } else {
            Failure::Broken { reason }
        }
    }

    /// Code and message of an error object, fit to be shown.
    pub(super) fn words(&self, error: &Value) -> (String, String) {
        let (code, message) = error_in(&serde_json::json!({ "error": error }));
        (self.shown(&code), self.shown(&message.unwrap_or_default()))
    }

    /// The failure that an error object in a successful answer stands for: gateways wrap their upstream's errors so.
    pub(super) fn wrapped(&self, error: &Value) -> Failure {
        let (code, message) = error_in(&serde_json::json!({ "error": error }));
        let reason = format!(
            "“{}” in an answer with HTTP 200",
            self.shown(message.as_deref().unwrap_or("an error"))
        );
        let status = code.parse().ok().filter(|code| (400..600).contains(code));
        Failure::of_status(status.unwrap_or(500), self.shown(&code), reason, None)
    }
}

/// The first bytes of a body; what cannot be read is left out.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(ERROR_BYTES - body.len())]);
        if body.len() == ERROR_BYTES {
            break;
        }
    }
    body
}

/// Code and message of `{"error": {"code": …, "type": …, "message": …}}`, `{"error": "…"}`, `{"message": …}` or `{"detail": …}`.
fn error_in(value: &Value) -> (String, Option<String>) {
    let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
    let text = |key: &str| match error.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    };
    let code = text("code").or_else(|| text("type")).unwrap_or_default();
    let message = text("message")
        .or_else(|| text("detail"))
        .or_else(|| error.as_str().map(str::to_owned));
    (code, message)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::chat::openai::KeySource;

    fn transport() -> Transport {
        let endpoint = Endpoint::new("http://127.0.0.1:1/v1".parse().unwrap(), "m", KeySource::None);
        Transport::new(&endpoint, Key::new("sk-canary-0123")).unwrap()
    }

    #[test]
    fn texts_of_errors_are_short_and_carry_neither_keys_nor_control_characters() {
        let text = format!("bad \u{1b}[31m\n\tkey {} sk-canary-0123", "x".repeat(SHOWN - 15));
        let shown = transport().shown(&text);
        assert!(
            !shown.contains("sk-") && !shown.contains('\u{1b}') && !shown.contains('\n'),
            "{shown}"
        );
        assert_eq!(shown.chars().count(), SHOWN + 1);
    }

    #[test]
    fn the_server_s_own_words_are_found_in_the_shapes_in_which_servers_put_them() {
        let words = |body: &str| transport().explain(StatusCode::BAD_REQUEST, body.as_bytes());
        let both = |code: &str, reason: &str| (code.to_owned(), reason.to_owned());
        assert_eq!(
            words(r#"{"error":{"message":"too long","type":"invalid","code":"context_length_exceeded"}}"#),
            both("context_length_exceeded", "“too long”")
        );
        assert_eq!(
            words(r#"{"error":{"message":"bad","type":"invalid","code":null}}"#),
            both("invalid", "“bad”")
        );
        assert_eq!(words(r#"{"error":"no such model"}"#), both("", "“no such model”"));
        assert_eq!(
            words(r#"{"object":"error","message":"no","code":400}"#),
            both("400", "“no”")
        );
        assert_eq!(
            words(r#"{"detail":[{"msg":"missing"}]}"#),
            both("", r#"“[{"msg":"missing"}]”"#)
        );
        assert_eq!(words("plain words"), both("", "“plain words”"));
        assert_eq!(words("<html>…"), both("", "Bad Request"));
        assert_eq!(words(""), both("", "Bad Request"));
    }

    #[test]
    fn an_error_wrapped_in_a_success_counts_as_its_own_status() {
        let wrapped = |error| transport().wrapped(&error).status();
        assert_eq!(
            wrapped(serde_json::json!({"code": 429, "message": "slow down"})),
            Some(429)
        );
        assert_eq!(wrapped(serde_json::json!({"message": "upstream"})), Some(500));
        assert_eq!(wrapped("upstream".into()), Some(500));
    }
}
