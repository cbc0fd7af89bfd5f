//! What a batch brought: fetched into the run's folder, and noted line by line.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::{Served, locked};
use crate::chat::ChatError;
use crate::chat::openai::batch::{Batch, BatchApi};
use crate::cost::Tokens;
use crate::run::store::{Place, Settled};
use crate::run::{JudgeError, OpenBatch};

/// Reads a line.
pub(super) fn read(folder: &Path, place: &Place) -> io::Result<Vec<u8>> {
    let mut file = File::open(folder.join(&place.file))?;
    file.seek(SeekFrom::Start(place.at))?;
    let mut line = vec![0; usize::try_from(place.bytes).unwrap_or(usize::MAX)];
    file.read_exact(&mut line)?;
    Ok(line)
}

/// Fetches what an ended batch brought, and notes it. Gives the names of all its requests.
pub(super) async fn collect(
    run: &Served,
    api: &BatchApi,
    open: &OpenBatch,
    batch: &Batch,
) -> Result<Vec<String>, JudgeError> {
    let mut settled = Vec::new();
    for (nth, remote) in batch.files.iter().enumerate() {
        let name = format!("{:03}.output-{}.jsonl", open.id.0, nth + 1);
        let path = run.folder.join(&name);
        // Under its name it is complete.
        let part = path.with_extension("part");
        std::fs::create_dir_all(&run.folder).map_err(|error| disk(&run.folder, &error))?;
        api.download(remote, &part).await?;
        std::fs::rename(&part, &path).map_err(|error| disk(&path, &error))?;
        let api = api.clone();
        // It may have gigabytes, whose reading must not hold up an interruption.
        let surveyed =
            tokio::task::spawn_blocking(move || survey(&api, &path, &name).map_err(|error| disk(&path, &error)));
        settled.extend(surveyed.await.map_err(|error| ChatError::Backend {
            reason: error.to_string(),
        })??);
    }
    let why = (batch.status != "completed").then(|| format!("the batch is {}", batch.status));
    let end = run.store.collect_batch(open.id, settled, why).await?;
    let hold = locked(&run.holds).remove(&open.id);
    if let (Some(budget), Some(hold)) = (run.meter.budget(), hold) {
        budget.settle_batch(hold, &open.endpoint, end.paid, 0);
    }
    locked(&run.collected).insert(open.id);
    Ok(end.custom_ids)
}

/// Where the lines of a file stand and what they say in short; of several about one request the first counts.
fn survey(api: &BatchApi, path: &Path, name: &str) -> io::Result<Vec<Settled>> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut known = HashSet::new();
    let mut settled = Vec::new();
    let mut at = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = file.read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(settled);
        }
        let text = line.trim_ascii_end();
        match api.written(text) {
            Some(written) if known.insert(written.id.clone()) => settled.push(Settled {
                custom_id: written.id,
                place: Place {
                    file: name.to_owned(),
                    at,
                    bytes: text.len() as u64,
                },
                result: written.result,
                tokens: written.usage.map(Tokens::from),
            }),
            Some(_) => {}
            None if text.is_empty() => {}
            None => tracing::warn!(file = name, at, "a line is about no request"),
        }
        at += read as u64;
    }
}

fn disk(path: &Path, error: &io::Error) -> ChatError {
    ChatError::Backend {
        reason: format!("failed to keep `{}`: {error}", path.display()),
    }
}
