//! How an attempt can fail, and what follows from it.

use std::fmt;
use std::time::Duration;

use crate::chat::{ChatError, ReplyFault};

/// An attempt without a reply. Texts carry no key and are short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection was made.
    Unreachable { reason: String },
    /// The connection broke.
    Broken { reason: String },
    /// Nothing, or not all, came in time.
    TimedOut { waiting_for: Awaited, after: Duration },
    /// 429: too many requests.
    Busy { wait: Option<Duration>, reason: String },
    /// 408, 409 and 5xx: the same request may succeed later.
    Server {
        status: u16,
        wait: Option<Duration>,
        reason: String,
    },
    /// Other statuses: the same request would fail again.
    Rejected { status: u16, code: String, reason: String },
    /// An answer that is no reply.
    Garbled(ReplyFault),
    /// A batch ended without having worked on it.
    Undone { reason: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    FirstByte,
    LastByte,
}

/// Whether it makes sense to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Yes, a number of times.
    Counted,
    /// Yes: the server is alive and only wants time.
    Patiently,
    /// No.
    Never,
}

impl Failure {
    /// The failure that an HTTP status stands for. `code` is the `code` or `type` of the error in its body.
    pub(super) fn of_status(status: u16, code: String, reason: String, wait: Option<Duration>) -> Self {
        // OpenAI answers 429 to an account without money: waiting does not help.
        let out_of_money = matches!(
            code.as_str(),
            "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active"
        );
        match status {
            429 if !out_of_money => Self::Busy { wait, reason },
            408 | 409 | 500..=599 => Self::Server { status, wait, reason },
            _ => Self::Rejected { status, code, reason },
        }
    }

    pub(super) fn again(&self) -> Again {
        match self {
            Self::Busy { .. } => Again::Patiently,
            // The same limit would be reached again.
            Self::Rejected { .. } | Self::Garbled(ReplyFault::OutOfTokens) => Again::Never,
            _ => Again::Counted,
        }
    }

    /// How long the server asked to wait.
    pub(super) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Busy { wait, .. } | Self::Server { wait, .. } => *wait,
            _ => None,
        }
    }

    /// Whether it speaks for an endpoint that is down. Refusals and unusable answers come from one that is up.
    pub(super) fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Broken { .. } | Self::TimedOut { .. } | Self::Server { .. }
        )
    }

    /// The HTTP status, where an answer came.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Busy { .. } => Some(429),
            Self::Server { status, .. } | Self::Rejected { status, .. } => Some(*status),
            Self::Garbled(_) => Some(200),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { reason } => write!(f, "no connection: {reason}"),
            Self::Broken { reason } => write!(f, "the connection broke: {reason}"),
            Self::TimedOut { waiting_for, after } => {
                let what = match waiting_for {
                    Awaited::FirstByte => "no answer",
                    Awaited::LastByte => "no complete answer",
                };
                write!(f, "{what} within {} s", after.as_secs_f64())
            }
            Self::Busy { reason, .. } => write!(f, "HTTP 429, {reason}"),
            Self::Server { status, reason, .. } | Self::Rejected { status, reason, .. } => {
                write!(f, "HTTP {status}, {reason}")
            }
            Self::Garbled(fault) => write!(f, "{fault}"),
            Self::Undone { reason } => write!(f, "the batch did not work on it: {reason}"),
        }
    }
}

/// What the text of an error needs to know of the endpoint.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Model and place.
    pub(super) name: String,
    /// Where requests go.
    pub(super) url: String,
    pub(super) model: String,
    /// Where the key came from; `None` if there is none.
    pub(super) key_origin: Option<String>,
}

/// What an endpoint has shown so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// It has not answered yet.
    Untried,
    /// It has answered, so URL, model and key are right.
    HasAnswered,
}

impl Facts {
    /// The error of a call whose last attempt failed like this.
    pub(super) fn error(&self, failure: Failure, attempts: u32, record: Record) -> ChatError {
        match failure {
            Failure::Garbled(fault) => ChatError::BadReply { fault },
            Failure::Rejected { status, reason, .. } => match self.remedy(status, record) {
                Some(remedy) => ChatError::Backend {
                    reason: format!("`{}` answered HTTP {status}, {reason}: {remedy}", self.url),
                },
                None => ChatError::Refused {
                    status,
                    reason: format!("HTTP {status}, {reason}"),
                },
            },
            other => ChatError::Unanswered {
                attempts,
                reason: other.to_string(),
            },
        }
    }

    /// What to do about a refusal that all other calls would meet as well; `None` for one that is about a single request.
    pub(super) fn remedy(&self, status: u16, record: Record) -> Option<String> {
        let remedy = match (status, &self.key_origin) {
            (401, None) => format!("it wants an API key, so put one into `{}` or a file", super::OPENAI_KEY),
            (401, Some(origin)) => {
                format!(
                    "it does not accept the key from {origin}, so check that the key is current and meant for this server"
                )
            }
            (402 | 429, _) => "the account has no credit left, so add some and run the same command again".to_owned(),
            // A moderating gateway answers 403 to single requests.
            (403, _) if record == Record::HasAnswered => return None,
            (403, _) => format!(
                "the key may not use `{}` here, so check the project's permissions, or the region",
                self.model
            ),
            (404, _) => format!(
                "either there is no model `{}`, or the base URL is wrong (most end in `/v1`)",
                self.model
            ),
            (300..=399 | 405, _) => "the base URL is not that of an OpenAI-compatible API, so correct it".to_owned(),
            _ => return None,
        };
        Some(remedy)
    }

    /// The error when a server wants more patience than there is.
    pub(super) fn too_busy(&self, failure: &Failure, waited: Duration) -> ChatError {
        let asks = match failure.wait() {
            Some(wait) => format!("asks to wait {} s", wait.as_secs_f64().ceil()),
            None => format!("has answered so for {} s", waited.as_secs_f64().ceil()),
        };
        ChatError::Backend {
            reason: format!(
                "`{}` {asks} ({failure}): run the same command again later, or lower its requests and tokens per minute",
                self.name
            ),
        }
    }

    /// The error of every call once the endpoint counts as down.
    pub(super) fn down(&self, reason: &str) -> ChatError {
        ChatError::Backend {
            reason: format!(
                "`{}` is down ({reason}): run the same command again when it is back",
                self.name
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(key: Option<&str>) -> Facts {
        Facts {
            name: "openai:m@h/v1".into(),
            url: "https://h/v1/chat/completions".into(),
            model: "m".into(),
            key_origin: key.map(str::to_owned),
        }
    }

    fn error(status: u16, code: &str, record: Record) -> ChatError {
        let failure = Failure::of_status(status, code.into(), "it says".into(), None);
        facts(Some("`OPENAI_API_KEY`")).error(failure, 1, record)
    }

    #[test]
    fn what_all_calls_would_meet_is_fatal_and_says_what_to_do() {
        for (status, code, part) in [
            (401, "", "the key from `OPENAI_API_KEY`"),
            (402, "", "no credit"),
            (429, "insufficient_quota", "no credit"),
            (403, "", "permissions"),
            (404, "", "no model `m`"),
            (308, "", "base URL"),
            (405, "", "base URL"),
        ] {
            let error = error(status, code, Record::Untried);
            assert!(
                error.is_fatal() && error.to_string().contains(part),
                "{status}: {error}"
            );
        }
        let no_key = facts(None).error(
            Failure::of_status(401, String::new(), "it says".into(), None),
            1,
            Record::Untried,
        );
        assert!(no_key.to_string().contains("wants an API key"), "{no_key}");
    }

    #[test]
    fn what_one_request_met_is_a_missing_opinion() {
        for status in [400, 413, 422] {
            assert!(!error(status, "context_length_exceeded", Record::Untried).is_fatal());
        }
        assert!(!error(403, "", Record::HasAnswered).is_fatal(), "moderation");
        for status in [408, 409, 500, 503, 529, 429] {
            let failure = Failure::of_status(status, String::new(), String::new(), None);
            assert_ne!(failure.again(), Again::Never, "{status}");
            assert!(!error(status, "", Record::Untried).is_fatal());
        }
    }
}
