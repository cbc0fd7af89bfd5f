//! The place of one entry: its folder, its file, its lock, and how a finished file gets there.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::catalog::Artifact;
use super::home::{Home, Shelf};
use super::partial;
use super::progress::{Listener, Progress};
use super::verify::{Mismatch, Sha256, hash_file};

/// How thoroughly a file that is already in place is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Its length: instant, and enough, since a file gets its name only after its hash was found right.
    Size,
    /// Its hash as well: reads the whole file.
    Hash,
}

/// Whether an entry's file is in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is, with the expected length.
    Present,
    /// There is none.
    Absent,
    /// There is a file of another length, left by an older registry or damaged.
    WrongSize {
        /// Its length in bytes.
        found: u64,
    },
}

/// The place of one entry in a [`Home`].
#[derive(Debug, Clone)]
pub struct Slot {
    folder: PathBuf,
    path: PathBuf,
    file: String,
    size: Option<u64>,
    pinned: Option<Sha256>,
}

/// Held while an entry is fetched; dropping it lets the next process in.
#[derive(Debug)]
pub struct SlotLock {
    _file: File,
}

impl Slot {
    /// The place of `artifact`.
    pub fn new(home: &Home, shelf: Shelf, artifact: &Artifact) -> Self {
        let folder = home.folder(shelf, &artifact.name);
        Self {
            path: folder.join(&artifact.file),
            folder,
            file: artifact.file.clone(),
            size: artifact.size,
            pinned: artifact.digest.pinned(),
        }
    }

    /// Where the finished file lies, or will.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The entry's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the file is in place, by its length.
    pub fn presence(&self) -> Presence {
        match fs::metadata(&self.path) {
            Ok(meta) if meta.is_file() => match self.size {
                Some(size) if size != meta.len() => Presence::WrongSize { found: meta.len() },
                _ => Presence::Present,
            },
            _ => Presence::Absent,
        }
    }

    /// Checks the file in place.
    pub(super) async fn inspect(&self, check: Check, listen: Listener<'_>) -> io::Result<Fit> {
        match self.presence() {
            Presence::Absent => return Ok(Fit::Absent),
            Presence::WrongSize { found } => {
                let expected = self.size.unwrap_or_default();
                return Ok(Fit::Wrong(Mismatch::Size { expected, found }.to_string()));
            }
            Presence::Present if check == Check::Size => return Ok(Fit::Good),
            Presence::Present => {}
        }
        let Some(expected) = self.pinned.or_else(|| self.recorded()) else {
            return Ok(Fit::Wrong("no SHA-256 is known for it".to_owned()));
        };
        let found = hash(&self.path, listen).await?;
        Ok(if found == expected {
            Fit::Good
        } else {
            Fit::Wrong(Mismatch::Hash { expected, found }.to_string())
        })
    }

    /// Waits until no other process fetches this entry.
    pub(super) async fn lock(&self, listen: Listener<'_>) -> io::Result<SlotLock> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(".lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        let mut told = false;
        // Polled, not blocked on: a blocking wait could not be interrupted with Ctrl-C.
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(SlotLock { _file: file }),
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        listen(Progress::Waiting { lock: &path });
                        told = true;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(TryLockError::Error(e)) => return Err(e),
            }
        }
    }

    /// Gives the finished file its name. `from` lies in the same folder and has been verified against `digest`.
    pub(super) fn place(&self, from: &Path, digest: Sha256) -> io::Result<()> {
        File::options().write(true).open(from)?.sync_all()?;
        // The record first: a file in place always has one, so that a hash that only the hub stated is not forgotten.
        let fresh = self.folder.join(format!("{}sha256.new", partial::prefix(&self.file)));
        fs::write(&fresh, format!("{digest}  {}\n", self.file))?;
        File::options().write(true).open(&fresh)?.sync_all()?;
        fs::rename(fresh, self.record())?;
        fs::rename(from, &self.path)?;
        // Directories cannot be opened on Windows, which needs no such flush either.
        #[cfg(unix)]
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    /// Removes what transfers of this file have left behind. Only under the lock.
    pub(super) fn sweep(&self) -> io::Result<()> {
        let prefix = partial::prefix(&self.file);
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// The hash that was verified when the file was fetched, kept beside it in the format of `sha256sum`.
    fn recorded(&self) -> Option<Sha256> {
        fs::read_to_string(self.record())
            .ok()?
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    }

    fn record(&self) -> PathBuf {
        self.folder.join(format!("{}.sha256", self.file))
    }
}

/// How the file in place fares under a [`Check`].
#[derive(Debug)]
pub(super) enum Fit {
    /// There is none.
    Absent,
    /// It passes.
    Good,
    /// It does not, and why.
    Wrong(String),
}

/// Hashes a file off the async threads, reporting as it goes.
pub(super) async fn hash(path: &Path, listen: Listener<'_>) -> io::Result<Sha256> {
    let total = fs::metadata(path)?.len();
    let (send, mut receive) = tokio::sync::watch::channel(0);
    let path = path.to_owned();
    let mut task = tokio::task::spawn_blocking(move || {
        hash_file(&path, |done| {
            // Nobody listening any more is no reason to stop.
            let _ = send.send(done);
        })
    });
    loop {
        tokio::select! {
            finished = &mut task => return finished.map_err(io::Error::other)?,
            Ok(()) = receive.changed() => {
                let done = *receive.borrow_and_update();
                listen(Progress::Verifying { done, total });
            }
        }
    }
}
