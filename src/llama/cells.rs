//! Which positions of which sequence share a KV cell.
//!
//! llama.cpp's unified cache copies no data when a sequence takes over another's prefix: both then point at the same cells. It does
//! not tell how many cells are in use, so this ledger mirrors it: every position of a sequence names a cell, and a cell is free when nobody
//! names it. Admission works with these exact numbers, so a decode never finds the cache full.

/// Reference counts of KV cells, addressed by the ids that [`CellLedger::grow`] hands out.
#[derive(Debug, Default)]
pub(super) struct CellLedger {
    holders: Vec<u32>,
    free: Vec<u32>,
}

impl CellLedger {
    /// Cells that at least one sequence holds.
    pub(super) fn used(&self) -> usize {
        self.holders.len() - self.free.len()
    }

    /// How many cells these sequences hold, each counted once.
    pub(super) fn distinct<'a>(&self, sequences: impl Iterator<Item = &'a [u32]>) -> usize {
        let mut seen = vec![false; self.holders.len()];
        sequences
            .flatten()
            .filter(|&&cell| !std::mem::replace(&mut seen[cell as usize], true))
            .count()
    }

    /// Appends `n` fresh cells to a sequence.
    pub(super) fn grow(&mut self, sequence: &mut Vec<u32>, n: usize) {
        for _ in 0..n {
            let cell = self.free.pop().unwrap_or_else(|| {
                self.holders.push(0);
                u32::try_from(self.holders.len() - 1).unwrap_or(u32::MAX)
            });
            self.holders[cell as usize] = 1;
            sequence.push(cell);
        }
    }

    /// The first `n` cells of `from`, shared.
    pub(super) fn share(&mut self, from: &[u32], n: usize) -> Vec<u32> {
        let shared = from[..n].to_vec();
        for &cell in &shared {
            self.holders[cell as usize] += 1;
        }
        shared
    }

    /// Shortens a sequence to `len` cells.
    pub(super) fn truncate(&mut self, sequence: &mut Vec<u32>, len: usize) {
        for cell in sequence.drain(len.min(sequence.len())..) {
            let holders = &mut self.holders[cell as usize];
            *holders -= 1;
            if *holders == 0 {
                self.free.push(cell);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_cells_are_counted_once_and_freed_with_their_last_holder() {
        let mut ledger = CellLedger::default();
        let mut a = Vec::new();
        ledger.grow(&mut a, 10);
        let mut b = ledger.share(&a, 6);
        ledger.grow(&mut b, 3);
        assert_eq!(ledger.used(), 13);
        assert_eq!(ledger.distinct([&a[..], &b[..]].into_iter()), 13);
        assert_eq!(ledger.distinct([&b[..]].into_iter()), 9);
        ledger.truncate(&mut a, 0);
        assert_eq!(ledger.used(), 9, "the six shared cells live on in b");
        ledger.truncate(&mut b, 2);
        assert_eq!(ledger.used(), 2);
        ledger.grow(&mut a, 5);
        assert_eq!(ledger.used(), 7, "freed cells are handed out again");
        assert_eq!(ledger.holders.len(), 13);
    }
}
