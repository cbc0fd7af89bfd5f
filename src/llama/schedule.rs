//! Which tokens go into the next batch: admission, prefix sharing, continuous batching.
//!
//! Every step decodes one batch. Sequences that are writing go first with their one token each (or a forced line), so they never starve
//! behind a long prompt; what room is left is filled with chunks of prompts. A job is admitted when the cells that it can need at
//! most are free; what does not fit waits. A job whose prompt begins like that of a sequence which is still being filled waits for
//! it, then takes the common part over instead of evaluating it again.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::oneshot;

use super::cells::CellLedger;
use super::context::{Batch, Context, Reads};
use super::crew::{Alone, Crew};
use super::engine::{Counters, EngineConfig, EngineError};
use super::script::shared_prefix;
use super::sequence::{Completion, Job, Need, Sequence};
use super::{Model, Token};

/// Waiting for another job's prefix pays only for more tokens than this.
const WORTH_WAITING: usize = 16;

pub(super) type Answer = oneshot::Sender<Result<Completion, EngineError>>;

/// The prompt of a finished job, kept for its prefix.
struct Resident {
    id: i32,
    scope: u64,
    tokens: Vec<Token>,
    cells: Vec<u32>,
}

pub(super) struct Scheduler<'m> {
    model: &'m Model,
    context: Context<'m>,
    crew: Crew,
    batch: Batch,
    batch_size: usize,
    capacity: usize,
    max_active: usize,
    waiting: VecDeque<(Job, Answer)>,
    active: Vec<(Sequence, Answer)>,
    /// Least recently used first.
    residents: Vec<Resident>,
    free_ids: Vec<i32>,
    /// The sequence whose token keeps another company, where batches of one are padded.
    padding: Option<i32>,
    ledger: CellLedger,
    counters: std::sync::Arc<Counters>,
}

/// Where the result of one batch row goes.
struct Row {
    output: usize,
    sequence: usize,
    lane: Lane,
}

enum Lane {
    Main,
    Scratch,
}

impl<'m> Scheduler<'m> {
    pub(super) fn new(
        model: &'m Model,
        context: Context<'m>,
        crew: Crew,
        config: &EngineConfig,
        counters: std::sync::Arc<Counters>,
    ) -> Self {
        let batch_size = context.batch_size();
        let mut free_ids: Vec<i32> = (0..i32::try_from(config.sequences()).unwrap_or(256)).rev().collect();
        let padding = match crew.alone() {
            Alone::OneThread => None,
            // The engine asked for one cell more than jobs may need.
            Alone::Padded => free_ids.pop(),
        };
        Self {
            model,
            batch: Batch::new(batch_size),
            batch_size,
            capacity: context.cells() - usize::from(padding.is_some()),
            context,
            crew,
            max_active: config.parallel,
            waiting: VecDeque::new(),
            active: Vec::new(),
            residents: Vec::new(),
            free_ids,
            padding,
            ledger: CellLedger::default(),
            counters,
        }
    }

    pub(super) fn enqueue(&mut self, jobs: Vec<(Job, Answer)>) {
        self.waiting.extend(jobs);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.active.is_empty()
    }

    /// Admits what can be admitted and decodes one batch.
    pub(super) fn step(&mut self) {
        self.drop_abandoned();
        self.admit();
        let rows = self.fill_batch();
        if self.batch.len() == 0 {
            return;
        }
        if let Err(reason) = self.decode() {
            self.fail_all(&reason);
            return;
        }
        self.counters.batches.fetch_add(1, Relaxed);
        let mut finished = Vec::new();
        for row in rows {
            if self.read_row(&row) == Need::Nothing {
                finished.push(row.sequence);
            }
        }
        // From the back, so that the remaining indices stay valid; then answer in order of submission.
        finished.sort_unstable();
        let done: Vec<_> = finished.into_iter().rev().map(|i| self.active.remove(i)).collect();
        for (sequence, answer) in done.into_iter().rev() {
            self.finish(sequence, answer);
        }
    }

    fn decode(&mut self) -> Result<(), String> {
        let alone = self.padding.filter(|_| self.batch.len() == 1);
        if let Some(id) = alone {
            self.batch.push(self.model.filler(), 0, id, Reads::Nothing);
        }
        let threads = self.crew.decode(&mut self.context, &self.batch)?;
        self.counters.threads.store(threads, Relaxed);
        if let Some(id) = alone {
            self.context.remove(id, 0);
        }
        Ok(())
    }

    /// Gives a sequence the logits of its row and puts the cache in the state that it then needs.
    fn read_row(&mut self, row: &Row) -> Need {
        let logits = self.context.logits(row.output);
        let (sequence, _) = &mut self.active[row.sequence];
        match row.lane {
            Lane::Scratch => {
                let need = sequence.explored(logits);
                if let Some(scratch) = sequence.scratch.take() {
                    self.context.remove(scratch, 0);
                    self.free_ids.push(scratch);
                }
                need
            }
            Lane::Main => {
                let mut cut = None;
                let need = sequence.advance(self.model, logits, &mut cut);
                if let Some(len) = cut {
                    // Recurrent state cannot be shortened: such a sequence is evaluated again from its start.
                    let len = if self.context.remove(sequence.id, len) {
                        len
                    } else {
                        self.context.remove(sequence.id, 0);
                        0
                    };
                    self.ledger.truncate(&mut sequence.cells, len);
                }
                need
            }
        }
    }

    /// Puts tokens into the batch; returns the rows whose logits somebody reads.
    fn fill_batch(&mut self) -> Vec<Row> {
        self.batch.clear();
        let mut rows = Vec::new();
        let mut room = self.batch_size;
        for i in 0..self.active.len() {
            if self.active[i].0.open_fork().is_some() {
                room -= self.feed_fork(i, room, &mut rows);
            }
        }
        // Writing sequences (few pending tokens) before prompts; among equals the earlier job first.
        let mut order: Vec<usize> = (0..self.active.len())
            .filter(|&i| self.active[i].0.open_fork().is_none())
            .collect();
        order.sort_by_key(|&i| {
            let sequence = &self.active[i].0;
            sequence.cells.len() < sequence.prompt_len
        });
        for i in order {
            if room == 0 {
                break;
            }
            let (sequence, _) = &mut self.active[i];
            let from = sequence.cells.len();
            let n = sequence.pending().len().min(room);
            let to_end = n == sequence.pending().len();
            let in_prompt = sequence.prompt_len.saturating_sub(from).min(n);
            for (offset, token) in sequence.tokens[from..from + n].iter().enumerate() {
                let reads = Reads::at(to_end && offset + 1 == n);
                self.batch.push(*token, from + offset, sequence.id, reads);
            }
            if to_end {
                rows.push(Row {
                    output: self.batch.len() - 1,
                    sequence: i,
                    lane: Lane::Main,
                });
            }
            self.ledger.grow(&mut sequence.cells, n);
            room -= n;
            self.counters.prompt_evaluated.fetch_add(in_prompt as u64, Relaxed);
            self.counters.completion.fetch_add((n - in_prompt) as u64, Relaxed);
        }
        rows
    }

    /// Puts a choice's open fork on a scratch copy of its sequence; returns the tokens used, none if it must wait.
    fn feed_fork(&mut self, i: usize, room: usize, rows: &mut Vec<Row>) -> usize {
        let Some(path) = self.active[i].0.open_fork().map(<[Token]>::to_vec) else {
            return 0;
        };
        if path.len() > room {
            return 0;
        }
        let Some(scratch) = self.take_id() else { return 0 };
        let (sequence, _) = &mut self.active[i];
        self.context.copy(sequence.id, scratch, None);
        sequence.scratch = Some(scratch);
        let from = sequence.cells.len();
        for (offset, token) in path.iter().enumerate() {
            let reads = Reads::at(offset + 1 == path.len());
            self.batch.push(*token, from + offset, scratch, reads);
        }
        rows.push(Row {
            output: self.batch.len() - 1,
            sequence: i,
            lane: Lane::Scratch,
        });
        path.len()
    }

    fn admit(&mut self) {
        if let Some((first, _)) = self.waiting.front() {
            // The first in line names the scope at work: what the cache holds for other scopes will not be asked for again.
            let keep = first.scope;
            let active: Vec<u64> = self.active.iter().map(|(sequence, _)| sequence.scope).collect();
            self.evict(|resident| resident.scope != keep && !active.contains(&resident.scope));
        }
        let mut i = 0;
        while i < self.waiting.len() && self.active.len() < self.max_active {
            let donor = match self.donor(&self.waiting[i].0) {
                Donor::Filling => {
                    i += 1;
                    continue;
                }
                Donor::Ready(donor) => donor,
            };
            let shared = donor.as_ref().map_or(0, |donor| donor.shared);
            let job = &self.waiting[i].0;
            let need = job.prompt.len() + job.script.max_tokens() - shared;
            if !self.make_room(need, donor.as_ref()) {
                // First come, first served: a later, smaller job must not keep a large one out for ever.
                return;
            }
            let Some(id) = self.take_id_except(donor.as_ref().map(|donor| donor.id)) else {
                return;
            };
            let Some((job, answer)) = self.waiting.remove(i) else {
                return;
            };
            let cells = donor.map_or_else(Vec::new, |donor| {
                self.context.copy(donor.id, id, Some(donor.shared));
                self.share_cells(&donor)
            });
            self.counters.prompt.fetch_add(job.prompt.len() as u64, Relaxed);
            self.counters.prompt_shared.fetch_add(cells.len() as u64, Relaxed);
            self.active.push((Sequence::new(id, job, cells), answer));
        }
    }

    /// The sequence whose cache begins most like the job's prompt.
    fn donor(&self, job: &Job) -> Donor {
        if !self.model.can_share_prefixes() {
            return Donor::Ready(None);
        }
        // The last prompt token is always evaluated: its logits start the reply.
        let usable = job.prompt.len().saturating_sub(1);
        let mut best = Source { id: -1, shared: 0 };
        let mut promised = 0;
        for (sequence, _) in &self.active {
            let common = shared_prefix(&job.prompt, &sequence.tokens).min(usable);
            let ready = common.min(sequence.cells.len());
            if ready > best.shared {
                best = Source {
                    id: sequence.id,
                    shared: ready,
                };
            }
            promised = promised.max(common);
        }
        for resident in &self.residents {
            let common = shared_prefix(&job.prompt, &resident.tokens).min(usable);
            if common > best.shared {
                best = Source {
                    id: resident.id,
                    shared: common,
                };
            }
        }
        if promised > best.shared + WORTH_WAITING {
            Donor::Filling
        } else {
            Donor::Ready((best.shared > 0).then_some(best))
        }
    }

    fn share_cells(&mut self, donor: &Source) -> Vec<u32> {
        if let Some((sequence, _)) = self.active.iter().find(|(sequence, _)| sequence.id == donor.id) {
            return self.ledger.share(&sequence.cells, donor.shared);
        }
        let Some(at) = self.residents.iter().position(|resident| resident.id == donor.id) else {
            return Vec::new();
        };
        let resident = self.residents.remove(at);
        let cells = self.ledger.share(&resident.cells, donor.shared);
        self.residents.push(resident);
        cells
    }

    /// Evicts residents until `need` more cells are sure to be free; false if that takes the end of an active job.
    fn make_room(&mut self, need: usize, donor: Option<&Source>) -> bool {
        let reserved: usize = self.active.iter().map(|(sequence, _)| sequence.reserve()).sum();
        while self.ledger.used() + reserved + need > self.capacity {
            let other = |resident: &Resident| donor.is_none_or(|donor| donor.id != resident.id);
            if let Some(at) = self.residents.iter().position(other) {
                let resident = self.residents.remove(at);
                self.release(resident.id, resident.cells);
                continue;
            }
            // No job will free anything: only what the donor holds beyond the shared prefix can be in the way.
            if let (Some(donor), true) = (donor, self.active.is_empty()) {
                self.shorten(donor);
            }
            return self.ledger.used() + reserved + need <= self.capacity;
        }
        true
    }

    /// Takes from a resident what goes beyond the shared prefix.
    fn shorten(&mut self, donor: &Source) {
        if let Some(resident) = self.residents.iter_mut().find(|resident| resident.id == donor.id) {
            self.context.remove(resident.id, donor.shared);
            self.ledger.truncate(&mut resident.cells, donor.shared);
            resident.tokens.truncate(donor.shared);
        }
    }

    fn take_id(&mut self) -> Option<i32> {
        self.take_id_except(None)
    }

    fn take_id_except(&mut self, donor: Option<i32>) -> Option<i32> {
        if self.free_ids.is_empty() {
            let at = self.residents.iter().position(|resident| Some(resident.id) != donor)?;
            let resident = self.residents.remove(at);
            self.release(resident.id, resident.cells);
        }
        self.free_ids.pop()
    }

    fn finish(&mut self, mut sequence: Sequence, answer: Answer) {
        // The caller may have gone; then nobody wants the reply.
        let _ = answer.send(Ok(sequence.complete()));
        if self.model.can_share_prefixes() && sequence.cells.len() >= sequence.prompt_len {
            self.context.remove(sequence.id, sequence.prompt_len);
            self.ledger.truncate(&mut sequence.cells, sequence.prompt_len);
            sequence.tokens.truncate(sequence.prompt_len);
            self.residents.push(Resident {
                id: sequence.id,
                scope: sequence.scope,
                tokens: sequence.tokens,
                cells: sequence.cells,
            });
        } else {
            self.release(sequence.id, sequence.cells);
        }
    }

    fn release(&mut self, id: i32, mut cells: Vec<u32>) {
        self.context.remove(id, 0);
        self.ledger.truncate(&mut cells, 0);
        self.free_ids.push(id);
    }

    fn evict(&mut self, stale: impl Fn(&Resident) -> bool) {
        let (old, kept) = std::mem::take(&mut self.residents)
            .into_iter()
            .partition(|resident| stale(resident));
        self.residents = kept;
        for resident in old as Vec<Resident> {
            self.release(resident.id, resident.cells);
        }
    }

    /// Frees what nobody waits for any more.
    fn drop_abandoned(&mut self) {
        self.waiting.retain(|(_, answer)| !answer.is_closed());
        for i in (0..self.active.len()).rev() {
            if self.active[i].1.is_closed() {
                let (sequence, _) = self.active.remove(i);
                self.release(sequence.id, sequence.cells);
            }
        }
    }

    fn fail_all(&mut self, reason: &str) {
        for (sequence, answer) in std::mem::take(&mut self.active) {
            let _ = answer.send(Err(EngineError::Decode {
                reason: reason.to_owned(),
            }));
            if let Some(scratch) = sequence.scratch {
                self.release(scratch, Vec::new());
            }
            self.release(sequence.id, sequence.cells);
        }
        self.evict(|_| true);
    }
}

/// A sequence to take a prefix from.
struct Source {
    id: i32,
    shared: usize,
}

enum Donor {
    /// Take this prefix, or none.
    Ready(Option<Source>),
    /// A longer one is being evaluated: wait.
    Filling,
}
