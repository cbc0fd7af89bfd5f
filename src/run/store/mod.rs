//! The run on disk: one SQLite file in WAL mode.
//!
//! One thread writes ([`writer`]); readers have a connection of their own. The tables are described in [`schema`]. A newer format version is
//! refused politely.

mod batches;
mod difference;
mod error;
mod ledger;
mod schema;
mod writer;

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pollster::block_on;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

pub use self::batches::{BatchId, OpenBatch};
pub(in crate::run) use self::batches::{BatchState, NewBatch, Place, Settled};
use self::difference::difference;
pub use self::error::StoreError;
use self::error::path_error;
pub(in crate::run) use self::error::sqlite;
pub use self::ledger::{Entry, EntryId};
use self::schema::{first_rows, index, read_config};
use self::writer::Writer;
use super::{Judged, RunConfig};
use crate::chat::{CallKey, Reply, Request};
use crate::network::Evaluation;
use crate::network::aggregate::Decision;
use crate::pair::{Label, Pair};

/// The store's file name within a run's folder.
pub const FILE: &str = "run.sqlite";

/// Human label and verdict of a finished pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Index of the pair.
    pub pair: usize,
    /// What people said.
    pub label: Option<Label>,
    /// What the judge says; `None` when every opinion is missing.
    pub verdict: Option<Label>,
}

/// What a finished pair's row holds beside its columns.
#[derive(Serialize, Deserialize)]
struct Made<'a> {
    decision: Option<Decision>,
    evaluation: Option<Cow<'a, Evaluation>>,
}

/// A finished pair as it lies in the tables.
struct Row {
    index: i64,
    pair: String,
    verdict: Option<String>,
    made: String,
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

    /// All pairs of the run, in source order.
    pub fn pairs(&self) -> Result<Vec<Pair>, StoreError> {
        let texts: Vec<(i64, String)> = self.texts("SELECT idx, pair FROM pairs ORDER BY idx")?;
        texts
            .iter()
            .map(|(index, text)| self.value(text, || format!("pair {index}")))
            .collect()
    }

    /// How many pairs the run is of.
    pub fn size(&self) -> Result<usize, StoreError> {
        let size: i64 = self
            .reader()
            .query_row("SELECT count(*) FROM pairs", [], |row| row.get(0))
            .map_err(sqlite("read", &self.path))?;
        Ok(usize::try_from(size).unwrap_or(0))
    }

    /// Indices of the pairs without a verdict, in source order.
    pub fn open_pairs(&self) -> Result<Vec<usize>, StoreError> {
        let rows: Vec<(i64, i64)> =
            self.texts("SELECT idx, idx FROM pairs WHERE idx NOT IN (SELECT pair FROM judged) ORDER BY idx")?;
        Ok(rows
            .into_iter()
            .filter_map(|(index, _)| usize::try_from(index).ok())
            .collect())
    }

    /// One pair.
    pub fn pair(&self, of: usize) -> Result<Pair, StoreError> {
        let text: String = self
            .reader()
            .prepare_cached("SELECT pair FROM pairs WHERE idx = ?1")
            .and_then(|mut statement| statement.query_row(params![index(of)], |row| row.get(0)))
            .map_err(sqlite("read", &self.path))?;
        self.value(&text, || format!("pair {of}"))
    }

    /// Human label and verdict of every finished pair, in source order.
    pub fn outcomes(&self) -> Result<Vec<Outcome>, StoreError> {
        let at = || sqlite("read", &self.path);
        let connection = self.reader();
        let mut statement = connection
            .prepare("SELECT pair, label, verdict FROM judged ORDER BY pair")
            .map_err(at())?;
        let mut rows = statement.query([]).map_err(at())?;
        let mut outcomes = Vec::new();
        while let Some(row) = rows.next().map_err(at())? {
            let pair: i64 = row.get(0).map_err(at())?;
            let (gold, verdict): (Option<String>, Option<String>) =
                row.get(1).and_then(|gold| Ok((gold, row.get(2)?))).map_err(at())?;
            outcomes.push(Outcome {
                pair: usize::try_from(pair).unwrap_or(usize::MAX),
                label: self.label(gold.as_deref(), pair)?,
                verdict: self.label(verdict.as_deref(), pair)?,
            });
        }
        Ok(outcomes)
    }

    /// All finished pairs, in source order.
    pub fn judged(&self) -> Result<Vec<Judged>, StoreError> {
        let mut all = Vec::new();
        self.each_judged(|judged| {
            all.push(judged);
            Ok::<(), StoreError>(())
        })?;
        Ok(all)
    }

    /// Hands over the finished pairs one by one, in source order, until one is refused: memory does not grow with their number.
    pub fn each_judged<E: From<StoreError>>(&self, mut take: impl FnMut(Judged) -> Result<(), E>) -> Result<(), E> {
        let mut after = -1;
        loop {
            // Page by page, so that whoever takes a pair may read its calls.
            let page = self.judged_after(after).map_err(sqlite("read", &self.path))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.index;
            for row in page {
                take(self.judged_row(&row)?)?;
            }
        }
    }

    fn judged_after(&self, index: i64) -> Result<Vec<Row>, rusqlite::Error> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT idx, pairs.pair, verdict, judged FROM judged JOIN pairs ON idx = judged.pair WHERE idx > ?1 ORDER BY idx LIMIT 64",
        )?;
        let rows = statement.query_map(params![index], |row| {
            Ok(Row {
                index: row.get(0)?,
                pair: row.get(1)?,
                verdict: row.get(2)?,
                made: row.get(3)?,
            })
        })?;
        rows.collect()
    }

    fn judged_row(&self, row: &Row) -> Result<Judged, StoreError> {
        let index = row.index;
        let made: Made<'static> = self.value(&row.made, || format!("verdict of pair {index}"))?;
        Ok(Judged {
            pair: self.value(&row.pair, || format!("pair {index}"))?,
            verdict: self.label(row.verdict.as_deref(), index)?,
            decision: made.decision,
            evaluation: made.evaluation.map(Cow::into_owned),
        })
    }

    fn label(&self, text: Option<&str>, pair: i64) -> Result<Option<Label>, StoreError> {
        let named = |text: &str| {
            Label::ALL
                .into_iter()
                .find(|label| label.name() == text)
                .ok_or_else(|| StoreError::Damaged {
                    path: self.path.clone(),
                    reason: format!("pair {pair} has the label or verdict `{text}`, which does not exist"),
                })
        };
        text.map(named).transpose()
    }

    /// Stores a finished pair.
    pub fn finish(&self, judged: &Judged) -> Result<(), StoreError> {
        self.finish_all(std::slice::from_ref(judged))
    }

    /// Stores finished pairs, in one commit.
    pub fn finish_all(&self, judged: &[Judged]) -> Result<(), StoreError> {
        block_on(self.finishing(judged)?)
    }

    /// The same without holding up a thread: the future ends when the pairs are committed.
    pub fn finishing(
        &self,
        judged: &[Judged],
    ) -> Result<impl Future<Output = Result<(), StoreError>> + Send + use<>, StoreError> {
        let rows: Vec<(i64, Option<&'static str>, Option<&'static str>, String)> = judged
            .iter()
            .map(|judged| {
                let made = Made {
                    decision: judged.decision,
                    evaluation: judged.evaluation.as_ref().map(Cow::Borrowed),
                };
                Ok((
                    index(judged.pair.index),
                    judged.pair.label.map(Label::name),
                    judged.verdict.map(Label::name),
                    self.json(&made)?,
                ))
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(self.write("write", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "INSERT OR REPLACE INTO judged (pair, label, verdict, judged) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (pair, label, verdict, judged) in &rows {
                statement.execute(params![pair, label, verdict, judged])?;
            }
            Ok(())
        }))
    }

    /// Takes the verdicts of these pairs back, so that they are judged again: replies that are there already are not asked for again. Says how
    /// many.
    pub fn reopen(&self, which: &dyn Fn(&Judged) -> bool) -> Result<usize, StoreError> {
        let mut pairs: Vec<i64> = Vec::new();
        self.each_judged(|judged| {
            if which(&judged) {
                pairs.push(index(judged.pair.index));
            }
            Ok::<(), StoreError>(())
        })?;
        block_on(self.write("write", move |transaction| {
            let mut statement = transaction.prepare_cached("DELETE FROM judged WHERE pair = ?1")?;
            for pair in &pairs {
                statement.execute(params![pair])?;
            }
            Ok(pairs.len())
        }))
    }

    /// The reply to a call that was made before.
    pub fn reply(&self, key: &CallKey) -> Result<Option<Reply>, StoreError> {
        let json: Option<String> = self
            .reader()
            .prepare_cached("SELECT reply FROM calls WHERE key = ?1")
            .and_then(|mut statement| statement.query_row(params![key.as_str()], |row| row.get(0)).optional())
            .map_err(sqlite("read", &self.path))?;
        json.map(|json| self.value(&json, || format!("the reply of call {key}")))
            .transpose()
    }

    /// A call with its request.
    pub fn call(&self, key: &CallKey) -> Result<Option<Call>, StoreError> {
        let row: Option<(String, String, String)> = self
            .reader()
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
        block_on(self.recording(model, calls, Vec::new())?).map(drop)
    }

    /// Commits calls and ledger entries, all of them or none. The future says of each call whether it is the one that is kept: another may have
    /// been recorded under its key in the meantime.
    pub fn recording(
        &self,
        model: &str,
        calls: &[(CallKey, &Request, &Reply)],
        entries: Vec<Entry>,
    ) -> Result<impl Future<Output = Result<Vec<bool>, StoreError>> + Send + use<>, StoreError> {
        let rows: Vec<(CallKey, i64, String, String)> = calls
            .iter()
            .map(|(key, request, reply)| {
                let pair = i64::try_from(request.origin.pair).unwrap_or(i64::MAX);
                Ok((key.clone(), pair, self.json(request)?, self.json(reply)?))
            })
            .collect::<Result<_, StoreError>>()?;
        let model = model.to_owned();
        Ok(self.write("write", move |transaction| {
            entries
                .iter()
                .try_for_each(|entry| ledger::insert(transaction, entry).map(drop))?;
            let mut statement = transaction.prepare_cached(
                "INSERT OR IGNORE INTO calls (key, pair, model, request, reply) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            rows.iter()
                .map(|(key, pair, request, reply)| {
                    Ok(statement.execute(params![key.as_str(), pair, model, request, reply])? == 1)
                })
                .collect()
        }))
    }

    /// How many calls are recorded.
    pub fn calls(&self) -> Result<u64, StoreError> {
        let count: i64 = self
            .reader()
            .query_row("SELECT count(*) FROM calls", [], |row| row.get(0))
            .map_err(sqlite("read", &self.path))?;
        Ok(u64::try_from(count).unwrap_or(0))
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
