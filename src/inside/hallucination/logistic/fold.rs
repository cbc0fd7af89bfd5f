//! Dividing questions into folds.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{Class, FitError};

/// Which fold every row is held out in. All rows of a group (a question) are held out together, and groups that have a positive row are spread evenly, as
/// are the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folds {
    of_row: Vec<usize>,
    count: usize,
}

impl Folds {
    /// Divides rows, whose groups are numbers below some count, by ChaCha8 with the seed.
    pub fn by_group(groups: &[usize], classes: &[Class], count: usize, seed: u64) -> Result<Self, FitError> {
        let groups_count = groups.iter().max().map_or(0, |last| last + 1);
        let mut kinds: Vec<Option<Class>> = vec![None; groups_count];
        for (&group, &class) in groups.iter().zip(classes) {
            kinds[group] = kinds[group].max(Some(class));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut fold_of = vec![0; groups_count];
        for class in [Class::Positive, Class::Negative] {
            let mut own: Vec<usize> = (0..groups_count).filter(|&group| kinds[group] == Some(class)).collect();
            if count < 2 || own.len() < count {
                return Err(FitError::Folds {
                    folds: count,
                    groups: own.len(),
                });
            }
            own.shuffle(&mut rng);
            for (nth, group) in own.into_iter().enumerate() {
                fold_of[group] = nth % count;
            }
        }
        Ok(Self {
            of_row: groups.iter().map(|&group| fold_of[group]).collect(),
            count,
        })
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The rows that a fold holds out.
    pub fn held_out(&self, fold: usize) -> impl Iterator<Item = usize> + '_ {
        self.of_row
            .iter()
            .enumerate()
            .filter(move |&(_, &of)| of == fold)
            .map(|(row, _)| row)
    }
}
