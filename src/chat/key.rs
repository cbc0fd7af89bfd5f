//! A call's identity: a hash over everything that determines its reply.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Identity, Request};

/// BLAKE3 over model, conversation, plan and sampling, in hex. A changed prompt is a different call; the same call of another
/// network is the same call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallKey(String);

/// What is hashed.
#[derive(Serialize)]
struct Call<'a> {
    format: u8,
    model: &'a str,
    request: &'a Request,
}

impl CallKey {
    /// The key of a request to a model.
    ///
    /// # Panics
    ///
    /// Never: a hasher takes all bytes, and a request has no map whose keys are not strings.
    pub fn of(identity: &Identity, request: &Request) -> Self {
        // The digest identifies a local file, whatever it is called; a remote model has its name only.
        let model = if identity.digest.is_empty() {
            &identity.name
        } else {
            &identity.digest
        };
        // JSON strings escape what could end them, so no two different calls serialise alike. Straight from the structs: keys stand in
        // the order of their declaration, whichever map serde_json was built with.
        let call = Call {
            format: 1,
            model,
            request,
        };
        let mut hasher = blake3::Hasher::new();
        serde_json::to_writer(&mut hasher, &call).expect("a hasher takes all bytes, and all keys are strings");
        Self(hasher.finalize().to_hex().to_string())
    }

    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Origin, ReplyPlan, Sampling, Speaker, Turn};
    use super::*;

    fn request(content: &str, seed: u64, pair: u64) -> Request {
        Request {
            turns: vec![Turn {
                speaker: Speaker::User,
                content: content.into(),
            }],
            plan: ReplyPlan::Free { max_tokens: 8 },
            sampling: Sampling {
                temperature: 1.0,
                top_p: 1.0,
                top_k: None,
                seed,
            },
            origin: Origin {
                pair,
                ..Origin::default()
            },
        }
    }

    fn identity(name: &str, digest: &str) -> Identity {
        Identity {
            name: name.into(),
            digest: digest.into(),
        }
    }

    #[test]
    fn whatever_determines_the_reply_changes_the_key_and_nothing_else_does() {
        let base = CallKey::of(&identity("m", "d"), &request("a", 1, 0));
        assert_eq!(
            base,
            CallKey::of(&identity("m", "d"), &request("a", 1, 7)),
            "the origin does not determine the reply"
        );
        assert_eq!(
            base,
            CallKey::of(&identity("renamed", "d"), &request("a", 1, 0)),
            "the file does, not its name"
        );
        assert_ne!(base, CallKey::of(&identity("m", "e"), &request("a", 1, 0)));
        assert_ne!(base, CallKey::of(&identity("m", "d"), &request("a ", 1, 0)));
        assert_ne!(base, CallKey::of(&identity("m", "d"), &request("a", 2, 0)));
        assert_ne!(
            CallKey::of(&identity("m", ""), &request("a", 1, 0)),
            CallKey::of(&identity("n", ""), &request("a", 1, 0))
        );
    }
}
