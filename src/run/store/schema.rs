//! The tables of a run, and what must be true of a file before it is used.
//!
//! `meta` (format version, frozen configuration), `pairs`, `calls` (by key: request and reply), `judged` (one row per finished pair), `requests` (the
//! ledger: one row per request that was sent, or answered from a cache), `sessions` (when processes were at work, and for how long), `endpoints`
//! (what a probe found), `concurrency` (how the number of requests at a time went), `batches` (files of requests that were handed over, or are
//! about to be) and `batch_requests` (what is in them, and where the answers stand). Values are JSON texts; columns are what is searched or
//! summed by.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::error::{StoreError, sqlite};
use crate::pair::Pair;
use crate::run::RunConfig;

/// Version of the tables; raised when an older program could misread them.
pub(super) const FORMAT: i64 = 2;

/// Makes the tables that are not there yet.
pub(super) fn make(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS pairs (idx INTEGER PRIMARY KEY, pair TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS calls (
             key TEXT PRIMARY KEY, pair INTEGER NOT NULL, model TEXT NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS judged (
             pair INTEGER PRIMARY KEY, label TEXT, verdict TEXT, judged TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS requests (
             id INTEGER PRIMARY KEY, pair INTEGER, stage INTEGER, neuron INTEGER, attempt INTEGER, number INTEGER NOT NULL,
             model TEXT NOT NULL, served TEXT NOT NULL, result TEXT,
             prompt INTEGER, cached_prompt INTEGER, completion INTEGER,
             most_prompt INTEGER NOT NULL, most_completion INTEGER NOT NULL, seconds REAL NOT NULL);
         CREATE TABLE IF NOT EXISTS sessions (id INTEGER PRIMARY KEY, started_ms INTEGER NOT NULL, seconds REAL NOT NULL);
         CREATE TABLE IF NOT EXISTS endpoints (name TEXT PRIMARY KEY, capabilities TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS concurrency (endpoint TEXT NOT NULL, session INTEGER NOT NULL, change TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS batches (
             id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, tag TEXT NOT NULL, planned_s INTEGER NOT NULL, input_file TEXT, remote TEXT,
             state TEXT NOT NULL, why TEXT);
         CREATE TABLE IF NOT EXISTS batch_requests (
             batch INTEGER NOT NULL, custom_id TEXT NOT NULL, request INTEGER NOT NULL, file TEXT, at INTEGER, bytes INTEGER,
             PRIMARY KEY (custom_id, batch)) WITHOUT ROWID;
         CREATE INDEX IF NOT EXISTS requests_of_batch ON batch_requests (batch);",
    )
}

/// From here on commits go into a log first, so that readers do not wait for them. Not before the first rows: those of a large source would be
/// written twice.
pub(super) fn log_ahead(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
}

/// The configuration; `None` where no run was started, be it that the process ended before its first rows were committed.
pub(super) fn read_config(
    connection: &Connection,
    path: &Path,
    folder: &Path,
) -> Result<Option<RunConfig>, StoreError> {
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
        Some(rusqlite::types::Value::Integer(found)) if found < FORMAT => {
            return Err(StoreError::Older {
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
pub(super) fn first_rows<E: From<StoreError>>(
    connection: &Connection,
    path: &Path,
    config: &RunConfig,
    pairs: impl IntoIterator<Item = Result<Pair, E>>,
) -> Result<(), E> {
    let at = || sqlite("write", path);
    let transaction = connection.unchecked_transaction().map_err(at())?;
    let insert = |pair: &Pair| {
        transaction
            .prepare_cached("INSERT INTO pairs (idx, pair) VALUES (?1, ?2)")?
            .execute(params![index(pair.index), to_json(pair)?])
    };
    for pair in pairs {
        insert(&pair?).map_err(at())?;
    }
    let finish = || {
        transaction.execute(
            "INSERT INTO meta (key, value) VALUES ('config', ?1)",
            params![to_json(config)?],
        )?;
        transaction.execute("INSERT INTO meta (key, value) VALUES ('format', ?1)", params![FORMAT])
    };
    finish().map_err(at())?;
    Ok(transaction.commit().map_err(at())?)
}

/// A pair's index as SQLite has it.
pub(super) fn index(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

fn to_json(value: &impl serde::Serialize) -> Result<String, rusqlite::Error> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
