//! Divides an operation between threads.
//!
//! A piece is a block of rows over some stretches of cells. Every stretch has sums of its own, and a block's are put together in the order of its cells: so
//! the result depends neither on the number of threads nor on how the stretches are divided.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::operation::Attention;
use super::pool::Pool;
use super::tile::{CELLS, GROUPS, LANES, Rows, Scratch, Sums};

/// Cells of a stretch.
const STRETCH: usize = 4 * CELLS;

/// Pieces for a thread at the least, since they differ in how much of them is seen.
const PIECES: usize = 4;

/// The most memory that sums take for each cell of the cache, in bytes: with more blocks than pieces are wanted, none is divided.
pub(in crate::llama) fn memory_per_cell(threads: usize, value: u64) -> u64 {
    let sums = GROUPS * LANES * size_of::<f32>();
    (PIECES * threads * sums / STRETCH) as u64 * value
}

pub(super) struct Workshop {
    pool: Pool,
    threads: usize,
    /// One for each stretch of each block, where a block is more than one piece.
    sums: Vec<Mutex<Sums>>,
    /// Pieces of each block that are not done.
    left: Vec<AtomicUsize>,
    /// One for each thread that was at work at once.
    desks: Mutex<Vec<Desk>>,
}

impl Workshop {
    /// With so many threads beside the one that calls.
    pub(super) fn new(helpers: usize) -> Self {
        Self {
            pool: Pool::start(helpers),
            threads: 1 + helpers,
            sums: Vec::new(),
            left: Vec::new(),
            desks: Mutex::default(),
        }
    }

    /// How many threads work from now on, of those that there are.
    pub(super) fn set_threads(&mut self, threads: usize) {
        self.threads = threads.max(1);
    }

    pub(super) fn compute(&mut self, attention: &Attention) {
        let plan = Plan::new(attention, self.threads);
        let apart = if plan.parts() > 1 {
            plan.blocks() * plan.stretches
        } else {
            0
        };
        if self.sums.len() < apart {
            self.sums.resize_with(apart, Mutex::default);
        }
        self.left.clear();
        self.left.resize_with(plan.blocks(), || AtomicUsize::new(plan.parts()));
        let next = AtomicUsize::new(0);
        let this = &*self;
        let work = || {
            let mut desk = lock(&this.desks).pop().unwrap_or_default();
            loop {
                let piece = next.fetch_add(1, Ordering::Relaxed);
                if piece >= plan.pieces() {
                    break;
                }
                this.piece(attention, &plan, piece, &mut desk);
            }
            lock(&this.desks).push(desk);
        };
        let helpers = (this.threads - 1).min(plan.pieces() - 1);
        this.pool.run(helpers, &work);
    }

    fn piece(&self, attention: &Attention, plan: &Plan, piece: usize, desk: &mut Desk) {
        let (block, part) = (piece / plan.parts(), piece % plan.parts());
        let (key_head, first) = (block % attention.key_heads, block / attention.key_heads * plan.tokens);
        let tokens = plan.tokens.min(attention.tokens - first);
        let rows = Rows {
            count: tokens * attention.alike,
            alike: attention.alike,
        };
        let cells = |stretch: usize| stretch * STRETCH..attention.cells.min((stretch + 1) * STRETCH);
        let from = attention.cells_of(key_head, first);
        let Desk { scratch, one, total } = desk;
        scratch.load(attention.heads, rows, attention.scale, |row| {
            attention.query(key_head, first, row)
        });
        total.reset(attention.heads);
        if plan.parts() == 1 {
            for stretch in 0..plan.stretches {
                one.reset(attention.heads);
                scratch.attend(attention.heads, rows, cells(stretch), &from, one);
                total.add(one);
            }
        } else {
            let of_block = &self.sums[block * plan.stretches..(block + 1) * plan.stretches];
            for (stretch, sums) in of_block.iter().enumerate().skip(part * plan.of_part).take(plan.of_part) {
                let mut sums = lock(sums);
                sums.reset(attention.heads);
                scratch.attend(attention.heads, rows, cells(stretch), &from, &mut sums);
            }
            // The one who finds that no other piece of the block is left sees what the others wrote before they counted down.
            if self.left[block].fetch_sub(1, Ordering::AcqRel) > 1 {
                return;
            }
            for sums in of_block {
                total.add(&lock(sums));
            }
        }
        for group in 0..rows.groups() {
            let lanes = LANES.min(rows.count - group * LANES);
            total.finish(group, lanes, |lane, at, values| {
                // SAFETY: the rows are this block's, whose pieces are one, or are counted down to zero by one thread.
                unsafe { attention.write(key_head, first, group * LANES + lane, at, values) }
            });
        }
    }
}

/// What a thread computes with.
#[derive(Debug, Default)]
struct Desk {
    scratch: Scratch,
    /// A stretch's.
    one: Sums,
    /// A block's.
    total: Sums,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How an operation is divided.
struct Plan {
    /// Tokens of a block.
    tokens: usize,
    /// Blocks of one head.
    of_head: usize,
    key_heads: usize,
    /// Stretches of a block.
    stretches: usize,
    /// Stretches of a piece.
    of_part: usize,
}

impl Plan {
    fn new(attention: &Attention, threads: usize) -> Self {
        let tokens = (GROUPS * LANES / attention.alike).max(1);
        let stretches = attention.cells.div_ceil(STRETCH).max(1);
        let of_head = attention.tokens.div_ceil(tokens);
        let parts = (PIECES * threads)
            .div_ceil(of_head * attention.key_heads)
            .min(stretches);
        Self {
            tokens,
            of_head,
            key_heads: attention.key_heads,
            stretches,
            of_part: stretches.div_ceil(parts),
        }
    }

    fn blocks(&self) -> usize {
        self.of_head * self.key_heads
    }

    /// Pieces of a block.
    fn parts(&self) -> usize {
        self.stretches.div_ceil(self.of_part)
    }

    fn pieces(&self) -> usize {
        self.blocks() * self.parts()
    }
}
