//! Exact quantiles of more values than fit in memory, from two passes over them.
//!
//! An f32's bits, with the sign turned round, sort as the numbers do. The first pass counts the upper 16 bits; that says in which of 65 536 cells
//! each order statistic lies, and the second pass counts the lower 16 bits in those cells alone. Values of more than 24 bits are
//! rounded to f32 first.

use std::collections::BTreeMap;

use super::summary::{SHARES, between, place};

const CELLS: usize = 1 << 16;

/// Counts of the first pass.
pub(super) struct Upper {
    counts: Vec<u64>,
}

impl Upper {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; CELLS] }
    }

    pub(super) fn add(&mut self, values: &[f64]) {
        for &value in values {
            self.counts[(key(value) >> 16) as usize] += 1;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// Where to look in the second pass. There must be at least one value.
    pub(super) fn cells(&self) -> Lower {
        let total: u64 = self.counts.iter().sum();
        let mut wanted: Vec<u64> = SHARES.iter().flat_map(|&share| ranks(total, share)).collect();
        wanted.sort_unstable();
        let mut cells = BTreeMap::new();
        let (mut before, mut wanted) = (0, wanted.into_iter().peekable());
        for (cell, &count) in self.counts.iter().enumerate() {
            while wanted.next_if(|&rank| rank < before + count).is_some() {
                cells.entry(cell).or_insert_with(|| Cell {
                    before,
                    counts: vec![0; CELLS],
                });
            }
            before += count;
        }
        Lower { total, cells }
    }
}

#[derive(Clone)]
struct Cell {
    /// How many values lie in cells below.
    before: u64,
    counts: Vec<u64>,
}

/// Counts of the second pass.
#[derive(Clone)]
pub(super) struct Lower {
    total: u64,
    cells: BTreeMap<usize, Cell>,
}

impl Lower {
    pub(super) fn add(&mut self, values: &[f64]) {
        for &value in values {
            let key = key(value);
            if let Some(cell) = self.cells.get_mut(&((key >> 16) as usize)) {
                cell.counts[(key & 0xffff) as usize] += 1;
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (cell, more) in self.cells.values_mut().zip(other.cells.values()) {
            for (count, more) in cell.counts.iter_mut().zip(&more.counts) {
                *count += more;
            }
        }
    }

    /// The quantiles at [`SHARES`].
    pub(super) fn quantiles(&self) -> [f64; 7] {
        SHARES.map(|share| {
            let [below, above] = ranks(self.total, share);
            #[expect(clippy::cast_possible_truncation, reason = "counts of values in a file fit usize")]
            let (_, _, part) = place(self.total as usize, share);
            between(self.at(below), self.at(above), part)
        })
    }

    fn at(&self, rank: u64) -> f64 {
        let Some((&upper, cell)) = self.cells.iter().rev().find(|(_, cell)| cell.before <= rank) else {
            return f64::NAN;
        };
        let mut before = cell.before;
        let lower = cell.counts.iter().position(|&count| {
            before += count;
            before > rank
        });
        #[expect(clippy::cast_possible_truncation, reason = "both are below 65 536")]
        lower.map_or(f64::NAN, |lower| value((upper as u32) << 16 | lower as u32))
    }
}

fn ranks(total: u64, share: f64) -> [u64; 2] {
    #[expect(clippy::cast_possible_truncation, reason = "counts of values in a file fit usize")]
    let (below, above, _) = place(total as usize, share);
    [below as u64, above as u64]
}

/// Bits that sort as the numbers do.
fn key(value: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding to f32 is what the module's head says"
    )]
    let bits = (value as f32).to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

fn value(key: u32) -> f64 {
    let bits = if key >> 31 == 1 { key ^ 1 << 31 } else { !key };
    f64::from(f32::from_bits(bits))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::super::summary::Summary;
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        for n in [1_u16, 2, 5, 1000] {
            let numbers = (0..n).map(|i| f32::from(i.wrapping_mul(7919) % 4093) * 0.37 - 600.0);
            let values: Vec<f64> = numbers.map(f64::from).collect();
            let mut upper = Upper::new();
            upper.add(&values);
            let mut lower = upper.cells();
            lower.add(&values);
            let sorted = Summary::of(&values).unwrap().quantiles;
            assert_eq!(lower.quantiles().map(f64::to_bits), sorted.map(f64::to_bits), "{n}");
        }
    }
}
