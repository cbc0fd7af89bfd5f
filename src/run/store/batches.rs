//! Batches: which requests were handed over as a file, and where what came back stands.
//!
//! A batch is planned before anything of it leaves this machine, so that a process that is killed at any instant leaves a trace of it. Its ledger
//! entries are made and settled in the same commits.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::error::sqlite;
use super::ledger::{self, EntryId};
use super::{Entry, Store, StoreError};
use crate::chat::openai::AttemptResult;
use crate::cost::Tokens;

/// A batch of the run. Its number is also the name of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(pub i64);

/// How far a batch is, as far as the run knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    /// It may have been created, or not.
    Planned,
    /// It was created.
    Submitted,
    /// What came of it lies in the run's folder.
    Collected,
    /// The endpoint refused it as a whole.
    Failed,
}

impl BatchState {
    const ALL: [Self; 4] = [Self::Planned, Self::Submitted, Self::Collected, Self::Failed];

    fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Submitted => "submitted",
            Self::Collected => "collected",
            Self::Failed => "failed",
        }
    }
}

/// A batch that is about to be made.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// Name of the model.
    pub endpoint: String,
    /// Tells it from all others, wherever they were made.
    pub tag: String,
    /// Seconds since 1970.
    pub planned_s: i64,
    /// The requests by the names that they have in files.
    pub requests: Vec<(String, Entry)>,
}

/// A batch whose outcome is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBatch {
    /// Number within the run.
    pub id: BatchId,
    /// Name of the model.
    pub endpoint: String,
    /// Tells it from all others.
    pub tag: String,
    /// When it was planned, in seconds since 1970.
    pub planned_s: i64,
    /// The endpoint's name for the request file, once it is uploaded.
    pub input_file: Option<String>,
    /// The endpoint's name for the batch, once it is created.
    pub remote: Option<String>,
    /// Requests in it.
    pub requests: u64,
    /// The most that they can take.
    pub most: Tokens,
}

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// File within the folder of batches.
    pub file: String,
    /// First byte.
    pub at: u64,
    /// Bytes, the line break left out.
    pub bytes: u64,
}

/// What became of a request in one of the batches that it was in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The batch.
    pub batch: BatchId,
    /// How far it is.
    pub state: BatchState,
    /// Where the answer stands, if one came.
    pub place: Option<Place>,
    /// Why the batch ended as it did, where there is something to say.
    pub why: Option<String>,
}

/// What came of a request.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The request's name in files.
    pub custom_id: String,
    /// Where it says so.
    pub place: Place,
    /// In a word.
    pub result: AttemptResult,
    /// What it took.
    pub tokens: Option<Tokens>,
}

/// What a batch has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchEnd {
    /// The names of all its requests.
    pub custom_ids: Vec<String>,
    /// What was paid; the most, for requests of which nobody says what they took.
    pub paid: Tokens,
}

fn state(row: &Row<'_>, column: usize) -> Result<BatchState, rusqlite::Error> {
    let name: String = row.get(column)?;
    let known = BatchState::ALL.into_iter().find(|state| state.name() == name);
    // A word of a newer program: as good as not known yet.
    Ok(known.unwrap_or(BatchState::Planned))
}

fn size(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

fn custom_ids(transaction: &Transaction<'_>, id: i64) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = transaction.prepare_cached("SELECT custom_id FROM batch_requests WHERE batch = ?1")?;
    let names = statement.query_map(params![id], |row| row.get(0))?;
    names.collect()
}

/// Requests that came to nothing cost nothing.
fn refuse_all(transaction: &Transaction<'_>, id: i64) -> Result<(), rusqlite::Error> {
    let refused = AttemptResult::Rejected.name();
    transaction
        .prepare_cached(
            "UPDATE requests SET result = ?2 WHERE id IN (SELECT request FROM batch_requests WHERE batch = ?1)",
        )?
        .execute(params![id, refused])
        .map(drop)
}

fn settle(transaction: &Transaction<'_>, id: i64, settled: &Settled) -> Result<(), rusqlite::Error> {
    let place = &settled.place;
    let request: Option<i64> = transaction
        .prepare_cached(
            "UPDATE batch_requests SET file = ?3, at = ?4, bytes = ?5 WHERE batch = ?1 AND custom_id = ?2 RETURNING request",
        )?
        .query_row(
            params![
                id,
                settled.custom_id,
                place.file,
                ledger::number(place.at),
                ledger::number(place.bytes)
            ],
            |row| row.get(0),
        )
        .optional()?;
    let tokens = |part: fn(Tokens) -> u64| settled.tokens.map(|tokens| ledger::number(part(tokens)));
    transaction
        .prepare_cached(
            "UPDATE requests SET result = ?2, prompt = ?3, cached_prompt = ?4, completion = ?5 WHERE id = ?1",
        )?
        .execute(params![
            request,
            settled.result.name(),
            tokens(|tokens| tokens.prompt),
            tokens(|tokens| tokens.cached_prompt),
            tokens(|tokens| tokens.completion),
        ])
        .map(drop)
}

impl Store {
    /// Plans a batch, and enters its requests at the most that they can take.
    pub(in crate::run) async fn plan_batch(&self, batch: NewBatch) -> Result<BatchId, StoreError> {
        self.write("write", move |transaction| {
            transaction.execute(
                "INSERT INTO batches (endpoint, tag, planned_s, state) VALUES (?1, ?2, ?3, ?4)",
                params![batch.endpoint, batch.tag, batch.planned_s, BatchState::Planned.name()],
            )?;
            let id = transaction.last_insert_rowid();
            for (custom_id, entry) in &batch.requests {
                let EntryId(request) = ledger::insert(transaction, entry)?;
                transaction
                    .prepare_cached("INSERT INTO batch_requests (batch, custom_id, request) VALUES (?1, ?2, ?3)")?
                    .execute(params![id, custom_id, request])?;
            }
            Ok(BatchId(id))
        })
        .await
    }

    /// Notes that a batch's request file was uploaded, before the batch is created of it.
    pub(in crate::run) async fn note_upload(&self, BatchId(id): BatchId, input_file: &str) -> Result<(), StoreError> {
        let input_file = input_file.to_owned();
        self.write("write", move |transaction| {
            let update = "UPDATE batches SET input_file = ?2 WHERE id = ?1";
            transaction.execute(update, params![id, input_file]).map(drop)
        })
        .await
    }

    /// Notes that a batch was created.
    pub(in crate::run) async fn note_creation(&self, BatchId(id): BatchId, remote: &str) -> Result<(), StoreError> {
        let remote = remote.to_owned();
        self.write("write", move |transaction| {
            let update = "UPDATE batches SET remote = ?2, state = ?3 WHERE id = ?1";
            let state = BatchState::Submitted.name();
            transaction.execute(update, params![id, remote, state]).map(drop)
        })
        .await
    }

    /// Forgets a batch that was planned and never created, with its ledger entries.
    pub(in crate::run) async fn forget_batch(&self, BatchId(id): BatchId) -> Result<BatchEnd, StoreError> {
        self.write("write", move |transaction| {
            let custom_ids = custom_ids(transaction, id)?;
            transaction.execute(
                "DELETE FROM requests WHERE id IN (SELECT request FROM batch_requests WHERE batch = ?1)",
                params![id],
            )?;
            transaction.execute("DELETE FROM batch_requests WHERE batch = ?1", params![id])?;
            transaction.execute("DELETE FROM batches WHERE id = ?1", params![id])?;
            Ok(BatchEnd {
                custom_ids,
                paid: Tokens::default(),
            })
        })
        .await
    }

    /// Notes that the endpoint refused a batch as a whole, and settles its ledger entries.
    pub(in crate::run) async fn fail_batch(&self, BatchId(id): BatchId, why: &str) -> Result<BatchEnd, StoreError> {
        let why = why.to_owned();
        self.write("write", move |transaction| {
            refuse_all(transaction, id)?;
            let update = "UPDATE batches SET state = ?2, why = ?3 WHERE id = ?1";
            transaction.execute(update, params![id, BatchState::Failed.name(), why])?;
            Ok(BatchEnd {
                custom_ids: custom_ids(transaction, id)?,
                paid: Tokens::default(),
            })
        })
        .await
    }

    /// Notes what came of the requests of a batch that has ended, and settles its ledger entries; nothing came of those that are not among
    /// them, and `why` says why.
    pub(in crate::run) async fn collect_batch(
        &self,
        BatchId(id): BatchId,
        settled: Vec<Settled>,
        why: Option<String>,
    ) -> Result<BatchEnd, StoreError> {
        self.write("write", move |transaction| {
            refuse_all(transaction, id)?;
            settled.iter().try_for_each(|settled| settle(transaction, id, settled))?;
            let update = "UPDATE batches SET state = ?2, why = ?3 WHERE id = ?1";
            transaction.execute(update, params![id, BatchState::Collected.name(), why])?;
            // As the ledger's sums are made.
            let paid = transaction.query_row(
                "SELECT sum(coalesce(prompt, unknown * most_prompt)), sum(coalesce(cached_prompt, 0)),
                     sum(coalesce(completion, unknown * most_completion))
                 FROM (SELECT *, prompt IS NULL AND result IN ('no-answer', 'answered', 'unusable') AS unknown FROM requests
                       WHERE id IN (SELECT request FROM batch_requests WHERE batch = ?1))",
                params![id],
                |row| ledger::tokens_of(row, 0),
            )?;
            Ok(BatchEnd {
                custom_ids: custom_ids(transaction, id)?,
                paid,
            })
        })
        .await
    }

    /// The batches whose outcome is not known yet, the oldest first.
    pub fn open_batches(&self) -> Result<Vec<OpenBatch>, StoreError> {
        let connection = self.reader();
        let at = sqlite("read", &self.path);
        let mut statement = connection
            .prepare(
                "SELECT batches.id, endpoint, tag, planned_s, input_file, remote, count(*), sum(most_prompt), 0, sum(most_completion)
                 FROM batches JOIN batch_requests ON batch = batches.id JOIN requests ON requests.id = request
                 WHERE state IN ('planned', 'submitted') GROUP BY batches.id ORDER BY batches.id",
            )
            .map_err(&at)?;
        let rows = statement.query_map([], |row| {
            Ok(OpenBatch {
                id: BatchId(row.get(0)?),
                endpoint: row.get(1)?,
                tag: row.get(2)?,
                planned_s: row.get(3)?,
                input_file: row.get(4)?,
                remote: row.get(5)?,
                requests: size(row.get(6)?),
                most: ledger::tokens_of(row, 7)?,
            })
        });
        rows.and_then(Iterator::collect).map_err(&at)
    }

    /// What became of a request in the batches that it was in, the oldest first.
    pub(in crate::run) fn deliveries(&self, custom_id: &str) -> Result<Vec<Delivery>, StoreError> {
        let connection = self.reader();
        let at = sqlite("read", &self.path);
        let mut statement = connection
            .prepare_cached(
                "SELECT batch, state, file, at, bytes, why FROM batch_requests JOIN batches ON id = batch
                 WHERE custom_id = ?1 ORDER BY batch",
            )
            .map_err(&at)?;
        let rows = statement.query_map(params![custom_id], |row| {
            let place = match row.get::<_, Option<String>>(2)? {
                None => None,
                Some(file) => Some(Place {
                    file,
                    at: size(row.get(3)?),
                    bytes: size(row.get(4)?),
                }),
            };
            Ok(Delivery {
                batch: BatchId(row.get(0)?),
                state: state(row, 1)?,
                place,
                why: row.get(5)?,
            })
        });
        rows.and_then(Iterator::collect).map_err(&at)
    }

    /// Requests in the smallest batch that the endpoint refused for a reason with these words in it.
    pub(in crate::run) fn smallest_refused(&self, endpoint: &str, why: &str) -> Result<Option<u64>, StoreError> {
        let least: Option<i64> = self
            .reader()
            .query_row(
                "SELECT min((SELECT count(*) FROM batch_requests WHERE batch = id)) FROM batches
                 WHERE state = 'failed' AND endpoint = ?1 AND instr(lower(why), ?2) > 0",
                params![endpoint, why],
                |row| row.get(0),
            )
            .map_err(sqlite("read", &self.path))?;
        Ok(least.map(size))
    }
}
