//! Which tokens go into the next batch: admission, prefix sharing, continuous batching.
//!
//! Every step decodes one batch. Sequences that are writing go first with their one token each (or a forced line), so they never starve
//! behind a long prompt; what room is left is filled with chunks of prompts. A job is admitted when the cells that it can need at
//! most are free; what does not fit waits. A job whose prompt begins like that of a sequence which is still being filled waits for
//! it, then takes the common part over instead of evaluating it again.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use tokio::sync::oneshot;

use super::context::{Batch, Context, Reads};
use super::crew::{Alone, Crew};
use super::draw::Candidates;
use super::engine::{Counters, EngineConfig, EngineError, Sharing};
use super::kv::{Keeping, Kv};
use super::radix::common;
use super::sequence::{Completion, Job, Need, Sequence};
use super::{Model, Token};

/// Waiting for another job's prefix pays only for more tokens than this.
const WORTH_WAITING: usize = 16;

pub(super) type Answer = oneshot::Sender<Result<Completion, EngineError>>;

pub(super) struct Scheduler<'m> {
    model: &'m Model,
    kv: Kv<'m>,
    crew: Crew,
    batch: Batch,
    batch_size: usize,
    max_active: usize,
    waiting: VecDeque<(Job, Answer)>,
    active: Vec<(Sequence, Answer)>,
    /// The sequence whose token keeps another company, where batches of one are padded.
    padding: Option<i32>,
    /// What tokens are drawn from, one sequence after the other.
    candidates: Candidates,
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
        let keeping = match config.sharing {
            Sharing::Prefixes if model.can_share_prefixes() => Keeping::Prefixes,
            Sharing::Prefixes | Sharing::Nothing => Keeping::Nothing,
        };
        // The engine asked for one cell more than jobs may need.
        let padded = crew.alone() == Alone::Padded;
        let mut kv = Kv::new(context, config.sequences(), usize::from(padded), keeping);
        Self {
            model,
            batch: Batch::new(batch_size),
            batch_size,
            padding: if padded { kv.take_id(None) } else { None },
            kv,
            crew,
            max_active: config.parallel,
            waiting: VecDeque::new(),
            active: Vec::new(),
            candidates: Candidates::new(),
            counters,
        }
    }

    /// Takes a group in, after each job the one that has most in common with it: where the cache is too small for two long beginnings, each is then
    /// evaluated once, not by turns.
    pub(super) fn enqueue(&mut self, mut jobs: Vec<(Job, Answer)>) {
        for at in 1..jobs.len() {
            let last = &jobs[at - 1].0.prompt;
            let next = (at..jobs.len()).max_by_key(|&i| (common(last, &jobs[i].0.prompt), Reverse(i)));
            jobs[at..=next.unwrap_or(at)].rotate_right(1);
        }
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
        let clock = Instant::now();
        let threads = self.kv.decode(&mut self.crew, &self.batch)?;
        let inside = u64::try_from(clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.counters.inside.fetch_add(inside, Relaxed);
        self.counters.threads.store(threads, Relaxed);
        if let Some(id) = alone {
            self.kv.wipe(id);
        }
        Ok(())
    }

    /// Gives a sequence the logits of its row and puts the cache in the state that it then needs.
    fn read_row(&mut self, row: &Row) -> Need {
        let logits = self.kv.logits(row.output);
        let (sequence, _) = &mut self.active[row.sequence];
        match row.lane {
            Lane::Scratch => {
                let need = sequence.explored(logits);
                if let Some(scratch) = sequence.scratch.take() {
                    self.kv.release(scratch, Vec::new());
                }
                need
            }
            Lane::Main => {
                let mut cut = None;
                let need = sequence.advance(self.model, logits, &mut self.candidates, &mut cut);
                if let Some(len) = cut {
                    self.kv.shorten(sequence, len);
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
        for (i, most) in self.turns(room) {
            let most = most.min(room);
            if most == 0 {
                continue;
            }
            let (sequence, _) = &mut self.active[i];
            let from = sequence.cells.len();
            let n = sequence.pending().len().min(most);
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
            self.kv.grow(sequence, n);
            room -= n;
            self.counters.prompt_evaluated.fetch_add(in_prompt as u64, Relaxed);
            self.counters.completion.fetch_add((n - in_prompt) as u64, Relaxed);
        }
        rows
    }

    /// Who feeds next, and how many tokens at most: those that write, with their few tokens, then prompts. The oldest prompt is sure of half the room, so
    /// that it is read to its end; the rest goes to the prompts that are soonest done, so that none waits behind a long one.
    fn turns(&self, room: usize) -> Vec<(usize, usize)> {
        let feeding = self
            .active
            .iter()
            .enumerate()
            .filter(|(_, (sequence, _))| sequence.open_fork().is_none());
        let (writing, reading): (Vec<_>, Vec<_>) =
            feeding.partition(|(_, (sequence, _))| sequence.cells.len() >= sequence.prompt_len);
        let mut turns: Vec<_> = writing.into_iter().map(|(i, _)| (i, room)).collect();
        let mut reading: Vec<_> = reading
            .into_iter()
            .map(|(i, (sequence, _))| (i, sequence.pending().len()))
            .collect();
        if let Some(&(oldest, pending)) = reading.first() {
            let others: usize = reading[1..].iter().map(|(_, pending)| pending).sum();
            turns.push((oldest, pending.min((room / 2).max(room.saturating_sub(others)))));
            reading.remove(0);
        }
        reading.sort_by_key(|&(_, pending)| pending);
        turns.extend(reading.into_iter().map(|(i, _)| (i, room)));
        turns
    }

    /// Puts a choice's open fork on a scratch copy of its sequence; returns the tokens used, none if it must wait.
    fn feed_fork(&mut self, i: usize, room: usize, rows: &mut Vec<Row>) -> usize {
        let Some(path) = self.active[i].0.open_fork().map(<[Token]>::to_vec) else {
            return 0;
        };
        if path.len() > room {
            return 0;
        }
        let (sequence, _) = &mut self.active[i];
        let Some(scratch) = self.kv.scratch(sequence.id) else {
            return 0;
        };
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
            let mut scopes = vec![first.scope];
            scopes.extend(self.active.iter().map(|(sequence, _)| sequence.scope));
            self.kv.keep_scopes(&scopes);
        }
        let mut i = 0;
        while i < self.waiting.len() && self.active.len() < self.max_active {
            let active: Vec<&Sequence> = self.active.iter().map(|(sequence, _)| sequence).collect();
            let (job, _) = &self.waiting[i];
            // The last prompt token is always evaluated: its logits start the reply.
            let usable = &job.prompt[..job.prompt.len() - 1];
            let found = self.kv.longest(usable, &active);
            if found.promised > found.ready.map_or(0, |(length, _)| length) + WORTH_WAITING {
                i += 1;
                continue;
            }
            let most = job.prompt.len() + job.script.max_tokens();
            let Some((id, cells)) = self.kv.admit(&job.prompt, most, found.ready, &active) else {
                // First come, first served: a later, smaller job must not keep a large one out for ever.
                return;
            };
            let Some((job, answer)) = self.waiting.remove(i) else {
                return;
            };
            self.counters.prompt.fetch_add(job.prompt.len() as u64, Relaxed);
            self.counters.prompt_shared.fetch_add(cells.len() as u64, Relaxed);
            self.active.push((Sequence::new(id, job, cells), answer));
        }
    }

    fn finish(&mut self, mut sequence: Sequence, answer: Answer) {
        // The caller may have gone; then nobody wants the reply.
        let _ = answer.send(Ok(sequence.complete()));
        let active: Vec<&Sequence> = self.active.iter().map(|(sequence, _)| sequence).collect();
        self.kv.finish(sequence, &active);
    }

    /// Frees what nobody waits for any more.
    fn drop_abandoned(&mut self) {
        self.waiting.retain(|(_, answer)| !answer.is_closed());
        for i in (0..self.active.len()).rev() {
            if self.active[i].1.is_closed() {
                let (sequence, _) = self.active.remove(i);
                self.kv.release(sequence.id, sequence.cells);
            }
        }
    }

    fn fail_all(&mut self, reason: &str) {
        for (sequence, answer) in std::mem::take(&mut self.active) {
            let _ = answer.send(Err(EngineError::Decode {
                reason: reason.to_owned(),
            }));
            if let Some(scratch) = sequence.scratch {
                self.kv.release(scratch, Vec::new());
            }
            self.kv.release(sequence.id, sequence.cells);
        }
        self.kv.keep_scopes(&[]);
    }
}
