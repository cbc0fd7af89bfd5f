//! Which group each unit belongs to.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The group of every unit, numbered from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<usize>", into = "Vec<usize>")]
pub struct Groups {
    of_unit: Vec<usize>,
    sizes: Vec<usize>,
}

impl Groups {
    /// `of_unit[i]` is the group of unit i. Numbers are kept as they are; one that no unit has is an empty group.
    pub fn new(of_unit: Vec<usize>) -> Self {
        let count = of_unit.iter().max().map_or(0, |last| last + 1);
        let mut sizes = vec![0; count];
        for &group in &of_unit {
            sizes[group] += 1;
        }
        Self { of_unit, sizes }
    }

    /// The group of every unit.
    pub fn of_unit(&self) -> &[usize] {
        &self.of_unit
    }

    /// How many units each group has.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// How many groups.
    pub fn count(&self) -> usize {
        self.sizes.len()
    }

    /// The units of a group, ascending.
    pub fn members(&self, group: usize) -> Vec<usize> {
        (0..self.of_unit.len())
            .filter(|&unit| self.of_unit[unit] == group)
            .collect()
    }

    /// Groups of the same sizes with other units.
    pub(super) fn shuffled(&self, rng: &mut ChaCha8Rng) -> Self {
        let mut shuffled = self.clone();
        shuffled.of_unit.shuffle(rng);
        shuffled
    }
}

impl From<Vec<usize>> for Groups {
    fn from(of_unit: Vec<usize>) -> Self {
        Self::new(of_unit)
    }
}

impl From<Groups> for Vec<usize> {
    fn from(groups: Groups) -> Self {
        groups.of_unit
    }
}

/// Random groups whose sizes differ by one at the most.
pub fn random_groups(units: usize, groups: usize, seed: u64) -> Groups {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Groups::new((0..units).map(|unit| unit % groups.max(1)).collect()).shuffled(&mut rng)
}
