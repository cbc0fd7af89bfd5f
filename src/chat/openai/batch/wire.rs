//! Request files and batch objects as they go over the wire. Read by shapes of our own, as answers are.

use serde::Deserialize;
use serde_json::Value;

/// Where the requests of a file go. A path, whatever stands before it in the base URL.
const COMPLETIONS: &str = "/v1/chat/completions";
/// The key under which a batch's metadata has the tag.
const TAG: &str = "widedeep";

/// A line of a request file. `id` must need no escaping.
pub(super) fn request_line(id: &str, body: &[u8]) -> Vec<u8> {
    let mut line = format!(r#"{{"custom_id":"{id}","method":"POST","url":"{COMPLETIONS}","body":"#).into_bytes();
    line.extend_from_slice(body);
    line.extend_from_slice(b"}\n");
    line
}

/// The body that creates a batch.
pub(super) fn creation(input_file: &str, tag: &str) -> Vec<u8> {
    serde_json::json!({
        "input_file_id": input_file,
        "endpoint": COMPLETIONS,
        "completion_window": "24h",
        "metadata": { TAG: tag },
    })
    .to_string()
    .into_bytes()
}

/// A batch as the endpoint describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The endpoint's name for it.
    pub id: String,
    /// The endpoint's word for how far it is.
    pub status: String,
    /// What that word means.
    pub state: BatchState,
    /// Requests by what became of them.
    pub counts: Counts,
    /// Files with what came of the requests: replies, and errors.
    pub files: Vec<String>,
    /// Why it failed as a whole.
    pub problem: Option<String>,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    /// It is checked, worked on, or wound up.
    Working,
    /// It came to an end: by itself, by its time running out, or because somebody cancelled it. Some requests may not have been worked on.
    Ended,
    /// It was refused as a whole: no request was worked on.
    Failed,
}

/// Requests of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Counts {
    /// All.
    #[serde(default)]
    pub total: u64,
    /// Those with a reply.
    #[serde(default)]
    pub completed: u64,
    /// Those with an error.
    #[serde(default)]
    pub failed: u64,
}

/// What is read of a batch object.
#[derive(Debug, Deserialize)]
pub(super) struct Object {
    pub(super) id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    pub(super) input_file_id: Option<String>,
    #[serde(default)]
    output_file_id: Option<String>,
    #[serde(default)]
    error_file_id: Option<String>,
    #[serde(default)]
    request_counts: Option<Counts>,
    #[serde(default)]
    errors: Option<Value>,
    #[serde(default)]
    metadata: Option<Value>,
    #[serde(default)]
    pub(super) created_at: Option<u64>,
}

impl Object {
    /// The tag with which it was created.
    pub(super) fn tag(&self) -> Option<&str> {
        self.metadata.as_ref()?.get(TAG)?.as_str()
    }
}

impl From<Object> for Batch {
    fn from(object: Object) -> Self {
        let state = match object.status.as_str() {
            "completed" | "expired" | "cancelled" => BatchState::Ended,
            "failed" => BatchState::Failed,
            _ => BatchState::Working,
        };
        let files = [object.output_file_id, object.error_file_id];
        Self {
            id: object.id,
            status: object.status,
            state,
            counts: object.request_counts.unwrap_or_default(),
            files: files.into_iter().flatten().filter(|id| !id.is_empty()).collect(),
            problem: object.errors.as_ref().and_then(problem),
        }
    }
}

/// The first of a batch's errors, in words.
fn problem(errors: &Value) -> Option<String> {
    let all = errors.get("data").unwrap_or(errors);
    let first = all.get(0)?;
    let text = |key: &str| first.get(key).and_then(Value::as_str).unwrap_or_default();
    let line = first.get("line").and_then(Value::as_u64);
    let line = line.map_or(String::new(), |line| format!(", line {line}"));
    Some(format!("{}{line}: {}", text("code"), text("message")))
}

/// A page of the list of batches.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    pub(super) data: Vec<Object>,
    #[serde(default)]
    pub(super) has_more: bool,
}

/// What is read of a file object.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) id: String,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_is_json_and_ends_with_its_only_line_break() {
        let line = request_line("ab12", br#"{"model":"m"}"#);
        assert_eq!(line.split(|&byte| byte == b'\n').count(), 2, "one line, with its end");
        let value: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"custom_id": "ab12", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}})
        );
    }

    #[test]
    fn states_that_are_not_known_are_waited_for() {
        let read = |status: &str| {
            let json = format!(r#"{{"id":"b","status":"{status}","output_file_id":"o","error_file_id":null}}"#);
            Batch::from(serde_json::from_str::<Object>(&json).unwrap())
        };
        for (status, state) in [
            ("validating", BatchState::Working),
            ("in_progress", BatchState::Working),
            ("finalizing", BatchState::Working),
            ("cancelling", BatchState::Working),
            ("pondering", BatchState::Working),
            ("completed", BatchState::Ended),
            ("expired", BatchState::Ended),
            ("cancelled", BatchState::Ended),
            ("failed", BatchState::Failed),
        ] {
            assert_eq!(read(status).state, state, "{status}");
        }
        assert_eq!(read("completed").files, ["o"]);
    }

    #[test]
    fn the_first_problem_of_a_failed_batch_is_told_with_its_line() {
        let errors = serde_json::json!({"object": "list", "data": [
            {"code": "invalid_json_line", "message": "not JSON", "param": null, "line": 3}, {"code": "x", "message": "y"}]});
        assert_eq!(problem(&errors).unwrap(), "invalid_json_line, line 3: not JSON");
        assert_eq!(problem(&serde_json::json!({"data": []})), None);
    }
}
