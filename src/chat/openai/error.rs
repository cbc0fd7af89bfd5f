//! Why an endpoint cannot be used at all.

use std::path::PathBuf;

use crate::chat::ChatError;

/// An endpoint could not be set up. No variant carries the key.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The base URL is not one.
    #[error("the base URL `{url}` cannot be used: {why}")]
    BaseUrl {
        /// The URL, without what may be secret in it.
        url: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The environment variable that should hold the key is not set.
    #[error("the environment variable `{variable}` is not set: put the API key there, or into a file")]
    KeyUnset {
        /// Its name.
        variable: String,
    },
    /// The key file cannot be read.
    #[error("the key file `{path}` cannot be read: {error}", path = path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What was found is no key.
    #[error("the key from {origin} is empty or has characters that no key has: it must be one word of visible ASCII")]
    KeyUnusable {
        /// Where it was found.
        origin: String,
    },
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be set up: {why}")]
    Client {
        /// Why.
        why: String,
    },
    /// The endpoint did not answer the probe.
    #[error("`{endpoint}` cannot be used: {error}")]
    Endpoint {
        /// Model and place.
        endpoint: String,
        /// Why.
        error: ChatError,
    },
}
