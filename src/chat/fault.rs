//! What can be wrong with an answer that did arrive.

use serde::{Deserialize, Serialize};

/// Why an answer is no reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ReplyFault {
    /// It is not the JSON that was expected.
    #[error("malformed JSON ({detail})")]
    Malformed {
        /// What the reader said.
        detail: String,
    },
    /// It says of itself that it is not JSON.
    #[error("its content type is `{found}`, not `application/json`: is the base URL that of an OpenAI-compatible API?")]
    ContentType {
        /// The content type.
        found: String,
    },
    /// It is larger than any reply; the rest was not read.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// Bytes that are read at most.
        limit: usize,
    },
    /// It has no choices.
    #[error("it has no choices")]
    NoChoices,
    /// Its message has no text.
    #[error("its message is empty")]
    NoText,
    /// Its message has no text because the limit was reached before any was written, as reasoning models do.
    #[error("all tokens allowed were spent before any text was written: raise the network's `max_tokens`")]
    OutOfTokens,
}
