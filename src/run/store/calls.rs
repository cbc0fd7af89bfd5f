//! The calls of a run: requests with their replies, by key.

use pollster::block_on;
use rusqlite::{OptionalExtension, params};

use super::error::sqlite;
use super::{Entry, Store, StoreError, ledger};
use crate::chat::{CallKey, Reply, Request};

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

impl Store {
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
}
