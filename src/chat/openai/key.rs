//! The API key: read once, sent as a header, shown nowhere.

use std::fmt;
use std::path::PathBuf;

use reqwest::header::HeaderValue;

use super::SetupError;

/// What stands in texts in place of the key.
const REDACTED: &str = "[key]";
/// Keys shorter than this (`EMPTY`, `ollama`: what servers without keys are given) are left in replies, where they are likely words.
const SHORTEST_SECRET: usize = 8;

/// Where the key is found. Never the command line, which other users of the machine can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In this environment variable.
    Variable(String),
    /// In this file, with white space around it.
    File(PathBuf),
    /// The server needs none.
    None,
}

/// For messages: the end of "the key from …".
impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "`{name}`"),
            Self::File(path) => write!(f, "`{}`", path.display()),
            Self::None => f.write_str("nowhere"),
        }
    }
}

/// An API key. It can be sent, but neither printed nor serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    text: String,
    /// As it stands inside a JSON string, where that differs.
    escaped: Option<String>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Key {
    /// Reads the key, if there is to be one.
    pub fn read(source: &KeySource) -> Result<Option<Self>, SetupError> {
        let text = match source {
            KeySource::None => return Ok(None),
            KeySource::Variable(name) => {
                std::env::var(name).map_err(|_| SetupError::KeyUnset { variable: name.clone() })?
            }
            KeySource::File(path) => std::fs::read_to_string(path).map_err(|error| SetupError::KeyFile {
                path: path.clone(),
                error,
            })?,
        };
        Self::new(&text).map(Some).ok_or_else(|| SetupError::KeyUnusable {
            origin: source.to_string(),
        })
    }

    /// The key in a text, white space around it left out; `None` unless it is visible ASCII, as a header's value must be.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let quoted = serde_json::Value::from(text).to_string();
        let escaped = quoted.trim_matches('"');
        Some(Self {
            text: text.to_owned(),
            escaped: (escaped != text).then(|| escaped.to_owned()),
        })
    }

    /// `Bearer …`, marked as sensitive so that HTTP libraries do not print it either.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.text)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The text of an error without the key: servers echo what they are sent.
    pub(super) fn redact(&self, text: &str) -> String {
        let text = match &self.escaped {
            Some(escaped) => text.replace(escaped.as_str(), REDACTED),
            None => text.to_owned(),
        };
        text.replace(&self.text, REDACTED)
    }

    /// A line of JSON without the key, however deep it stands within quoted JSON; short keys are left, as in replies.
    pub(super) fn redact_line(&self, line: Vec<u8>) -> Vec<u8> {
        if self.text.len() < SHORTEST_SECRET {
            return line;
        }
        let mut text = match String::from_utf8(line) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        let mut spelled = self.text.clone();
        for _ in 0..4 {
            if text.contains(&spelled) {
                text = text.replace(&spelled, REDACTED);
            }
            let quoted = serde_json::Value::from(spelled.as_str()).to_string();
            quoted[1..quoted.len() - 1].clone_into(&mut spelled);
        }
        text.into_bytes()
    }

    /// The text of a reply without the key, unless the key is so short that it may well be a word.
    pub(super) fn redact_reply(&self, text: String) -> String {
        if self.text.len() >= SHORTEST_SECRET && text.contains(&self.text) {
            text.replace(&self.text, REDACTED)
        } else {
            text
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_itself_in_no_way() {
        let key = Key::new("  sk-canary-\"0123\\ \n").unwrap();
        assert_eq!(format!("{key} {key:?} {:?}", Some(&key)), "[key] [key] Some([key])");
        assert_eq!(format!("{:?}", key.header().unwrap()), "Sensitive");
        assert_eq!(key.redact("got sk-canary-\"0123\\!"), "got [key]!");
        assert_eq!(key.redact(r#"{"auth":"sk-canary-\"0123\\"}"#), r#"{"auth":"[key]"}"#);
    }

    #[test]
    fn lines_that_are_kept_lose_the_key_at_every_depth_of_quoting() {
        let key = Key::new("sk-canary-\"0123\\").unwrap();
        let inner = serde_json::json!({"said": "sk-canary-\"0123\\"}).to_string();
        let line = serde_json::json!({"a": "sk-canary-\"0123\\", "b": inner}).to_string();
        let kept = String::from_utf8(key.redact_line(line.into_bytes())).unwrap();
        assert_eq!(kept, r#"{"a":"[key]","b":"{\"said\":\"[key]\"}"}"#);
        let short = Key::new("EMPTY").unwrap();
        assert_eq!(short.redact_line(b"EMPTY".to_vec()), b"EMPTY");
    }

    #[test]
    fn short_keys_are_left_in_replies_and_long_ones_are_not() {
        let reply = |key: &str| Key::new(key).unwrap().redact_reply("an EMPTY sk-canary-0123".into());
        assert_eq!(reply("EMPTY"), "an EMPTY sk-canary-0123");
        assert_eq!(reply("sk-canary-0123"), "an EMPTY [key]");
    }

    #[test]
    fn keys_come_from_variables_and_files_and_their_absence_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "sk-canary-0123\n").unwrap();
        assert_eq!(
            Key::read(&KeySource::File(path.clone())).unwrap(),
            Key::new("sk-canary-0123")
        );
        std::fs::write(&path, "sk canary").unwrap();
        let message = Key::read(&KeySource::File(path)).unwrap_err().to_string();
        assert!(!message.contains("canary"), "{message}");
        let unset = KeySource::Variable("WIDEDEEP_TEST_NO_SUCH_KEY".into());
        assert!(
            Key::read(&unset)
                .unwrap_err()
                .to_string()
                .contains("WIDEDEEP_TEST_NO_SUCH_KEY")
        );
        assert_eq!(Key::read(&KeySource::None).unwrap(), None);
    }
}
