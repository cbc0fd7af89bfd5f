//! From parked requests to batches: files within the endpoint's bounds, each planned in the store before it leaves this machine.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::parked::Queued;
use super::{Collector, Served, locked};
use crate::chat::ChatError;
use crate::chat::openai::batch::BatchApi;
use crate::cost::{self, Tokens};
use crate::run::store::NewBatch;
use crate::run::{BatchId, Entry, JudgeError, OpenBatch, OverBudget};

/// Words in the reason for which OpenAI refuses a batch when an organisation has too many tokens waiting.
pub(super) const QUEUE_IS_FULL: &str = "token_limit";

/// A share of what is queued that can be handed over now.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    endpoint: String,
    requests: usize,
}

impl Collector {
    /// What can be handed over now. An error if the run's limit has no room for any of it, and nothing is under way that could make room.
    pub(super) fn ready(&self, run: &Served, open: &[OpenBatch]) -> Result<Vec<Ready>, JudgeError> {
        let parked = locked(&self.parked);
        let mut ready = Vec::new();
        let mut over = None;
        for endpoint in parked.endpoints() {
            let mut requests = allowance(run, &endpoint, open)?.min(parked.queued(&endpoint).len());
            if let Some(budget) = run.meter.budget() {
                let most = parked.queued(&endpoint)[..requests].iter();
                let affordable = budget.affords(&endpoint, most.map(|queued| queued.parcel.most.into()));
                requests = affordable.unwrap_or_else(|error| {
                    over = Some(error);
                    0
                });
            }
            if requests > 0 {
                ready.push(Ready { endpoint, requests });
            }
        }
        match over {
            Some(over) if ready.is_empty() && open.is_empty() => Err(over_budget(&over)),
            _ => Ok(ready),
        }
    }

    /// Hands over what is ready; every batch is entered into the list as it is made.
    pub(super) async fn submit(&self, run: &Served, ready: Ready, open: &mut Vec<OpenBatch>) -> Result<(), JudgeError> {
        let api = self.api(&ready.endpoint)?;
        let queued = locked(&self.parked).take(&ready.endpoint, ready.requests);
        for file in files(queued, self.settings.requests.get(), self.settings.bytes) {
            open.push(submit(run, &api, file).await?);
        }
        Ok(())
    }

    /// The Batch API of an endpoint.
    pub(super) fn api(&self, endpoint: &str) -> Result<BatchApi, JudgeError> {
        let api = locked(&self.apis).get(endpoint).cloned();
        api.ok_or_else(|| JudgeError::NoModel {
            name: endpoint.to_owned(),
        })
    }
}

pub(super) fn over_budget(over: &OverBudget) -> JudgeError {
    JudgeError::OverBudget {
        reason: over.to_string(),
    }
}

/// Requests that an endpoint is given at most: no bound, unless it has refused a batch because too much was waiting already. Then it is given half
/// as much, and nothing more until that is done.
fn allowance(run: &Served, endpoint: &str, open: &[OpenBatch]) -> Result<usize, JudgeError> {
    let Some(refused) = run.store.smallest_refused(endpoint, QUEUE_IS_FULL)? else {
        return Ok(usize::MAX);
    };
    if open.iter().any(|batch| batch.endpoint == endpoint) {
        return Ok(0);
    }
    Ok(usize::try_from(refused / 2).unwrap_or(usize::MAX).max(1))
}

/// Splits requests so that every file keeps within the bounds.
fn files(queued: Vec<Queued>, requests: usize, bytes: usize) -> Vec<Vec<Queued>> {
    let mut files: Vec<Vec<Queued>> = Vec::new();
    let mut size = 0;
    for queued in queued {
        let line = queued.parcel.line().len();
        match files.last_mut() {
            Some(file) if file.len() < requests && size + line <= bytes => {
                size += line;
                file.push(queued);
            }
            _ => {
                size = line;
                files.push(vec![queued]);
            }
        }
    }
    files
}

/// Makes a batch of these requests.
async fn submit(run: &Served, api: &BatchApi, queued: Vec<Queued>) -> Result<OpenBatch, JudgeError> {
    let requests: Vec<(String, Entry)> = queued.iter().map(|queued| entry(api, queued)).collect();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut open = OpenBatch {
        id: BatchId(0),
        endpoint: api.endpoint().to_owned(),
        tag: format!("{:032x}", rand::random::<u128>()),
        planned_s: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        input_file: None,
        remote: None,
        requests: requests.len() as u64,
        most: requests.iter().map(|(_, entry)| entry.most).sum(),
    };
    let hold = run
        .meter
        .budget()
        .map(|budget| budget.hold_batch(&open.endpoint, open.requests, open.most))
        .transpose()
        .map_err(|over| over_budget(&over))?;
    let plan = NewBatch {
        endpoint: open.endpoint.clone(),
        tag: open.tag.clone(),
        planned_s: open.planned_s,
        requests,
    };
    open.id = run.store.plan_batch(plan).await?;
    if let Some(hold) = hold {
        locked(&run.holds).insert(open.id, hold);
    }
    let path = run.folder.join(format!("{:03}.jsonl", open.id.0));
    write(&run.folder, &path, &queued).map_err(|error| ChatError::Backend {
        reason: format!("failed to write `{}`: {error}", path.display()),
    })?;
    // Whoever waits for them has the bodies.
    drop(queued);
    let input_file = api.upload(&path).await?;
    run.store.note_upload(open.id, &input_file).await?;
    let remote = api.create(&input_file, &open.tag).await?;
    run.store.note_creation(open.id, &remote.id).await?;
    tracing::info!(batch = remote.id, requests = open.requests, "submitted");
    open.input_file = Some(input_file);
    open.remote = Some(remote.id);
    Ok(open)
}

/// The ledger's entry of a request, under its name in files.
fn entry(api: &BatchApi, queued: &Queued) -> (String, Entry) {
    let parcel = &queued.parcel;
    let entry = Entry {
        origin: Some(parcel.origin),
        model: api.endpoint().to_owned(),
        number: queued.number,
        served: cost::Served::Batch,
        result: None,
        tokens: None,
        most: Tokens::from(parcel.most),
        seconds: 0.0,
    };
    (parcel.id.clone(), entry)
}

fn write(folder: &Path, path: &Path, queued: &[Queued]) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut file = io::BufWriter::new(std::fs::File::create(path)?);
    for queued in queued {
        file.write_all(&queued.parcel.line())?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::openai::batch::Parcel;
    use crate::chat::{Origin, Usage};

    fn queued(n: usize) -> Vec<Queued> {
        (0..n)
            .map(|i| Queued {
                parcel: Parcel {
                    id: format!("{i:064}"),
                    endpoint: String::new(),
                    body: vec![b'x'; 100].into(),
                    origin: Origin::default(),
                    most: Usage::default(),
                },
                number: 1,
            })
            .collect()
    }

    fn sizes(files: &[Vec<Queued>]) -> Vec<usize> {
        files.iter().map(Vec::len).collect()
    }

    #[test]
    fn files_keep_within_requests_and_bytes_and_lose_nothing() {
        let line = queued(1)[0].parcel.line().len();
        assert_eq!(sizes(&files(queued(7), 3, usize::MAX)), [3, 3, 1]);
        assert_eq!(sizes(&files(queued(7), 100, 2 * line)), [2, 2, 2, 1]);
        assert_eq!(sizes(&files(queued(2), 100, 2 * line - 1)), [1, 1]);
        assert_eq!(
            sizes(&files(queued(2), 100, 1)),
            [1, 1],
            "a request that is too large goes alone"
        );
        assert!(files(Vec::new(), 3, 3).is_empty());
        let all = files(queued(7), 3, usize::MAX).into_iter().flatten();
        let order: Vec<String> = all.map(|queued| queued.parcel.id).collect();
        assert!(order.is_sorted());
    }
}
