//! One resumable HTTP transfer into a [`Partial`].
//!
//! An interrupted transfer goes on with a `Range` request; the server's ETag, sent as `If-Range`, makes it start over if the
//! file has changed meanwhile. Servers without ranges answer with the whole file, and the transfer starts over as well. What
//! is still wrong after that (mixed versions behind a server without ETags) is caught by the hash.

use std::io;
use std::sync::Once;
use std::time::Duration;

use futures::StreamExt as _;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, RANGE};
use reqwest::{StatusCode, Url, redirect};
use tokio::io::AsyncWriteExt as _;

use super::hub::Token;
use super::partial::Partial;
use super::progress::{Listener, Progress};
use super::shown;
use super::verify::Mismatch;

/// Whether the system's proxy settings are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxies {
    /// `HTTPS_PROXY` and its kin, or the operating system's settings.
    System,
    /// None: for servers on this machine.
    None,
}

/// A `reqwest` client builder with this program's TLS: rustls over ring, trusting the operating system's certificates (on
/// Linux also those of `SSL_CERT_FILE` and `SSL_CERT_DIR`).
pub fn client_builder() -> reqwest::ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Fails if somebody else has installed one, which then serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .user_agent(concat!("widedeep/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(20))
        .read_timeout(Duration::from_secs(60))
}

/// The HTTP clients of this room.
#[derive(Debug, Clone)]
pub struct Http {
    /// Follows redirects, and drops `Authorization` when one leads to another host.
    pub(super) following: reqwest::Client,
    /// Shows redirects: Hugging Face states a file's hash in the redirect, not at its target.
    pub(super) direct: reqwest::Client,
    pub(super) patience: Patience,
}

/// How often a transfer that makes no progress is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Tries after the first one; counted anew whenever bytes have come.
    pub retries: u32,
    /// Pause before the first of them; doubled each time.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            retries: 4,
            pause: Duration::from_millis(500),
        }
    }
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up HTTPS; check the proxy variables and the system's certificates (`SSL_CERT_FILE`)")]
pub struct HttpError(#[source] reqwest::Error);

impl Http {
    /// Sets up the clients.
    pub fn new(proxies: Proxies, patience: Patience) -> Result<Self, HttpError> {
        let builder = || match proxies {
            // No `Referer`: it would tell the next host the address of the one before.
            Proxies::System => client_builder().referer(false),
            Proxies::None => client_builder().referer(false).no_proxy(),
        };
        let following = builder().build().map_err(HttpError)?;
        let direct = builder()
            .redirect(redirect::Policy::none())
            .build()
            .map_err(HttpError)?;
        Ok(Self {
            following,
            direct,
            patience,
        })
    }
}

/// A transfer that did not succeed. No variant carries credentials.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The server's answer is no file.
    #[error("`{url}` answered HTTP {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The answer.
        status: StatusCode,
    },
    /// No answer, or a broken connection.
    #[error("`{url}` could not be read: {why}")]
    Transport {
        /// What was asked for.
        url: String,
        /// The chain of causes.
        why: String,
        /// Whether the connection was never made: the next source is then better than a retry.
        connected: Connection,
    },
    /// The server ended the file early.
    #[error("`{url}` ended after {got} of {total} bytes")]
    Cut {
        /// What was asked for.
        url: String,
        /// Bytes that came.
        got: u64,
        /// Bytes announced.
        total: u64,
    },
    /// The server continues elsewhere than asked.
    #[error("`{url}` answered a request for the rest of the file with another range")]
    Range {
        /// What was asked for.
        url: String,
    },
    /// The server's file has another length.
    #[error("`{url}` is another file: {mismatch}")]
    Other {
        /// What was asked for.
        url: String,
        /// The lengths.
        mismatch: Mismatch,
    },
    /// The bytes cannot be kept.
    #[error("cannot write `{path}`: {source}")]
    Write {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// How far a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// There was no connection.
    Refused,
    /// It broke.
    Lost,
}

impl DownloadError {
    fn may_pass(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::RANGE_NOT_SATISFIABLE
                    )
            }
            Self::Transport { connected, .. } => *connected == Connection::Lost,
            Self::Cut { .. } | Self::Range { .. } => true,
            Self::Other { .. } | Self::Write { .. } => false,
        }
    }
}

/// What is transferred.
#[derive(Debug, Clone)]
pub struct Request {
    /// From where.
    pub url: Url,
    /// With which token; it goes to that host only.
    pub token: Option<Token>,
    /// The length that the transferred bytes must have, where known.
    pub size: Option<u64>,
}

/// Transfers `request` into `partial`, going on from what is there. On success the partial file is complete.
pub async fn download(
    http: &Http,
    request: &Request,
    partial: &Partial,
    listen: Listener<'_>,
) -> Result<(), DownloadError> {
    let mut transfer = Transfer {
        http,
        request,
        partial,
        listen,
        shown: shown::url(&request.url),
    };
    let mut furthest = partial.len();
    let mut stalls = 0;
    loop {
        let Err(error) = transfer.attempt().await else {
            return Ok(());
        };
        let done = partial.len();
        if done > furthest {
            (furthest, stalls) = (done, 0);
        } else {
            stalls += 1;
        }
        // A refused connection passes too if bytes have come from there before: then it is the network that is shaky.
        let may_pass = error.may_pass() || (matches!(error, DownloadError::Transport { .. }) && furthest > 0);
        if !may_pass || stalls > http.patience.retries {
            return Err(error);
        }
        listen(Progress::Interrupted {
            done,
            why: error.to_string(),
        });
        tokio::time::sleep(http.patience.pause * 2_u32.saturating_pow(stalls.min(6))).await;
    }
}

struct Transfer<'a> {
    http: &'a Http,
    request: &'a Request,
    partial: &'a Partial,
    listen: Listener<'a>,
    shown: String,
}

impl Transfer<'_> {
    async fn attempt(&mut self) -> Result<(), DownloadError> {
        let mut note = self.partial.resume().map_err(|e| self.write(e))?;
        let mut have = self.partial.len();
        let response = self.ask(have, note.validator.as_deref()).await?;
        let total = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let (start, total) = content_range(response.headers()).ok_or_else(|| self.range())?;
                if start != have {
                    self.partial.clear().map_err(|e| self.write(e))?;
                    return Err(self.range());
                }
                total
            }
            StatusCode::OK => {
                have = 0;
                response.content_length()
            }
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                // Nothing is left to send: either all is here, or what is here is not of this file.
                if whole_length(response.headers()).or(self.request.size) == Some(have) {
                    return Ok(());
                }
                self.partial.clear().map_err(|e| self.write(e))?;
                return Err(DownloadError::Status {
                    url: self.shown.clone(),
                    status: response.status(),
                });
            }
            status => {
                return Err(DownloadError::Status {
                    url: self.shown.clone(),
                    status,
                });
            }
        };
        if let (Some(expected), Some(found)) = (self.request.size, total)
            && expected != found
        {
            return Err(self.other(expected, found));
        }
        if have == 0 {
            note.validator = strong_etag(response.headers());
        }
        self.partial.save(&note).map_err(|e| self.write(e))?;
        (self.listen)(Progress::Started {
            done: have,
            total: total.or(self.request.size),
        });
        self.receive(response, have, total).await
    }

    async fn ask(&self, have: u64, validator: Option<&str>) -> Result<reqwest::Response, DownloadError> {
        // `identity`: a compressed answer would have another length, and no ranges of the file itself.
        let mut ask = self
            .http
            .following
            .get(self.request.url.clone())
            .header(ACCEPT_ENCODING, "identity");
        if let Some(token) = &self.request.token {
            ask = ask.bearer_auth(token.secret());
        }
        if have > 0 {
            ask = ask.header(RANGE, format!("bytes={have}-"));
            if let Some(validator) = validator {
                ask = ask.header(IF_RANGE, validator);
            }
        }
        ask.send().await.map_err(|e| self.transport(e))
    }

    async fn receive(&self, response: reqwest::Response, from: u64, total: Option<u64>) -> Result<(), DownloadError> {
        let file = self.partial.open(from).map_err(|e| self.write(e))?;
        let mut file = tokio::io::BufWriter::with_capacity(1 << 20, tokio::fs::File::from_std(file));
        let mut done = from;
        let mut body = response.bytes_stream();
        let mut outcome = Ok(());
        while let Some(chunk) = body.next().await {
            match chunk {
                Ok(bytes) => {
                    file.write_all(&bytes).await.map_err(|e| self.write(e))?;
                    done += bytes.len() as u64;
                    (self.listen)(Progress::Advanced { done });
                }
                Err(error) => {
                    outcome = Err(self.transport(error));
                    break;
                }
            }
            if let Some(expected) = self.request.size
                && done > expected
            {
                outcome = Err(self.other(expected, done));
                break;
            }
        }
        // Also after a failure: what has come is what the next attempt goes on from.
        file.flush().await.map_err(|e| self.write(e))?;
        outcome?;
        match total {
            Some(total) if done < total => Err(DownloadError::Cut {
                url: self.shown.clone(),
                got: done,
                total,
            }),
            _ => Ok(()),
        }
    }

    fn transport(&self, error: reqwest::Error) -> DownloadError {
        let connected = if error.is_connect() {
            Connection::Refused
        } else {
            Connection::Lost
        };
        DownloadError::Transport {
            url: self.shown.clone(),
            why: shown::chain(&error.without_url()),
            connected,
        }
    }

    fn write(&self, source: io::Error) -> DownloadError {
        DownloadError::Write {
            path: self.partial.path().to_owned(),
            source,
        }
    }

    fn range(&self) -> DownloadError {
        DownloadError::Range {
            url: self.shown.clone(),
        }
    }

    fn other(&self, expected: u64, found: u64) -> DownloadError {
        DownloadError::Other {
            url: self.shown.clone(),
            mismatch: Mismatch::Size { expected, found },
        }
    }
}

/// `bytes START-END/TOTAL` as (start, total).
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let (range, total) = headers
        .get(CONTENT_RANGE)?
        .to_str()
        .ok()?
        .strip_prefix("bytes ")?
        .split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

/// The length in `bytes */TOTAL`, with which a server refuses a range.
fn whole_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(CONTENT_RANGE)?
        .to_str()
        .ok()?
        .strip_prefix("bytes */")?
        .trim()
        .parse()
        .ok()
}

/// Weak ETags (`W/…`) name files that may differ in bytes, so they cannot guard a continuation (RFC 9110, 13.1.5).
fn strong_etag(headers: &HeaderMap) -> Option<String> {
    headers
        .get(ETAG)?
        .to_str()
        .ok()
        .filter(|etag| etag.starts_with('"'))
        .map(str::to_owned)
}
