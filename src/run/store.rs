//! The run on disk: one SQLite file in WAL mode.
//!
//! Tables: `meta` (format version, frozen configuration), `pairs`, `calls` (by key, request and reply), `judged` (one row per finished
//! pair). Values are JSON texts: the columns are what is searched by. A newer format version is refused politely.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use super::{Judged, RunConfig};
use crate::chat::{CallKey, Reply, Request};
use crate::pair::Pair;

/// Version of the tables; raised when an older program could misread them.
const FORMAT: i64 = 1;
/// The store's file name within a run's folder.
const FILE: &str = "run.sqlite";

/// Failures of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or the file cannot be used.
    #[error("failed to {doing} `{path}`: {reason}")]
    Path {
        /// What was tried.
        doing: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another process is at work on the run.
    #[error(
        "another process is at work on the run in `{path}`; wait for it, or give this one another folder with `--out`"
    )]
    Locked {
        /// The run's folder.
        path: PathBuf,
    },
    /// There is no run.
    #[error("there is no run in `{path}`; start one with `widedeep eval DATA --out {path}`")]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds a run of something else.
    #[error(
        "`{path}` holds a run of another configuration: {differs}; give this run another folder with `--out`, or delete that one"
    )]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// Which parts differ, old and new.
        differs: String,
    },
    /// A newer program wrote it.
    #[error(
        "the run in `{path}` has format {found}, this program reads up to {FORMAT}; use the newer widedeep that wrote it"
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// SQLite failed.
    #[error("failed to {doing} the run's store `{path}`: {source}")]
    Sqlite {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A stored value cannot be read.
    #[error("the run's store `{path}` is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which value.
        reason: String,
    },
}

/// A recorded call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What was asked.
    pub request: Request,
    /// What came back.
    pub reply: Reply,
    /// Name of the model.
    pub model: String,
}

/// An open run. Calls go through one connection; SQLite and the mutex put them in order.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Mutex<Connection>,
    config: RunConfig,
    /// Held while the store is open for writing.
    _lock: Option<File>,
}

impl Store {
    /// Starts a run in `folder`, or goes on with the one that is there if it is of the same configuration and pairs.
    pub fn start(folder: &Path, config: &RunConfig, pairs: &[Pair]) -> Result<Self, StoreError> {
        let fault = |doing: &'static str| move |error: std::io::Error| path_error(doing, folder, &error);
        std::fs::create_dir_all(folder).map_err(fault("make the folder"))?;
        let lock = lock(folder)?;
        let path = folder.join(FILE);
        let connection = open(&path, rusqlite::OpenFlags::default())?;
        let at = |doing| sqlite(doing, &path);
        // Before anything is written: a newer program's file stays as it is.
        let known = read_config(&connection, &path, folder)?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
                 CREATE TABLE IF NOT EXISTS pairs (idx INTEGER PRIMARY KEY, pair TEXT NOT NULL);
                 CREATE TABLE IF NOT EXISTS calls (
                     key TEXT PRIMARY KEY, pair INTEGER NOT NULL, model TEXT NOT NULL,
                     request TEXT NOT NULL, reply TEXT NOT NULL) WITHOUT ROWID;
                 CREATE TABLE IF NOT EXISTS judged (pair INTEGER PRIMARY KEY, judged TEXT NOT NULL);",
            )
            .map_err(at("set up"))?;
        let known = if let Some(known) = known {
            known
        } else {
            first_rows(&connection, config, pairs).map_err(at("write"))?;
            config.clone()
        };
        if let Some(differs) = difference(&known, config) {
            return Err(StoreError::OtherRun {
                path: folder.to_owned(),
                differs,
            });
        }
        Ok(Self {
            path,
            connection: Mutex::new(connection),
            config: known,
            _lock: Some(lock),
        })
    }

    /// Opens the run in `folder` for reading.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Err(StoreError::NoRun {
                path: folder.to_owned(),
            });
        }
        // Not read-only for SQLite: a WAL left behind by a killed process is folded in by whoever opens the file next.
        let connection = open(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let config = read_config(&connection, &path, folder)?.ok_or_else(|| StoreError::NoRun {
            path: folder.to_owned(),
        })?;
        Ok(Self {
            path,
            connection: Mutex::new(connection),
            config,
            _lock: None,
        })
    }

    /// What the run is of.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// All pairs of the run, in source order.
    pub fn pairs(&self) -> Result<Vec<Pair>, StoreError> {
        self.rows("pair", "SELECT idx, pair FROM pairs ORDER BY idx")
    }

    /// All finished pairs, in source order.
    pub fn judged(&self) -> Result<Vec<Judged>, StoreError> {
        self.rows("verdict of pair", "SELECT pair, judged FROM judged ORDER BY pair")
    }

    /// Stores a finished pair.
    pub fn finish(&self, judged: &Judged) -> Result<(), StoreError> {
        self.finish_all(std::slice::from_ref(judged))
    }

    /// Stores finished pairs, in one commit.
    pub fn finish_all(&self, judged: &[Judged]) -> Result<(), StoreError> {
        let rows: Vec<(i64, String)> = judged
            .iter()
            .map(|judged| Ok((index(judged.pair.index), self.json(judged)?)))
            .collect::<Result<_, StoreError>>()?;
        let connection = self.connection();
        let write = || -> Result<(), rusqlite::Error> {
            let transaction = connection.unchecked_transaction()?;
            for (pair, json) in &rows {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO judged (pair, judged) VALUES (?1, ?2)")?
                    .execute(params![pair, json])?;
            }
            transaction.commit()
        };
        write().map_err(sqlite("write", &self.path))
    }

    /// The reply to a call that was made before.
    pub fn reply(&self, key: &CallKey) -> Result<Option<Reply>, StoreError> {
        let json: Option<String> = self
            .connection()
            .prepare_cached("SELECT reply FROM calls WHERE key = ?1")
            .and_then(|mut statement| statement.query_row(params![key.as_str()], |row| row.get(0)).optional())
            .map_err(sqlite("read", &self.path))?;
        json.map(|json| self.value(&json, || format!("the reply of call {key}")))
            .transpose()
    }

    /// A call with its request.
    pub fn call(&self, key: &CallKey) -> Result<Option<Call>, StoreError> {
        let row: Option<(String, String, String)> = self
            .connection()
            .prepare_cached("SELECT request, reply, model FROM calls WHERE key = ?1")
            .and_then(|mut statement| {
                statement
                    .query_row(params![key.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                    .optional()
            })
            .map_err(sqlite("read", &self.path))?;
        row.map(|(request, reply, model)| {
            Ok(Call {
                request: self.value(&request, || format!("the request of call {key}"))?,
                reply: self.value(&reply, || format!("the reply of call {key}"))?,
                model,
            })
        })
        .transpose()
    }

    /// Commits calls, all of them or none.
    pub fn record(&self, model: &str, calls: &[(CallKey, &Request, &Reply)]) -> Result<(), StoreError> {
        let rows: Vec<(&str, i64, String, String)> = calls
            .iter()
            .map(|(key, request, reply)| {
                let pair = i64::try_from(request.origin.pair).unwrap_or(i64::MAX);
                Ok((key.as_str(), pair, self.json(request)?, self.json(reply)?))
            })
            .collect::<Result<_, StoreError>>()?;
        let mut connection = self.connection();
        let mut write = || -> Result<(), rusqlite::Error> {
            let transaction = connection.transaction()?;
            {
                let mut statement = transaction.prepare_cached(
                    "INSERT OR IGNORE INTO calls (key, pair, model, request, reply) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?;
                for (key, pair, request, reply) in &rows {
                    statement.execute(params![key, pair, model, request, reply])?;
                }
            }
            transaction.commit()
        };
        write().map_err(sqlite("write", &self.path))
    }

    /// How many calls are recorded.
    pub fn calls(&self) -> Result<u64, StoreError> {
        let count: i64 = self
            .connection()
            .query_row("SELECT count(*) FROM calls", [], |row| row.get(0))
            .map_err(sqlite("read", &self.path))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Rows of an index and a JSON text; `what` is what the texts are, for errors.
    fn rows<T: serde::de::DeserializeOwned>(&self, what: &str, query: &str) -> Result<Vec<T>, StoreError> {
        let texts: Vec<(i64, String)> = {
            let connection = self.connection();
            let mut statement = connection.prepare(query).map_err(sqlite("read", &self.path))?;
            let rows = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .map_err(sqlite("read", &self.path))?;
            rows.collect::<Result<_, _>>().map_err(sqlite("read", &self.path))?
        };
        texts
            .iter()
            .map(|(index, text)| self.value(text, || format!("{what} {index}")))
            .collect()
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held leaves at worst an open transaction, which SQLite rolls back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
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

fn index(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

fn path_error(doing: &'static str, path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Path {
        doing,
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

fn sqlite(doing: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Sqlite {
        doing,
        path: path.clone(),
        source,
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

/// The configuration; `None` where no run was started, be it that the process ended before its first rows were committed.
fn read_config(connection: &Connection, path: &Path, folder: &Path) -> Result<Option<RunConfig>, StoreError> {
    let started = connection.table_exists(None, "meta").map_err(sqlite("read", path))?;
    if !started {
        return Ok(None);
    }
    let meta = |key: &str| -> Result<Option<rusqlite::types::Value>, StoreError> {
        connection
            .query_row("SELECT value FROM meta WHERE key = ?1", params![key], |row| row.get(0))
            .optional()
            .map_err(sqlite("read", path))
    };
    match meta("format")? {
        None => return Ok(None),
        Some(rusqlite::types::Value::Integer(found)) if found > FORMAT => {
            return Err(StoreError::Newer {
                path: folder.to_owned(),
                found,
            });
        }
        Some(_) => {}
    }
    let damaged = |reason: String| StoreError::Damaged {
        path: path.to_owned(),
        reason,
    };
    match meta("config")? {
        Some(rusqlite::types::Value::Text(json)) => serde_json::from_str(&json)
            .map(Some)
            .map_err(|error| damaged(format!("its configuration cannot be read: {error}"))),
        _ => Err(damaged("its configuration is missing".to_owned())),
    }
}

/// Configuration and pairs in one transaction: a run that exists is complete.
fn first_rows(connection: &Connection, config: &RunConfig, pairs: &[Pair]) -> Result<(), rusqlite::Error> {
    let transaction = connection.unchecked_transaction()?;
    for pair in pairs {
        transaction
            .prepare_cached("INSERT INTO pairs (idx, pair) VALUES (?1, ?2)")?
            .execute(params![index(pair.index), to_json(pair)?])?;
    }
    transaction.execute(
        "INSERT INTO meta (key, value) VALUES ('config', ?1)",
        params![to_json(config)?],
    )?;
    transaction.execute("INSERT INTO meta (key, value) VALUES ('format', ?1)", params![FORMAT])?;
    transaction.commit()
}

fn to_json(value: &impl serde::Serialize) -> Result<String, rusqlite::Error> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Which parts of two configurations differ, in words; the program's version may.
fn difference(old: &RunConfig, new: &RunConfig) -> Option<String> {
    let parts = |config: &RunConfig| {
        // By way of text, in which a temperature of 0.7 is 0.7 and not the double nearest to its single-precision number.
        let text = serde_json::to_string(config).unwrap_or_default();
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(map) = value.as_object_mut() {
            map.remove("widedeep");
        }
        // The hash of what was read says which data it is; where the file lies may change.
        if let Some(map) = value.get_mut("data").and_then(serde_json::Value::as_object_mut) {
            map.remove("path");
        }
        let mut flat = Vec::new();
        flatten("", &value, &mut flat);
        flat
    };
    let (old, new) = (parts(old), parts(new));
    let mut differs: Vec<String> = Vec::new();
    for (path, value) in &old {
        match new.iter().find(|(other, _)| other == path) {
            Some((_, other)) if other == value => {}
            Some((_, other)) => differs.push(format!("`{path}` was {value} and is {other}")),
            None => differs.push(format!("`{path}` was {value} and is unset")),
        }
    }
    for (path, value) in &new {
        if !old.iter().any(|(other, _)| other == path) {
            differs.push(format!("`{path}` was unset and is {value}"));
        }
    }
    (!differs.is_empty()).then(|| differs.join(", "))
}

fn flatten(path: &str, value: &serde_json::Value, into: &mut Vec<(String, String)>) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        serde_json::Value::Object(map) => map.iter().for_each(|(key, value)| flatten(&below(key), value, into)),
        serde_json::Value::Array(values) => {
            values
                .iter()
                .enumerate()
                .for_each(|(i, value)| flatten(&below(&i.to_string()), value, into));
        }
        // As good as absent: an option that was not given.
        serde_json::Value::Null => {}
        other => into.push((path.to_owned(), other.to_string())),
    }
}
