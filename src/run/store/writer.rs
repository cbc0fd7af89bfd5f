//! The one thread that writes: everything that waits for it goes into one commit.
//!
//! A commit waits for the disk, which takes milliseconds, while what it holds takes microseconds. So pairs that run at the same time share
//! their commits, and whoever waits for one waits without holding up a thread.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use futures::channel::oneshot;
use rusqlite::{Connection, Transaction, params};

use super::error::{StoreError, path_error};

/// Writes that share a commit at most.
const MOST: usize = 512;
type Work = dyn FnMut(&Transaction<'_>) -> Result<(), rusqlite::Error> + Send;

/// Something to write, and whom to tell when it is committed.
struct Task {
    work: Box<Work>,
    done: oneshot::Sender<Result<(), rusqlite::Error>>,
}

/// The hand that the rest of the program writes with.
#[derive(Debug)]
pub(super) struct Writer {
    tasks: Option<Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(connection: Connection, path: &Path) -> Result<Self, StoreError> {
        let session = Session::begin();
        let (tasks, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || work_off(connection, session, &inbox))
            .map_err(|error| path_error("start the writer of", path, &error))?;
        Ok(Self {
            tasks: Some(tasks),
            thread: Some(thread),
        })
    }

    /// Hands something over; the future ends when it is committed. It is written even if nobody waits. The work may be done a second time,
    /// when what shared its commit failed.
    pub(super) fn write<T, F>(&self, mut work: F) -> impl Future<Output = Result<T, rusqlite::Error>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnMut(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let (done, told) = oneshot::channel();
        let result = Arc::new(Mutex::new(None));
        let task = Task {
            work: Box::new({
                let result = Arc::clone(&result);
                move |transaction| {
                    let value = work(transaction)?;
                    *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
                    Ok(())
                }
            }),
            done,
        };
        // Should the thread have ended, the task is dropped, and with it the other end of `told`.
        let _ = self.tasks.as_ref().map(|tasks| tasks.send(task));
        async move {
            told.await.unwrap_or(Err(rusqlite::Error::UnwindingPanic))?;
            let value = result.lock().unwrap_or_else(PoisonError::into_inner).take();
            value.ok_or(rusqlite::Error::UnwindingPanic)
        }
    }
}

impl Drop for Writer {
    /// Waits until everything is written.
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer ended in a panic");
        }
    }
}

/// One process at work on a run. It is written down with the first thing that it writes, and its time with everything: a process that finds
/// nothing to do leaves no trace, and of one that is killed no time is lost up to its last write.
struct Session {
    id: Option<i64>,
    begun: Instant,
    started_ms: i64,
}

impl Session {
    fn begin() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            id: None,
            begun: Instant::now(),
            started_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        }
    }

    /// Writes the session down; the id is to be kept when that is committed.
    fn note(&self, connection: &Connection) -> Result<i64, rusqlite::Error> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let Some(id) = self.id else {
            connection.execute(
                "INSERT INTO sessions (started_ms, seconds) VALUES (?1, ?2)",
                params![self.started_ms, seconds],
            )?;
            return Ok(connection.last_insert_rowid());
        };
        connection
            .prepare_cached("UPDATE sessions SET seconds = ?1 WHERE id = ?2")?
            .execute(params![seconds, id])?;
        Ok(id)
    }
}

fn work_off(mut connection: Connection, mut session: Session, inbox: &Receiver<Task>) {
    while let Ok(first) = inbox.recv() {
        let mut tasks = vec![first];
        while tasks.len() < MOST
            && let Ok(task) = inbox.try_recv()
        {
            tasks.push(task);
        }
        if commit(&mut connection, &mut session, &mut tasks).is_ok() {
            for task in tasks {
                // Nobody may be waiting any more.
                let _ = task.done.send(Ok(()));
            }
        } else {
            // One by one, so that each is told of its own failure and none suffers from another's.
            for mut task in tasks {
                let result = commit(&mut connection, &mut session, std::slice::from_mut(&mut task));
                if let Err(error) = &result {
                    tracing::debug!(%error, "a write failed");
                }
                let _ = task.done.send(result);
            }
        }
    }
}

fn commit(connection: &mut Connection, session: &mut Session, tasks: &mut [Task]) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction()?;
    // First, since changes of concurrency are entered under the session.
    let id = session.note(&transaction)?;
    for task in tasks {
        (task.work)(&transaction)?;
    }
    transaction.commit()?;
    session.id = Some(id);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use pollster::block_on;

    use super::*;

    /// A store with a table that takes positive numbers only, and its writer.
    fn writer(path: &Path) -> Writer {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 CREATE TABLE sessions (id INTEGER PRIMARY KEY, started_ms INTEGER NOT NULL, seconds REAL NOT NULL);
                 CREATE TABLE numbers (n INTEGER PRIMARY KEY CHECK (n > 0));",
            )
            .unwrap();
        Writer::start(connection, path).unwrap()
    }

    fn insert(writer: &Writer, n: i64) -> impl Future<Output = Result<i64, rusqlite::Error>> + use<> {
        writer.write(move |transaction| {
            transaction.execute("INSERT INTO numbers VALUES (?1)", params![n])?;
            Ok(n)
        })
    }

    fn numbers(path: &Path) -> Vec<i64> {
        let connection = Connection::open(path).unwrap();
        let mut statement = connection.prepare("SELECT n FROM numbers ORDER BY n").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// Keeps the writer busy until the sender is dropped, so that what is handed over meanwhile shares a commit.
    fn held_up(writer: &Writer) -> std::sync::mpsc::Sender<()> {
        let (release, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        drop(writer.write(move |_| {
            let _ = wait.lock().unwrap_or_else(PoisonError::into_inner).recv();
            Ok(())
        }));
        release
    }

    #[test]
    fn a_failing_write_is_told_so_and_those_that_share_its_commit_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let writer = writer(&path);
        let release = held_up(&writer);
        let told: Vec<_> = [1, -1, 2, 2, 3].map(|n| insert(&writer, n)).into_iter().collect();
        drop(release);
        let told: Vec<Option<i64>> = told.into_iter().map(|told| block_on(told).ok()).collect();
        assert_eq!(told, [Some(1), None, Some(2), None, Some(3)]);
        assert_eq!(numbers(&path), [1, 2, 3]);
    }

    #[test]
    fn nothing_is_told_before_it_is_on_disk_and_all_is_written_before_the_writer_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let writer = writer(&path);
        for n in 1..=3 {
            block_on(insert(&writer, n)).unwrap();
            assert_eq!(numbers(&path).last(), Some(&n));
        }
        let release = held_up(&writer);
        // Nobody waits for these.
        (4..=1000).for_each(|n| drop(insert(&writer, n)));
        drop(release);
        drop(writer);
        assert_eq!(numbers(&path).len(), 1000);
    }
}
