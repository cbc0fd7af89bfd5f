//! The collector at work: it submits waves, looks after batches, and wakes the pairs whose batches have ended.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, UNIX_EPOCH};

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep_until};

use super::wave::{QUEUE_IS_FULL, Ready, over_budget};
use super::{BatchProgress, Collector, Served, Waiting, collect, locked};
use crate::chat::ChatError;
use crate::chat::openai::batch::{Batch, BatchState};
use crate::run::{JudgeError, OpenBatch};

/// How long batches are waited for while the endpoint cannot be asked how they get on.
const SILENCE: Duration = Duration::from_secs(3600);
/// Batches that may be refused one after the other: a second refusal is no accident.
const REFUSALS: u32 = 2;

/// What there is to do.
enum Next {
    Submit(Vec<Ready>),
    Look,
}

/// The batches that are not collected, and how they were found when they were last looked at.
struct Watch {
    open: Vec<OpenBatch>,
    progress: Vec<BatchProgress>,
    /// When to look again, and how long to wait the time after that.
    due: Instant,
    pause: Duration,
    /// Since when they could not be looked at.
    silent_since: Option<Instant>,
    /// Batches that were refused, one after the other.
    refusals: u32,
}

impl Collector {
    /// Serves the pairs under way, for ever: it ends with an error, or with [`JudgeError::Submitted`] where nobody wants to wait.
    ///
    /// Must be polled by the task that polls the pairs, after them: then nobody moves while it looks whether all are quiet, and whatever
    /// parks a pair or ends it has it polled again.
    pub(in crate::run) async fn work(&self, reports: &UnboundedSender<Vec<BatchProgress>>) -> JudgeError {
        match self.serve(reports).await {
            Ok(submitted) => submitted,
            Err(error) => error,
        }
    }

    async fn serve(&self, reports: &UnboundedSender<Vec<BatchProgress>>) -> Result<JudgeError, JudgeError> {
        let run = self.run()?;
        let apis: Vec<_> = locked(&self.apis).values().cloned().collect();
        for api in &apis {
            api.check().await?;
        }
        let mut watch = Watch {
            open: self.recover(&run).await?,
            progress: Vec::new(),
            due: Instant::now(),
            pause: self.settings.first_pause,
            silent_since: None,
            refusals: 0,
        };
        loop {
            match self.next(&run, &watch).await? {
                Next::Submit(ready) => {
                    for ready in ready {
                        self.submit(&run, ready, &mut watch.open).await?;
                    }
                    watch.pause = self.settings.first_pause;
                }
                Next::Look => {
                    let ended = self.look(&run, &mut watch).await?;
                    // Nobody may be listening any more.
                    let _ = reports.send(std::mem::take(&mut watch.progress));
                    match (ended, self.settings.waiting) {
                        (0, Waiting::Leave) => {
                            return Ok(JudgeError::Submitted {
                                requests: watch.open.iter().map(|batch| batch.requests).sum(),
                                batches: watch.open.len(),
                            });
                        }
                        (0, Waiting::Stay) => {}
                        _ => watch.pause = self.settings.first_pause,
                    }
                }
            }
            watch.due = Instant::now() + watch.pause;
            watch.pause = (watch.pause * 2).min(self.settings.longest_pause);
        }
    }

    /// Waits until there is something to do.
    async fn next(&self, run: &Served, watch: &Watch) -> Result<Next, JudgeError> {
        let quiet = poll_fn(|_| {
            let is_quiet = locked(&self.parked).is_quiet();
            if is_quiet {
                match self.ready(run, &watch.open) {
                    Ok(ready) if ready.is_empty() => {}
                    ready => return Poll::Ready(ready.map(Next::Submit)),
                }
                if self.settings.waiting == Waiting::Leave {
                    return Poll::Ready(Ok(Next::Look));
                }
            }
            // Whoever moves wakes the task that polls this.
            Poll::Pending
        });
        let stays = self.settings.waiting == Waiting::Stay && !watch.open.is_empty();
        tokio::select! {
            biased;
            next = quiet => next,
            () = sleep_until(watch.due), if stays => Ok(Next::Look),
        }
    }

    /// The batches of earlier processes: those that were planned are looked for at the endpoint, and forgotten if they were never created.
    async fn recover(&self, run: &Served) -> Result<Vec<OpenBatch>, JudgeError> {
        let mut open = Vec::new();
        for mut batch in run.store.open_batches()? {
            let hold = run
                .meter
                .budget()
                .map(|budget| budget.take_up_batch(&batch.endpoint, batch.most))
                .transpose()
                .map_err(|over| over_budget(&over))?;
            if batch.remote.is_none() {
                let api = self.api(&batch.endpoint)?;
                let since = UNIX_EPOCH + Duration::from_secs(u64::try_from(batch.planned_s).unwrap_or(0));
                let Some(found) = api.find(&batch.tag, batch.input_file.as_deref(), since).await? else {
                    let end = run.store.forget_batch(batch.id).await?;
                    if let (Some(budget), Some(hold)) = (run.meter.budget(), hold) {
                        budget.settle_batch(hold, &batch.endpoint, end.paid, batch.requests);
                    }
                    locked(&self.parked).wake(&end.custom_ids);
                    continue;
                };
                run.store.note_creation(batch.id, &found.id).await?;
                batch.remote = Some(found.id);
            }
            if let Some(hold) = hold {
                locked(&run.holds).insert(batch.id, hold);
            }
            open.push(batch);
        }
        Ok(open)
    }

    /// Looks at every open batch. Those that have ended are taken off the list, and their pairs go on; says how many.
    async fn look(&self, run: &Served, watch: &mut Watch) -> Result<usize, JudgeError> {
        let mut ended = 0;
        for batch in std::mem::take(&mut watch.open) {
            let api = self.api(&batch.endpoint)?;
            let Some(remote) = &batch.remote else { continue };
            let now = match api.look(remote).await {
                Ok(now) => now,
                Err(error @ ChatError::Unanswered { .. }) => {
                    // The batch goes on, whether or not it can be asked after.
                    let since = *watch.silent_since.get_or_insert_with(Instant::now);
                    if self.settings.waiting == Waiting::Leave || since.elapsed() > SILENCE {
                        return Err(error.into());
                    }
                    tracing::warn!(%error, "a batch cannot be looked at for now");
                    watch.open.push(batch);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            watch.silent_since = None;
            watch.progress.push(BatchProgress {
                endpoint: batch.endpoint.clone(),
                remote: now.id.clone(),
                status: now.status.clone(),
                counts: now.counts,
            });
            let custom_ids = match now.state {
                BatchState::Working => {
                    watch.open.push(batch);
                    continue;
                }
                BatchState::Ended => {
                    watch.refusals = 0;
                    collect::collect(run, &api, &batch, &now).await?
                }
                BatchState::Failed => refused(run, &batch, &now, &mut watch.refusals).await?,
            };
            ended += 1;
            locked(&self.parked).wake(&custom_ids);
        }
        Ok(ended)
    }
}

/// Notes that a batch was refused as a whole; its requests go into another one. Ends the run if that would be refused as well.
async fn refused(run: &Served, batch: &OpenBatch, now: &Batch, refusals: &mut u32) -> Result<Vec<String>, JudgeError> {
    let why = now.problem.clone().unwrap_or_else(|| "no reason given".to_owned());
    let end = run.store.fail_batch(batch.id, &why).await?;
    let hold = locked(&run.holds).remove(&batch.id);
    if let (Some(budget), Some(hold)) = (run.meter.budget(), hold) {
        budget.settle_batch(hold, &batch.endpoint, end.paid, 0);
    }
    tracing::warn!(
        batch = now.id,
        requests = batch.requests,
        why,
        "the endpoint refused a batch"
    );
    // Half as much is tried next; one request cannot be halved.
    let can_shrink = why.to_lowercase().contains(QUEUE_IS_FULL) && batch.requests > 1;
    if !can_shrink {
        *refusals += 1;
    }
    if *refusals < REFUSALS {
        return Ok(end.custom_ids);
    }
    Err(ChatError::Backend {
        reason: format!(
            "`{}` refused the batch {} as a whole: {why} (what was asked is in `batches/{:03}.jsonl`); when the cause is seen to, give the same command again",
            batch.endpoint, now.id, batch.id.0
        ),
    }
    .into())
}
