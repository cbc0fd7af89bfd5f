//! Replies that several runs share: a network that asks what another one has asked gets the same answer, for nothing.
//!
//! One SQLite file, which any number of processes may use at the same time. Losing the last replies in a power cut costs no more than asking again,
//! so its commits do not wait for the disk.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use super::store::sqlite;
use crate::chat::{CallKey, Reply, Request};

/// What the file calls itself (`PRAGMA application_id`): "wdcc".
const APPLICATION: i32 = 0x7764_6363;

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
        connection.busy_timeout(Duration::from_secs(10)).map_err(at("open"))?;
        let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0));
        let is_empty = pragma("schema_version").map_err(at("read"))? == 0;
        if !is_empty && pragma("application_id").map_err(at("read"))? != APPLICATION {
            return Err(StoreError::Damaged {
                path: path.to_owned(),
                reason: "it is no cache of calls; give another file with `--cache`".to_owned(),
            });
        }
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA application_id = {APPLICATION};
                 CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, model TEXT NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL);"
            ))
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
