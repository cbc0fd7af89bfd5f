//! Which endpoint, and how it may be used.

use std::num::{NonZeroU32, NonZeroUsize};
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;

use super::{Capabilities, KeySource, SetupError};

/// OpenAI's own endpoint.
pub const OPENAI: &str = "https://api.openai.com/v1";
/// The variable in which OpenAI's tools look for the key.
pub const OPENAI_KEY: &str = "OPENAI_API_KEY";

/// One model behind one base URL.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where.
    pub base_url: BaseUrl,
    /// The model's name, as the server knows it.
    pub model: String,
    /// Where the key is found.
    pub key: KeySource,
    /// How much at a time.
    pub limits: Limits,
    /// How long to wait for one attempt.
    pub timeouts: Timeouts,
    /// How often to try again.
    pub patience: Patience,
    /// When the endpoint counts as down.
    pub outage: Outage,
    /// Tokens that the model's context holds, if known: then prompts are kept within it.
    pub context: Option<NonZeroUsize>,
    /// Bytes of an answer that are read at most, for each sample in it.
    pub max_reply_bytes: usize,
    /// What to make use of.
    pub features: Features,
}

impl Endpoint {
    /// A model with default limits.
    pub fn new(base_url: BaseUrl, model: &str, key: KeySource) -> Self {
        Self {
            base_url,
            model: model.to_owned(),
            key,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            patience: Patience::default(),
            outage: Outage::default(),
            context: None,
            // A reply of 4,096 tokens with 20 alternatives for each has about 6 MB.
            max_reply_bytes: 8 << 20,
            features: Features::Probed,
        }
    }

    /// `openai:NAME@HOST/PATH`: what calls are identified by. Neither scheme nor key are part of it.
    pub fn name(&self) -> String {
        format!("openai:{}@{}", self.model, self.base_url.place())
    }
}

/// Caps on what is asked of an endpoint at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests in any minute.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Tokens in any minute, prompts and replies together.
    pub tokens_per_minute: Option<NonZeroU32>,
    /// Requests under way at once, before the endpoint has shown what it can bear.
    pub first_concurrency: NonZeroUsize,
    /// Requests under way at once, at most.
    pub concurrency: NonZeroUsize,
    /// Pause of all requests after a 429 that does not say how long to wait.
    pub cool_down: Duration,
    /// How long concurrency does not grow after a server error.
    pub growth_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_minute: None,
            tokens_per_minute: None,
            first_concurrency: NonZeroUsize::MIN.saturating_add(7),
            concurrency: NonZeroUsize::MIN.saturating_add(63),
            cool_down: Duration::from_secs(1),
            growth_pause: Duration::from_secs(10),
        }
    }
}

/// How long to wait within one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection.
    pub connect: Duration,
    /// For the first byte of the answer. Servers send it when the reply is complete, so this covers the model's work.
    pub first_byte: Duration,
    /// For the whole attempt.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            first_byte: Duration::from_secs(300),
            whole: Duration::from_secs(360),
        }
    }
}

/// How often a call is tried again, and after which pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Attempts that may fail before the call does. "Too many requests" is not counted: it says nothing about the call.
    pub attempts: NonZeroU32,
    /// Pause before the second attempt, without its jitter; doubled each time.
    pub first_pause: Duration,
    /// Longest such pause.
    pub longest_pause: Duration,
    /// The longest that a server may ask to wait, and the longest that it may answer "too many requests" to one call; beyond it, the
    /// run stops instead of sitting there.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: NonZeroU32::MIN.saturating_add(5),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            longest_wait: Duration::from_secs(600),
        }
    }
}

/// When an endpoint counts as down: when so many attempts of at least three calls have failed in a row, for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Attempts in a row.
    pub failures: NonZeroU32,
    /// Time since the first of them.
    pub lasting: Duration,
}

impl Default for Outage {
    fn default() -> Self {
        Self {
            failures: NonZeroU32::MIN.saturating_add(11),
            lasting: Duration::from_secs(30),
        }
    }
}

/// Which of the abilities that servers differ in are made use of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Features {
    /// Those that a probe of the endpoint finds.
    Probed,
    /// Those that an earlier probe has found.
    Known(Capabilities),
}

/// The URL to which `/chat/completions` is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

const COMPLETIONS: &str = "/chat/completions";

impl FromStr for BaseUrl {
    type Err = SetupError;

    fn from_str(text: &str) -> Result<Self, SetupError> {
        let refuse = |why: &str| SetupError::BaseUrl {
            url: without_credentials(text),
            why: why.to_owned(),
        };
        let mut url = Url::parse(text.trim()).map_err(|error| {
            refuse(&format!(
                "{error}; write it as in `{OPENAI}` or `http://127.0.0.1:8080/v1`"
            ))
        })?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(refuse("it must begin with `http://` or `https://` and a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse(
                "it has a user name or password in it: leave them out, and give a key instead",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse(
                "it has a `?` or `#` part: leave it out; a key is read from a variable or a file",
            ));
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix(COMPLETIONS).unwrap_or(path).to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }
}

impl BaseUrl {
    /// Where chat completions are asked for.
    pub(super) fn completions(&self) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{COMPLETIONS}", self.0.path().trim_end_matches('/')));
        url
    }

    /// A place below it; what stands between slashes is escaped.
    pub(super) fn below(&self, path: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// Host, port if it is not the scheme's own, and path.
    pub fn place(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        let port = self.0.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{host}{port}{}", self.0.path().trim_end_matches('/'))
    }

    /// Whether what is sent stays on this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// Whether what is sent can be read on the way.
    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }
}

/// A mistyped URL for an error message: credentials stand before an `@`, or in a query.
fn without_credentials(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        (None, Some((_, place))) => format!("…@{place}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_model_and_place_and_no_secret() {
        for (url, name) in [
            (OPENAI, "openai:m@api.openai.com/v1"),
            ("http://127.0.0.1:8080/v1/", "openai:m@127.0.0.1:8080/v1"),
            (
                "http://localhost:11434/v1/chat/completions",
                "openai:m@localhost:11434/v1",
            ),
            ("https://host", "openai:m@host"),
        ] {
            let endpoint = Endpoint::new(url.parse().unwrap(), "m", KeySource::None);
            assert_eq!(endpoint.name(), name);
        }
        let base: BaseUrl = "https://host/x/".parse().unwrap();
        assert_eq!(base.completions().as_str(), "https://host/x/chat/completions");
        assert_eq!(base.below(&["files", "a/b"]).as_str(), "https://host/x/files/a%2Fb");
        let base: BaseUrl = "https://host".parse().unwrap();
        assert_eq!(base.below(&["batches"]).as_str(), "https://host/batches");
        assert_eq!(base.completions().as_str(), "https://host/chat/completions");
    }

    #[test]
    fn urls_that_carry_secrets_or_lead_nowhere_are_refused_without_repeating_the_secret() {
        for url in [
            "https://user:canary@host/v1",
            "https://canary@host/v1",
            "https://host/v1?key=canary",
            "https://host/v1#canary",
            "user:canary@host",
        ] {
            let message = url.parse::<BaseUrl>().unwrap_err().to_string();
            assert!(!message.contains("canary"), "{message}");
        }
        for url in ["", "host:8080/v1", "ftp://host/v1", "/v1"] {
            assert!(url.parse::<BaseUrl>().is_err(), "{url}");
        }
    }

    #[test]
    fn loopback_is_told_from_other_hosts() {
        let loopback = |url: &str| url.parse::<BaseUrl>().unwrap().is_loopback();
        assert!(loopback("http://127.0.0.1:1/v1") && loopback("http://localhost/v1") && loopback("http://[::1]:1/v1"));
        assert!(!loopback("http://10.0.0.1/v1") && !loopback(OPENAI));
    }
}
