//! The context's cache: which sequence holds which cells, what of finished prompts stays, and what is given up for new ones.
//!
//! A finished prompt stays as long as there is room for it, so that later prompts find their beginnings. Cells that sequences share are counted once,
//! and a job is admitted only when the most that it can need is free.

use super::Token;
use super::cells::CellLedger;
use super::context::{Batch, Context};
use super::crew::Crew;
use super::radix::{Cut, Id, Match, PrefixTree};
use super::sequence::Sequence;

/// The prompt of a finished job, kept for its prefix.
struct Resident {
    id: Id,
    scope: u64,
    cells: Vec<u32>,
}

pub(super) struct Kv<'m> {
    context: Context<'m>,
    capacity: usize,
    ledger: CellLedger,
    tree: PrefixTree,
    residents: Vec<Resident>,
    free_ids: Vec<Id>,
    keeping: Keeping,
}

/// Whether the cache of a sequence can be copied and cut anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    /// It can: prefixes are shared.
    Prefixes,
    /// It cannot (recurrent state), or shall not: every prompt is evaluated for itself.
    Nothing,
}

impl<'m> Kv<'m> {
    /// `ids` sequences over all cells of the context but `set_aside`.
    pub(super) fn new(context: Context<'m>, ids: usize, set_aside: usize, keeping: Keeping) -> Self {
        Self {
            capacity: context.cells() - set_aside,
            context,
            ledger: CellLedger::default(),
            tree: PrefixTree::new(),
            residents: Vec::new(),
            free_ids: (0..Id::try_from(ids).unwrap_or(256)).rev().collect(),
            keeping,
        }
    }

    /// The longest prefix of a prompt that is, or soon will be, in the cache.
    pub(super) fn longest(&self, prompt: &[Token], active: &[&Sequence]) -> Match {
        match self.keeping {
            Keeping::Prefixes => self.tree.longest(prompt, |id| self.evaluated(id, active)),
            Keeping::Nothing => Match {
                promised: 0,
                ready: None,
            },
        }
    }

    /// Makes room for a job of at most `tokens` tokens and gives it a sequence that begins with the shared prefix. `None`: it must wait for others to end.
    pub(super) fn admit(
        &mut self,
        prompt: &[Token],
        tokens: usize,
        shared: Option<(usize, Id)>,
        active: &[&Sequence],
    ) -> Option<(Id, Vec<u32>)> {
        let (length, donor) = shared.map_or((0, None), |(length, id)| (length, Some(id)));
        let held: Vec<u32> = donor.map_or_else(Vec::new, |id| self.cells(id, active)[..length].to_vec());
        let promised: usize = active.iter().map(|sequence| sequence.reserve()).sum();
        let need = promised + tokens - length;
        let kept = active.iter().map(|sequence| sequence.cells.as_slice());
        if self.ledger.distinct(kept.chain([held.as_slice()])) + need > self.capacity {
            return None;
        }
        let id = self.take_id(donor)?;
        if let Some(donor) = donor {
            self.context.copy(donor, id, Some(length));
        }
        let cells = self.ledger.share(&held, length);
        self.tree.insert(id, prompt);
        while self.ledger.used() + need > self.capacity && self.evict_oldest(None) {}
        Some((id, cells))
    }

    /// Keeps the prompt of a finished sequence where that can be of use.
    pub(super) fn finish(&mut self, sequence: Sequence, active: &[&Sequence]) {
        let Sequence {
            id,
            scope,
            prompt_len,
            mut cells,
            ..
        } = sequence;
        let whole = self.keeping == Keeping::Prefixes && cells.len() >= prompt_len;
        if !whole || self.tree.is_covered(id, |other| self.evaluated(other, active)) {
            self.release(id, cells);
        } else if self.context.remove(id, prompt_len) {
            self.ledger.truncate(&mut cells, prompt_len);
            self.residents.push(Resident { id, scope, cells });
        } else {
            self.release(id, cells);
        }
    }

    /// Shortens a sequence to `len` tokens, or to none where its cache cannot be cut.
    pub(super) fn shorten(&mut self, sequence: &mut Sequence, len: usize) {
        let len = if self.context.remove(sequence.id, len) {
            len
        } else {
            // Recurrent state cannot be shortened: such a sequence is evaluated again from its start.
            self.context.remove(sequence.id, 0);
            0
        };
        self.ledger.truncate(&mut sequence.cells, len);
    }

    /// Counts `n` tokens that are about to be evaluated.
    pub(super) fn grow(&mut self, sequence: &mut Sequence, n: usize) {
        self.ledger.grow(&mut sequence.cells, n);
    }

    /// A copy of a sequence to try a few tokens on.
    pub(super) fn scratch(&mut self, of: Id) -> Option<Id> {
        let id = self.take_id(None)?;
        self.context.copy(of, id, None);
        Some(id)
    }

    /// Gives a sequence up, and what only it holds.
    pub(super) fn release(&mut self, id: Id, mut cells: Vec<u32>) {
        self.tree.remove(id);
        self.ledger.truncate(&mut cells, 0);
        self.context.remove(id, 0);
        self.free_ids.push(id);
    }

    /// Gives up the finished prompts of all scopes but these.
    pub(super) fn keep_scopes(&mut self, scopes: &[u64]) {
        let (kept, old): (Vec<_>, Vec<_>) = std::mem::take(&mut self.residents)
            .into_iter()
            .partition(|resident| scopes.contains(&resident.scope));
        self.residents = kept;
        for resident in old {
            self.release(resident.id, resident.cells);
        }
    }

    /// Decodes a batch; returns with how many threads.
    pub(super) fn decode(&mut self, crew: &mut Crew, batch: &Batch) -> Result<usize, String> {
        crew.decode(&mut self.context, batch)
    }

    /// The logits of a row of the last batch.
    pub(super) fn logits(&self, row: usize) -> &[f32] {
        self.context.logits(row)
    }

    /// Forgets what a sequence that is in no book left in the cache.
    pub(super) fn wipe(&mut self, id: Id) {
        self.context.remove(id, 0);
    }

    /// A sequence id that nobody holds; the oldest leaf is evicted for it if need be.
    pub(super) fn take_id(&mut self, except: Option<Id>) -> Option<Id> {
        while self.free_ids.is_empty() && self.evict_oldest(except) {}
        self.free_ids.pop()
    }

    fn evict_oldest(&mut self, except: Option<Id>) -> bool {
        let idle = |id| Some(id) != except && self.residents.iter().any(|resident| resident.id == id);
        let Some(id) = self.tree.oldest_leaf(idle) else {
            return false;
        };
        let Some(at) = self.residents.iter().position(|resident| resident.id == id) else {
            return false;
        };
        match self.tree.cut(id) {
            Cut::To(length) if self.context.remove(id, length) => {
                self.ledger.truncate(&mut self.residents[at].cells, length);
            }
            Cut::To(_) | Cut::Gone => {
                let resident = self.residents.remove(at);
                self.release(resident.id, resident.cells);
            }
        }
        true
    }

    fn evaluated(&self, id: Id, active: &[&Sequence]) -> usize {
        self.cells(id, active).len()
    }

    fn cells<'a>(&'a self, id: Id, active: &[&'a Sequence]) -> &'a [u32] {
        let active = active.iter().find(|sequence| sequence.id == id);
        let resident = || self.residents.iter().find(|resident| resident.id == id);
        match active {
            Some(sequence) => &sequence.cells,
            None => resident().map_or(&[], |resident| &resident.cells),
        }
    }
}
