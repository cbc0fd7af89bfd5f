//! Divides an operation between threads.
//!
//! A piece is a block of rows over some stretches of cells. Every stretch has sums of its own, and a block's are put together in the order of its cells: so
//! the result depends neither on the number of threads nor on how the stretches are divided.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::helpers::Helpers;
use super::operation::Attention;
use super::tile::{CELLS, GROUPS, LANES, Rows, Scratch, Sums};

/// Cells of a stretch.
const STRETCH: usize = 4 * CELLS;

pub(super) struct Workshop {
    helpers: Helpers,
    threads: usize,
    /// One for each stretch of each block of the largest operation so far.
    sums: Vec<Mutex<Sums>>,
    /// Pieces of each block that are not done.
    left: Vec<AtomicUsize>,
    /// One for each thread that was at work at once.
    scratch: Mutex<Vec<Scratch>>,
}

impl Workshop {
    /// With so many threads beside the one that calls.
    pub(super) fn new(helpers: usize) -> Self {
        Self {
            helpers: Helpers::start(helpers),
            threads: 1 + helpers,
            sums: Vec::new(),
            left: Vec::new(),
            scratch: Mutex::default(),
        }
    }

    /// How many threads work from now on, of those that there are.
    pub(super) fn set_threads(&mut self, threads: usize) {
        self.threads = threads.max(1);
    }

    pub(super) fn compute(&mut self, attention: &Attention) {
        let plan = Plan::new(attention, self.threads);
        let stretches = plan.blocks() * plan.stretches;
        if self.sums.len() < stretches {
            self.sums.resize_with(stretches, Mutex::default);
        }
        self.left.clear();
        self.left.resize_with(plan.blocks(), || AtomicUsize::new(plan.parts()));
        let next = AtomicUsize::new(0);
        let this = &*self;
        let work = || {
            let mut scratch = lock(&this.scratch).pop().unwrap_or_default();
            loop {
                let piece = next.fetch_add(1, Ordering::Relaxed);
                if piece >= plan.pieces() {
                    break;
                }
                this.piece(attention, &plan, piece, &mut scratch);
            }
            lock(&this.scratch).push(scratch);
        };
        let helpers = (this.threads - 1).min(plan.pieces() - 1);
        this.helpers.run(helpers, &work);
    }

    fn piece(&self, attention: &Attention, plan: &Plan, piece: usize, scratch: &mut Scratch) {
        let (block, part) = (piece / plan.parts(), piece % plan.parts());
        let (key_head, first) = (block % attention.key_heads, block / attention.key_heads * plan.tokens);
        let tokens = plan.tokens.min(attention.tokens - first);
        let rows = Rows {
            count: tokens * attention.alike,
            alike: attention.alike,
        };
        let of_block = &self.sums[block * plan.stretches..(block + 1) * plan.stretches];
        scratch.load(attention.heads, rows, attention.scale, |row| {
            attention.query(key_head, first, row)
        });
        let stretches = of_block.iter().enumerate();
        for (stretch, sums) in stretches.skip(part * plan.of_part).take(plan.of_part) {
            let cells = stretch * STRETCH..attention.cells.min((stretch + 1) * STRETCH);
            let mut sums = lock(sums);
            sums.reset(attention.heads);
            scratch.attend(
                attention.heads,
                rows,
                cells,
                &attention.cells_of(key_head, first),
                &mut sums,
            );
        }
        // The one who finds that no other piece of the block is left sees what the others wrote before they counted down.
        if self.left[block].fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let mut total = lock(&of_block[0]);
        for other in &of_block[1..] {
            total.add(&lock(other));
        }
        for group in 0..rows.groups() {
            let lanes = LANES.min(rows.count - group * LANES);
            total.finish(group, lanes, |lane, at, values| {
                // SAFETY: the rows are this block's, and its pieces are counted down to zero by one thread.
                unsafe { attention.write(key_head, first, group * LANES + lane, at, values) }
            });
        }
    }
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
        // A few pieces for each thread, since they differ in how much of them is seen; more would only take up the queries more often.
        let parts = (4 * threads).div_ceil(of_head * attention.key_heads).min(stretches);
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
