//! The ledger: one row for every request that was sent, or that a cache of replies answered.

use rusqlite::{Connection, Row, Transaction, params};

use super::Store;
use super::error::{StoreError, sqlite};
use crate::chat::Origin;
use crate::chat::openai::{AttemptResult, Capabilities, Change};
use crate::cost::{self, Served, Stage, Tokens};

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Who asked; `None` for requests that find out what an endpoint can do.
    pub origin: Option<Origin>,
    /// Name of the model.
    pub model: String,
    /// Counts the requests of one call, from 1.
    pub number: u32,
    /// By whom it was answered.
    pub served: Served,
    /// What came of it; `None` while nobody knows, which is how it stays when the process is killed.
    pub result: Option<AttemptResult>,
    /// What it took; `None` if the server did not say.
    pub tokens: Option<Tokens>,
    /// The most that it can have taken.
    pub most: Tokens,
    /// Seconds from sending to the answer's end.
    pub seconds: f64,
}

/// A row of the ledger whose request is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryId(pub(in crate::run) i64);

pub(super) fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn tokens_of(row: &Row<'_>, first: usize) -> Result<Tokens, rusqlite::Error> {
    let get = |column: usize| -> Result<u64, rusqlite::Error> {
        Ok(u64::try_from(row.get::<_, Option<i64>>(column)?.unwrap_or(0)).unwrap_or(0))
    };
    Ok(Tokens {
        prompt: get(first)?,
        cached_prompt: get(first + 1)?,
        completion: get(first + 2)?,
    })
}

pub(super) fn insert(transaction: &Transaction<'_>, entry: &Entry) -> Result<EntryId, rusqlite::Error> {
    let origin = entry.origin;
    transaction
        .prepare_cached(
            "INSERT INTO requests (pair, stage, neuron, attempt, number, model, served, result, prompt, cached_prompt, completion,
                 most_prompt, most_completion, seconds)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            origin.map(|origin| number(origin.pair)),
            origin.map(|origin| origin.stage),
            origin.map(|origin| origin.neuron),
            origin.map(|origin| origin.attempt),
            entry.number,
            entry.model,
            entry.served.name(),
            entry.result.map(AttemptResult::name),
            entry.tokens.map(|tokens| number(tokens.prompt)),
            entry.tokens.map(|tokens| number(tokens.cached_prompt)),
            entry.tokens.map(|tokens| number(tokens.completion)),
            number(entry.most.prompt),
            number(entry.most.completion),
            entry.seconds,
        ])?;
    Ok(EntryId(transaction.last_insert_rowid()))
}

fn settle(transaction: &Transaction<'_>, id: EntryId, entry: &Entry) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached(
            "UPDATE requests SET result = ?2, prompt = ?3, cached_prompt = ?4, completion = ?5, seconds = ?6 WHERE id = ?1",
        )?
        .execute(params![
            id.0,
            entry.result.map(AttemptResult::name),
            entry.tokens.map(|tokens| number(tokens.prompt)),
            entry.tokens.map(|tokens| number(tokens.cached_prompt)),
            entry.tokens.map(|tokens| number(tokens.completion)),
            entry.seconds,
        ])?;
    Ok(())
}

impl Store {
    /// Enters requests; they are committed before anything that is written after them, and nobody has to wait.
    pub fn enter(&self, entries: Vec<Entry>) {
        drop(self.write("write", move |transaction| {
            entries
                .iter()
                .try_for_each(|entry| insert(transaction, entry).map(drop))
        }));
    }

    /// Enters requests before they are sent: the future ends when the rows are on disk, so that even a killed process has accounted for them.
    pub async fn reserve(&self, entries: Vec<Entry>) -> Result<Vec<EntryId>, StoreError> {
        self.write("write", move |transaction| {
            entries.iter().map(|entry| insert(transaction, entry)).collect()
        })
        .await
    }

    /// Enters what came of a request that was reserved.
    pub fn settle(&self, id: EntryId, entry: Entry) {
        drop(self.write("write", move |transaction| settle(transaction, id, &entry)));
    }

    /// The sums of the ledger, by model, stage, neuron, first request or repetition, and by whom requests were answered.
    pub fn ledger(&self) -> Result<Vec<cost::Line>, StoreError> {
        let read = |connection: &Connection| -> Result<Vec<cost::Line>, rusqlite::Error> {
            // Requests that were refused cost nothing. Of those that nobody knows about the most is assumed.
            let mut statement = connection.prepare(
                "SELECT model, stage, neuron, (coalesce(attempt, 0) > 0 OR number > 1) AS retry, served, count(*),
                     sum(prompt), sum(cached_prompt), sum(completion),
                     sum(unknown), sum(unknown * most_prompt), sum(unknown * 0), sum(unknown * most_completion)
                 FROM (SELECT *, prompt IS NULL AND (result IS NULL OR result IN ('no-answer', 'answered', 'unusable')) AS unknown
                       FROM requests)
                 GROUP BY model, stage, neuron, retry, served
                 ORDER BY stage, neuron, model, retry, served",
            )?;
            let rows = statement.query_map([], |row| {
                let stage: Option<u32> = row.get(1)?;
                let neuron: Option<u32> = row.get(2)?;
                let served: String = row.get(4)?;
                let count = |column: usize| -> Result<u64, rusqlite::Error> {
                    Ok(u64::try_from(row.get::<_, Option<i64>>(column)?.unwrap_or(0)).unwrap_or(0))
                };
                Ok(cost::Line {
                    model: row.get(0)?,
                    stage: stage.map(Stage::numbered),
                    neuron: neuron.map(|neuron| neuron as usize),
                    attempt: if row.get(3)? {
                        cost::Attempt::Retry
                    } else {
                        cost::Attempt::First
                    },
                    served: Served::named(&served).unwrap_or(Served::Model),
                    requests: count(5)?,
                    tokens: tokens_of(row, 6)?,
                    unknown: count(9)?,
                    unknown_at_most: tokens_of(row, 10)?,
                })
            })?;
            rows.collect()
        };
        read(&self.reader()).map_err(sqlite("read", &self.path))
    }

    /// Seconds that processes were at work on the run, all of them together.
    pub fn seconds(&self) -> Result<f64, StoreError> {
        self.reader()
            .query_row("SELECT coalesce(sum(seconds), 0) FROM sessions", [], |row| row.get(0))
            .map_err(sqlite("read", &self.path))
    }

    /// Keeps what an endpoint can do, so that a run that goes on asks it the same way.
    pub fn keep_capabilities(&self, endpoint: &str, capabilities: &Capabilities) -> Result<(), StoreError> {
        let (endpoint, capabilities) = (endpoint.to_owned(), self.json(capabilities)?);
        pollster::block_on(self.write("write", move |transaction| {
            transaction.execute(
                "INSERT OR IGNORE INTO endpoints (name, capabilities) VALUES (?1, ?2)",
                params![endpoint, capabilities],
            )
        }))?;
        Ok(())
    }

    /// What the endpoints of the run can do, by name.
    pub fn capabilities(&self) -> Result<Vec<(String, Capabilities)>, StoreError> {
        let texts: Vec<(String, String)> = self.texts("SELECT name, capabilities FROM endpoints ORDER BY name")?;
        texts
            .into_iter()
            .map(|(name, text)| {
                let can = self.value(&text, || format!("what the endpoint {name} can do"))?;
                Ok((name, can))
            })
            .collect()
    }

    /// Keeps a change of an endpoint's concurrency; nobody has to wait.
    pub fn keep_change(&self, endpoint: &str, change: &Change) {
        let (endpoint, change) = (endpoint.to_owned(), serde_json::to_string(change).unwrap_or_default());
        drop(self.write("write", move |transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO concurrency (endpoint, session, change) SELECT ?1, max(id), ?2 FROM sessions",
                )?
                .execute(params![endpoint, change])
                .map(drop)
        }));
    }

    /// How the number of requests at a time went, by endpoint, in the order of the changes.
    pub fn changes(&self) -> Result<Vec<(String, Change)>, StoreError> {
        let texts: Vec<(String, String)> = self.texts("SELECT endpoint, change FROM concurrency ORDER BY rowid")?;
        texts
            .into_iter()
            .map(|(name, text)| {
                let change = self.value(&text, || format!("a change of the endpoint {name}"))?;
                Ok((name, change))
            })
            .collect()
    }
}
