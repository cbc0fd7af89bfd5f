//! Replies that several runs share: a network that asks what another one has asked gets the same answer, for nothing.
//!
//! One SQLite file, which any number of processes may use at the same time. Losing the last replies in a power cut costs no more than asking again,
//! so its commits do not wait for the disk.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::StoreError;
use super::store::sqlite;
use crate::chat::{CallKey, Reply, Request};

/// What the file calls itself (`PRAGMA application_id`): "wdcc".
const APPLICATION: i32 = 0x7764_6363;

/// How long one process waits for another one's writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Does what SQLite may refuse at once although it was told to wait: it changes the journal's mode only where nobody else holds the file, and does not call the
/// busy handler for it. What is tried must do no harm when done twice.
fn until_free(mut attempt: impl FnMut() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

/// A cache of replies by call key.
#[derive(Debug)]
pub struct CallCache {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl CallCache {
    /// Opens the cache, or makes one where there is no file. A file that is something else is refused and left as it is.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let at = |doing| sqlite(doing, path);
        let connection = Connection::open(path).map_err(at("open"))?;
        connection.busy_timeout(PATIENCE).map_err(at("open"))?;
        let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0));
        let is_empty = pragma("schema_version").map_err(at("read"))? == 0;
        if !is_empty && pragma("application_id").map_err(at("read"))? != APPLICATION {
            return Err(StoreError::Damaged {
                path: path.to_owned(),
                reason: "it is no cache of calls; give another file with `--cache`".to_owned(),
            });
        }
        until_free(|| {
            connection.execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA application_id = {APPLICATION};
                 CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, model TEXT NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL);"
            ))
        })
        .map_err(at("set up"))?;
        Ok(Self {
            path: path.to_owned(),
            connection: Mutex::new(connection),
        })
    }

    /// The reply under a key.
    pub fn reply(&self, key: &CallKey) -> Result<Option<Reply>, StoreError> {
        let json: Option<String> = self
            .lock()
            .prepare_cached("SELECT reply FROM calls WHERE key = ?1")
            .and_then(|mut statement| statement.query_row(params![key.as_str()], |row| row.get(0)).optional())
            .map_err(sqlite("read", &self.path))?;
        json.map(|json| serde_json::from_str(&json))
            .transpose()
            .map_err(|error| self.damaged(&format!("the reply of call {key} cannot be read: {error}")))
    }

    /// Adds replies; those that are there already stay.
    pub fn add(&self, model: &str, calls: &[(CallKey, &Request, &Reply)]) -> Result<(), StoreError> {
        if calls.is_empty() {
            return Ok(());
        }
        let rows: Vec<(&str, String, String)> = calls
            .iter()
            .map(|(key, request, reply)| {
                Ok((
                    key.as_str(),
                    serde_json::to_string(request)?,
                    serde_json::to_string(reply)?,
                ))
            })
            .collect::<Result<_, serde_json::Error>>()
            .map_err(|error| self.damaged(&error.to_string()))?;
        let mut connection = self.lock();
        let mut write = || -> Result<(), rusqlite::Error> {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            for (key, request, reply) in &rows {
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO calls (key, model, request, reply) VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![key, model, request, reply])?;
            }
            transaction.commit()
        };
        write().map_err(sqlite("write", &self.path))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Connection> {
        // A panic while the lock was held leaves at worst an open transaction, which SQLite rolls back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn damaged(&self, reason: &str) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_may_be_opened_by_many_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..40 {
            let path = folder.path().join(format!("{round}.sqlite"));
            let start = std::sync::Barrier::new(8);
            std::thread::scope(|scope| {
                let open = || {
                    start.wait();
                    CallCache::open(&path).map(drop)
                };
                let opening: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
                for one in opening {
                    one.join().unwrap().unwrap();
                }
            });
        }
    }
}
