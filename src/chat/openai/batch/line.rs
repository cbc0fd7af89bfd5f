//! Lines of output and error files: which request they are about, and what came of it.

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::super::answer::Answer;
use super::super::failure::Failure;
use super::super::retry::{Caller, word};
use super::super::watch::AttemptResult;
use crate::chat::{ReplyFault, Usage};

/// What a line says of the request that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Which request.
    pub id: String,
    /// What came of it.
    pub result: AttemptResult,
    /// Tokens, if the endpoint counted them.
    pub usage: Option<Usage>,
}

/// What is read of a line.
#[derive(Debug, Deserialize)]
struct Line {
    custom_id: String,
    #[serde(default)]
    response: Option<Response>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Response {
    status_code: u16,
    #[serde(default)]
    body: Value,
}

impl Caller {
    /// What a line says of its request; `None` if it is about none.
    pub(super) fn written(&self, line: &[u8]) -> Option<Written> {
        let line: Line = serde_json::from_slice(line).ok()?;
        let (result, usage) = self.look_into(&line);
        Some(Written {
            result: word(&result),
            usage,
            id: line.custom_id,
        })
    }

    /// The answer in a line.
    pub(super) fn open(&self, line: &[u8]) -> (Result<Answer, Failure>, Option<Usage>) {
        match serde_json::from_slice(line) {
            Ok(line) => self.look_into(&line),
            Err(error) => {
                let detail = self.transport.shown(&error.to_string());
                (Err(Failure::Garbled(ReplyFault::Malformed { detail })), None)
            }
        }
    }

    fn look_into(&self, line: &Line) -> (Result<Answer, Failure>, Option<Usage>) {
        let Some(response) = &line.response else {
            let reason = match &line.error {
                Some(error) if !error.is_null() => {
                    let (code, message) = self.transport.words(error);
                    format!("{code}: {message}")
                }
                _ => "no reason given".to_owned(),
            };
            return (Err(Failure::Undone { reason }), None);
        };
        // As it would have come over the wire.
        let body = response.body.to_string().into_bytes();
        if (200..300).contains(&response.status_code) {
            return self.read(&body);
        }
        let status = StatusCode::from_u16(response.status_code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (code, reason) = self.transport.explain(status, &body);
        (Err(Failure::of_status(status.as_u16(), code, reason, None)), None)
    }
}
