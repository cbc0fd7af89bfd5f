//! Hugging Face: addresses, the token, and the hash that the hub itself states for a file.

use std::fmt;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, LOCATION};
use reqwest::{StatusCode, Url};

use super::download::{DownloadError, Http};
use super::shown;
use super::verify::Sha256;

const PUBLIC: &str = "https://huggingface.co";

/// A Hugging Face access token. It is never shown, stored or sent to another host.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Wraps a token; `None` if it is blank.
    pub fn new(secret: &str) -> Option<Self> {
        let secret = secret.trim();
        (!secret.is_empty()).then(|| Self(secret.to_owned()))
    }

    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The hub, or a mirror of it.
#[derive(Debug, Clone)]
pub struct Hub {
    endpoint: Url,
    pub(super) token: Option<Token>,
}

/// What the hub states about a file before it is downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    /// Its SHA-256: the `X-Linked-ETag` of the first answer, which for files in LFS is the object's id.
    pub sha256: Sha256,
    /// Its length in bytes (`X-Linked-Size`).
    pub size: Option<u64>,
}

/// Why the hub is of no use here.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// `HF_ENDPOINT` is no URL.
    #[error("`HF_ENDPOINT` is not an http(s) URL; unset it or set it to something like `{PUBLIC}`")]
    Endpoint,
    /// The repository is gated, private or not there: without a token the hub does not say which.
    #[error(
        "`{repository}` was refused (HTTP {status}): it is gated or does not exist; accept its licence at `{page}` and set `HF_TOKEN`"
    )]
    Denied {
        /// `owner/name`.
        repository: String,
        /// Its page.
        page: String,
        /// The answer.
        status: StatusCode,
    },
    /// The hub states no hash, so there is nothing to check the file against.
    #[error(
        "`{url}` states no SHA-256 (`X-Linked-ETag`), so the file could not be checked; pin `sha256` in `models.toml`"
    )]
    NoHash {
        /// What was asked for.
        url: String,
    },
    /// No usable answer.
    #[error(transparent)]
    Download(#[from] DownloadError),
}

impl Hub {
    /// `$HF_ENDPOINT` (by default the public hub) with `$HF_TOKEN`.
    pub fn from_env() -> Result<Self, HubError> {
        let variable = |name| {
            std::env::var(name)
                .ok()
                .filter(|value: &String| !value.trim().is_empty())
        };
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| PUBLIC.to_owned());
        Self::new(&endpoint, variable("HF_TOKEN").as_deref().and_then(Token::new))
    }

    /// A hub at `endpoint`, for which `token` (if any) is meant.
    pub fn new(endpoint: &str, token: Option<Token>) -> Result<Self, HubError> {
        let endpoint = Url::parse(endpoint.trim()).map_err(|_| HubError::Endpoint)?;
        if !matches!(endpoint.scheme(), "http" | "https") || endpoint.cannot_be_a_base() {
            return Err(HubError::Endpoint);
        }
        Ok(Self { endpoint, token })
    }

    /// The address of a file: `ENDPOINT/REPOSITORY/resolve/REVISION/FILE`.
    pub fn file_url(&self, repository: &str, revision: &str, file: &str) -> Url {
        self.url(&format!("{repository}/resolve/{revision}/{file}"))
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.endpoint.clone();
        // The constructor has seen that the endpoint can be a base.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        url
    }

    /// Asks what the hub states about a file. Redirects are followed on the hub itself only (renamed repositories): the
    /// statement is in the answer that leads away from it.
    pub async fn stated(&self, http: &Http, repository: &str, url: &Url) -> Result<Stated, HubError> {
        let mut at = url.clone();
        for _ in 0..5 {
            let mut ask = http.direct.head(at.clone()).header(ACCEPT_ENCODING, "identity");
            if let Some(token) = &self.token {
                ask = ask.bearer_auth(token.secret());
            }
            let answer = ask.send().await.map_err(|error| DownloadError::Transport {
                url: shown::url(&at),
                why: shown::chain(&error.without_url()),
                connected: super::download::Connection::Refused,
            })?;
            let status = answer.status();
            if !status.is_success() && !status.is_redirection() {
                let url = shown::url(&at);
                return Err(self.explain(repository, DownloadError::Status { url, status }));
            }
            if let Some(sha256) = linked_etag(answer.headers()) {
                let size = answer
                    .headers()
                    .get("x-linked-size")
                    .and_then(|v| v.to_str().ok())
                    .and_then(|v| v.parse().ok());
                return Ok(Stated { sha256, size });
            }
            let next = answer
                .headers()
                .get(LOCATION)
                .and_then(|v| v.to_str().ok())
                .and_then(|v| at.join(v).ok());
            match next {
                Some(next) if status.is_redirection() && next.origin() == at.origin() => at = next,
                _ => break,
            }
        }
        Err(HubError::NoHash { url: shown::url(url) })
    }

    /// Turns a refusal into what to do about it.
    pub(super) fn explain(&self, repository: &str, error: DownloadError) -> HubError {
        match error {
            DownloadError::Status {
                status: status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
                ..
            } => HubError::Denied {
                repository: repository.to_owned(),
                page: shown::url(&self.url(repository)),
                status,
            },
            other => HubError::Download(other),
        }
    }
}

fn linked_etag(headers: &HeaderMap) -> Option<Sha256> {
    headers
        .get("x-linked-etag")?
        .to_str()
        .ok()?
        .trim_start_matches("W/")
        .trim_matches('"')
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_mirror_may_live_under_a_path() {
        let hub = Hub::new("http://mirror.test/hf/", None).unwrap();
        let url = hub.file_url("owner/name", "main", "sub/model Q4.gguf");
        assert_eq!(
            url.as_str(),
            "http://mirror.test/hf/owner/name/resolve/main/sub/model%20Q4.gguf"
        );
    }

    #[test]
    fn an_endpoint_must_be_a_web_address() {
        for wrong in ["huggingface.co", "file:///tmp", "mailto:a@b", ""] {
            assert!(matches!(Hub::new(wrong, None), Err(HubError::Endpoint)), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let hub = Hub::new(PUBLIC, Token::new(" hf_s3cret\n")).unwrap();
        assert!(!format!("{hub:?}").contains("s3cret"));
        assert!(Token::new("  ").is_none());
    }
}
