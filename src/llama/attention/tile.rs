//! Attention of up to 64 rows over a stretch of cells, with the rows in the lanes of vectors.
//!
//! A *row* is one query head of one token; the rows of a block share a key-value head, so that a key is converted and loaded once for all of them. All
//! sums are over cells in order, in single precision, and no row's arithmetic depends on the others: a row's result is the same in any batch.

use arrayvec::ArrayVec;
use half::f16;
use half::slice::HalfFloatSliceExt;
use wide::f32x16;

/// Rows in a vector.
pub(super) const LANES: usize = 16;
/// Vectors in a block.
pub(super) const GROUPS: usize = 4;
/// Cells that are converted and multiplied at a time.
pub(super) const CELLS: usize = 64;
/// Cells, or values of a head, whose sums are in registers at a time.
const STEP: usize = 8;
/// Stands for minus infinity where a difference is taken: no score is as low.
const LOW: f32 = -1e30;

/// Sizes of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heads {
    /// Values of a query and of a key.
    pub(super) key: usize,
    /// Values of a value.
    pub(super) value: usize,
}

/// The sums of a softmax that has seen some of the cells: the largest score, the weights relative to it, the values weighted.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    /// Groups of which a row has seen a cell; the numbers of others mean nothing.
    seen: [bool; GROUPS],
    largest: [f32x16; GROUPS],
    weight: [f32x16; GROUPS],
    /// `GROUPS` × value.
    values: Vec<f32x16>,
}

impl Sums {
    /// Nothing is seen yet.
    pub(super) fn reset(&mut self, heads: Heads) {
        self.seen = [false; GROUPS];
        self.values.resize(GROUPS * heads.value, f32x16::ZERO);
    }

    fn see(&mut self, group: usize) {
        if !self.seen[group] {
            self.seen[group] = true;
            self.largest[group] = f32x16::splat(LOW);
            self.weight[group] = f32x16::ZERO;
            self.group_mut(group).fill(f32x16::ZERO);
        }
    }

    fn span(&self, group: usize) -> std::ops::Range<usize> {
        let size = self.values.len() / GROUPS;
        group * size..(group + 1) * size
    }

    fn group(&self, group: usize) -> &[f32x16] {
        &self.values[self.span(group)]
    }

    fn group_mut(&mut self, group: usize) -> &mut [f32x16] {
        let span = self.span(group);
        &mut self.values[span]
    }

    /// Adds the sums of other cells.
    pub(super) fn add(&mut self, other: &Sums) {
        for group in (0..GROUPS).filter(|&group| other.seen[group]) {
            self.see(group);
            let largest = self.largest[group].max(other.largest[group]);
            let ours = (self.largest[group] - largest).exp();
            let theirs = (other.largest[group] - largest).exp();
            self.largest[group] = largest;
            self.weight[group] = self.weight[group] * ours + other.weight[group] * theirs;
            for (value, other) in self.group_mut(group).iter_mut().zip(other.group(group)) {
                *value = *value * ours + *other * theirs;
            }
        }
    }

    /// The result for the rows of a group: `row(lane, at, values)` is called with parts of it. A row that attends to nothing is zero.
    pub(super) fn finish(&mut self, group: usize, lanes: usize, mut row: impl FnMut(usize, usize, &[f32; LANES])) {
        self.see(group);
        let weight = self.weight[group];
        let inverse = weight.simd_gt(f32x16::ZERO).select(f32x16::ONE / weight, f32x16::ZERO);
        for (part, values) in self.group(group).chunks_exact(LANES).enumerate() {
            let scaled: [f32x16; LANES] = std::array::from_fn(|i| values[i] * inverse);
            for (lane, values) in f32x16::transpose(scaled).iter().enumerate().take(lanes) {
                row(lane, part * LANES, values.as_array());
            }
        }
    }
}

/// Keys, values and the mask as they lie in memory.
pub(super) trait Cells {
    /// The key of a cell.
    fn key(&self, cell: usize) -> &[f16];
    /// The value of a cell.
    fn value(&self, cell: usize) -> &[f16];
    /// What is added to the scores of a row of the block over `CELLS` cells or fewer: 0, or minus infinity where the row does not attend.
    fn mask(&self, row: usize, cells: std::ops::Range<usize>) -> &[f16];
}

/// What a thread computes with.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// `GROUPS` × key.
    queries: Vec<f32x16>,
    /// `GROUPS` × `CELLS`: scores, then weights.
    scores: Vec<f32x16>,
    /// `CELLS` × key, then `CELLS` × value.
    numbers: Vec<f32>,
}

/// A block's rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub(super) count: usize,
    /// Rows that follow each other and have the same mask.
    pub(super) alike: usize,
}

impl Rows {
    pub(super) fn groups(self) -> usize {
        self.count.div_ceil(LANES)
    }
}

impl Scratch {
    /// Takes up the block's queries: `query(row)` gives one, which is multiplied by `scale`.
    pub(super) fn load<'q>(&mut self, heads: Heads, rows: Rows, scale: f32, query: impl Fn(usize) -> &'q [f32]) {
        self.queries.resize(GROUPS * heads.key, f32x16::ZERO);
        self.scores.resize(GROUPS * CELLS, f32x16::ZERO);
        let scale = f32x16::splat(scale);
        for group in 0..rows.groups() {
            let to = &mut self.queries[group * heads.key..(group + 1) * heads.key];
            for (part, to) in to.chunks_exact_mut(LANES).enumerate() {
                let from = std::array::from_fn(|lane| {
                    let row = group * LANES + lane;
                    if row < rows.count {
                        f32x16::from(&query(row)[part * LANES..(part + 1) * LANES])
                    } else {
                        f32x16::ZERO
                    }
                });
                for (to, values) in to.iter_mut().zip(f32x16::transpose(from)) {
                    *to = values * scale;
                }
            }
        }
    }

    /// Attends to these cells.
    pub(super) fn attend(
        &mut self,
        heads: Heads,
        rows: Rows,
        cells: std::ops::Range<usize>,
        from: &impl Cells,
        sums: &mut Sums,
    ) {
        for start in cells.clone().step_by(CELLS) {
            self.tile(heads, rows, start..cells.end.min(start + CELLS), from, sums);
        }
    }

    fn tile(&mut self, heads: Heads, rows: Rows, cells: std::ops::Range<usize>, from: &impl Cells, sums: &mut Sums) {
        let sights = Sights::of(rows, &cells, from);
        let seeing = sights.seeing();
        if seeing.is_empty() {
            return;
        }
        self.numbers.resize(CELLS * heads.key.max(heads.value), 0.0);
        convert(&mut self.numbers, heads.key, &cells, |cell| from.key(cell));
        for pair in seeing.chunks(2) {
            match *pair {
                [one, other] => self.score(heads, [one, other]),
                [one] => self.score(heads, [one]),
                _ => {}
            }
        }
        convert(&mut self.numbers, heads.value, &cells, |cell| from.value(cell));
        let mut shrunk = [f32x16::ONE; GROUPS];
        for &group in &seeing {
            sums.see(group);
            let scores = &mut self.scores[group * CELLS..(group + 1) * CELLS];
            sights.hide(group, rows, &cells, from, scores);
            shrunk[group] = soften(scores, &mut sums.largest[group], &mut sums.weight[group]);
        }
        for pair in seeing.chunks(2) {
            match *pair {
                [one, other] => self.weigh(heads, [one, other], &shrunk, sums),
                [one] => self.weigh(heads, [one], &shrunk, sums),
                _ => {}
            }
        }
    }

    /// Scores of `N` groups of rows over all cells of the tile.
    fn score<const N: usize>(&mut self, heads: Heads, groups: [usize; N]) {
        let size = heads.key;
        let queries: [&[f32x16]; N] = groups.map(|group| &self.queries[group * size..(group + 1) * size]);
        for (step, keys) in self.numbers[..CELLS * size].chunks_exact(STEP * size).enumerate() {
            let keys: [&[f32]; STEP] = std::array::from_fn(|i| &keys[i * size..(i + 1) * size]);
            let mut sums = [[f32x16::ZERO; N]; STEP];
            for at in 0..size {
                for (sums, key) in sums.iter_mut().zip(keys) {
                    let key = f32x16::splat(key[at]);
                    for (sum, queries) in sums.iter_mut().zip(queries) {
                        *sum = queries[at].mul_add(key, *sum);
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate() {
                for (sum, group) in sums.iter().zip(groups) {
                    self.scores[group * CELLS + step * STEP + i] = *sum;
                }
            }
        }
    }

    /// Adds the tile's values, weighted, to the sums of `N` groups of rows.
    fn weigh<const N: usize>(&self, heads: Heads, groups: [usize; N], shrunk: &[f32x16; GROUPS], sums: &mut Sums) {
        let size = heads.value;
        let weights: [&[f32x16]; N] = groups.map(|group| &self.scores[group * CELLS..(group + 1) * CELLS]);
        for start in (0..size).step_by(STEP) {
            let mut added: [[f32x16; N]; STEP] =
                std::array::from_fn(|i| groups.map(|group| sums.values[group * size + start + i] * shrunk[group]));
            for (cell, values) in self.numbers[..CELLS * size].chunks_exact(size).enumerate() {
                let values = &values[start..start + STEP];
                for (added, value) in added.iter_mut().zip(values) {
                    let value = f32x16::splat(*value);
                    for (added, weights) in added.iter_mut().zip(weights) {
                        *added = weights[cell].mul_add(value, *added);
                    }
                }
            }
            for (i, added) in added.iter().enumerate() {
                for (added, group) in added.iter().zip(groups) {
                    sums.values[group * size + start + i] = *added;
                }
            }
        }
    }
}

/// Half-precision cells in single precision, with zeros after the last.
fn convert<'c>(numbers: &mut [f32], size: usize, cells: &std::ops::Range<usize>, from: impl Fn(usize) -> &'c [f16]) {
    for (to, cell) in numbers.chunks_exact_mut(size).zip(cells.clone()) {
        from(cell).convert_to_f32_slice(to);
    }
    numbers[cells.len() * size..CELLS * size].fill(0.0);
}

/// Turns scores into weights relative to the largest score so far; returns by what earlier sums have to be multiplied.
fn soften(scores: &mut [f32x16], largest: &mut f32x16, weight: &mut f32x16) -> f32x16 {
    let new = scores.iter().fold(*largest, |largest, score| largest.fast_max(*score));
    let shrunk = (*largest - new).exp();
    *largest = new;
    *weight *= shrunk;
    for score in scores {
        *score = (*score - new).exp();
        *weight += *score;
    }
    shrunk
}

/// What the rows of a block see of a tile.
struct Sights([Sight; GROUPS * LANES]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    All,
    Some,
    None,
}

impl Sights {
    fn of(rows: Rows, cells: &std::ops::Range<usize>, from: &impl Cells) -> Self {
        // Rows that there are not see nothing.
        let mut sights = [Sight::None; GROUPS * LANES];
        for start in (0..rows.count).step_by(rows.alike) {
            let sight = Sight::of(from.mask(start, cells.clone()));
            sights[start..rows.count.min(start + rows.alike)].fill(sight);
        }
        Self(sights)
    }

    fn group(&self, group: usize) -> &[Sight] {
        &self.0[group * LANES..(group + 1) * LANES]
    }

    /// Groups with a row that sees any of the cells.
    fn seeing(&self) -> ArrayVec<usize, GROUPS> {
        (0..GROUPS)
            .filter(|&group| self.group(group).iter().any(|&sight| sight != Sight::None))
            .collect()
    }

    /// Adds the mask to the scores of a group, and minus infinity to those of cells that are not there.
    fn hide(&self, group: usize, rows: Rows, cells: &std::ops::Range<usize>, from: &impl Cells, scores: &mut [f32x16]) {
        let sights = self.group(group);
        if sights.iter().any(|&sight| sight != Sight::All) {
            let mut masks = [[f32::NEG_INFINITY; CELLS]; LANES];
            for lane in 0..LANES {
                let row = group * LANES + lane;
                match sights[lane] {
                    Sight::All => masks[lane].fill(0.0),
                    Sight::Some if lane > 0 && !row.is_multiple_of(rows.alike) => {
                        masks.copy_within(lane - 1..lane, lane);
                    }
                    Sight::Some => from
                        .mask(row, cells.clone())
                        .convert_to_f32_slice(&mut masks[lane][..cells.len()]),
                    Sight::None => {}
                }
            }
            for start in (0..CELLS).step_by(LANES) {
                let lanes = std::array::from_fn(|lane| f32x16::from(&masks[lane][start..start + LANES]));
                for (score, mask) in scores[start..].iter_mut().zip(f32x16::transpose(lanes)) {
                    *score += mask;
                }
            }
        }
        scores[cells.len()..].fill(f32x16::splat(f32::NEG_INFINITY));
    }
}

impl Sight {
    fn of(mask: &[f16]) -> Self {
        let blind = f16::NEG_INFINITY.to_bits();
        let (seen, unseen) = mask.iter().fold((0, 0), |(seen, unseen), value| {
            (seen | (value.to_bits() ^ blind), unseen | value.to_bits())
        });
        match (seen, unseen) {
            (_, 0) => Sight::All,
            (0, _) => Sight::None,
            _ => Sight::Some,
        }
    }
}
