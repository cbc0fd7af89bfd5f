//! The run on disk: one SQLite file in WAL mode.
//!
//! One thread writes ([`writer`]); readers have a connection of their own. The tables are described in [`schema`], and each kind of them has a
//! file here. A newer format version is refused politely.

mod batches;
mod calls;
mod difference;
mod error;
mod ledger;
mod pairs;
mod schema;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction};

pub use self::batches::{BatchId, OpenBatch};
pub(in crate::run) use self::batches::{BatchState, NewBatch, Place, Settled};
pub use self::calls::Call;
use self::difference::difference;
pub use self::error::StoreError;
use self::error::path_error;
pub(in crate::run) use self::error::sqlite;
pub use self::ledger::{Entry, EntryId};
pub use self::pairs::Outcome;
use self::schema::{first_rows, read_config};
use self::writer::Writer;
use super::RunConfig;
use crate::pair::Pair;

/// The store's file name within a run's folder.
pub const FILE: &str = "run.sqlite";

/// An open run.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    reader: Mutex<Connection>,
    /// `None` in a store that was opened for reading.
    writer: Option<Writer>,
    config: RunConfig,
    /// Held while the store is open for writing. After the writer, so that it is let go when everything is written.
    _lock: Option<File>,
}

impl Store {
    /// Starts a run in `folder`, or goes on with the one that is there if it is of the same configuration and pairs.
    pub fn start(folder: &Path, config: &RunConfig, pairs: &[Pair]) -> Result<Self, StoreError> {
        Self::start_with(folder, config, || Ok(pairs.iter().cloned().map(Ok)))
    }

    /// The same with pairs that are taken one by one, and only if the run is new: memory does not grow with their number. An error of theirs
    /// leaves no run behind.
    pub fn start_with<I, E>(folder: &Path, config: &RunConfig, pairs: impl FnOnce() -> Result<I, E>) -> Result<Self, E>
    where
        I: IntoIterator<Item = Result<Pair, E>>,
        E: From<StoreError>,
    {
        let fault = |doing: &'static str| move |error: std::io::Error| path_error(doing, folder, &error);
        std::fs::create_dir_all(folder).map_err(fault("make the folder"))?;
        let lock = lock(folder)?;
        let path = folder.join(FILE);
        let connection = open(&path, rusqlite::OpenFlags::default())?;
        let at = |doing| sqlite(doing, &path);
        // Before anything is written: a newer program's file stays as it is.
        let known = read_config(&connection, &path, folder)?;
        if let Some(differs) = known.as_ref().and_then(|known| difference(known, config)) {
            let path = folder.to_owned();
            return Err(StoreError::OtherRun { path, differs }.into());
        }
        schema::make(&connection).map_err(at("set up"))?;
        let known = if let Some(known) = known {
            known
        } else {
            first_rows(&connection, &path, config, pairs()?)?;
            config.clone()
        };
        schema::log_ahead(&connection).map_err(at("set up"))?;
        Ok(Self {
            reader: Mutex::new(open(&path, rusqlite::OpenFlags::default())?),
            writer: Some(Writer::start(connection, &path)?),
            path,
            config: known,
            _lock: Some(lock),
        })
    }

    /// Opens the run in `folder` for reading.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let none = || StoreError::NoRun {
            path: folder.to_owned(),
        };
        if !path.is_file() {
            return Err(none());
        }
        // Not read-only for SQLite: a WAL left behind by a killed process is folded in by whoever opens the file next.
        let reading = |flags, path: &Path| -> Result<(Connection, Option<RunConfig>), StoreError> {
            let connection = open(path, flags)?;
            let config = read_config(&connection, path, folder)?;
            Ok((connection, config))
        };
        let opened = reading(rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE, &path);
        let (connection, config) = match opened {
            // In a folder that cannot be written to, SQLite has no place for the WAL's index; without a WAL none is needed.
            Err(StoreError::Sqlite { source, .. }) if is_unwritable(&source) && !has_wal(&path) => reading(
                rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI,
                &immutable(&path),
            )?,
            other => other?,
        };
        Ok(Self {
            path,
            reader: Mutex::new(connection),
            writer: None,
            config: config.ok_or_else(none)?,
            _lock: None,
        })
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// What the run is of.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// Two columns of every row.
    fn texts<A: rusqlite::types::FromSql, B: rusqlite::types::FromSql>(
        &self,
        query: &str,
    ) -> Result<Vec<(A, B)>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare(query).map_err(sqlite("read", &self.path))?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(sqlite("read", &self.path))?;
        rows.collect::<Result<_, _>>().map_err(sqlite("read", &self.path))
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held leaves nothing behind: readers change nothing.
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands work to the writer; it is done even if the future is dropped.
    fn write<T, F>(
        &self,
        doing: &'static str,
        work: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnMut(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let path = self.path.clone();
        let written = self.writer.as_ref().map(|writer| writer.write(work));
        async move {
            match written {
                Some(written) => written.await.map_err(sqlite(doing, &path)),
                None => Err(StoreError::ReadOnly { path }),
            }
        }
    }

    fn json(&self, value: &impl serde::Serialize) -> Result<String, StoreError> {
        serde_json::to_string(value).map_err(|error| StoreError::Damaged {
            path: self.path.clone(),
            reason: error.to_string(),
        })
    }

    fn value<T: serde::de::DeserializeOwned>(&self, json: &str, what: impl Fn() -> String) -> Result<T, StoreError> {
        serde_json::from_str(json).map_err(|error| StoreError::Damaged {
            path: self.path.clone(),
            reason: format!("{} cannot be read: {error}", what()),
        })
    }
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("run.lock");
    let file = File::create(&path).map_err(|error| path_error("write", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Locked {
            path: folder.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(error)) => Err(path_error("lock", &path, &error)),
    }
}

fn open(path: &Path, flags: rusqlite::OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite("open", path))?;
    connection
        .busy_timeout(std::time::Duration::from_secs(10))
        .map_err(sqlite("open", path))?;
    Ok(connection)
}

fn is_unwritable(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen)
    )
}

fn has_wal(path: &Path) -> bool {
    std::fs::metadata(path.with_extension("sqlite-wal")).is_ok_and(|wal| wal.len() > 0)
}

/// The file as a URI that promises SQLite that nobody changes it.
fn immutable(path: &Path) -> PathBuf {
    let quoted = path.as_os_str().as_encoded_bytes().iter().map(|&byte| match byte {
        b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    });
    PathBuf::from(format!("file:{}?immutable=1", quoted.collect::<String>()))
}
