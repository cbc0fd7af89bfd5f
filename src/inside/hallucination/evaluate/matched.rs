//! Taking length out: what is left of a detector where right and wrong answers are equally long (spec 6.6).

use std::collections::BTreeMap;

use rand::{SeedableRng, seq::index::sample};
use rand_chacha::ChaCha8Rng;

use super::{super::logistic::Class, auroc::Ranking};

/// Rows such that at every length there are as many positive as negative ones: of each length's larger class some are drawn, by ChaCha8 with the seed. Ascending.
pub fn length_matched(lengths: &[u32], classes: &[Class], seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut chosen = Vec::new();
    for rows in by_length(lengths).into_values() {
        let (positive, negative): (Vec<usize>, Vec<usize>) =
            rows.into_iter().partition(|&row| classes[row] == Class::Positive);
        let n = positive.len().min(negative.len());
        for pool in [positive, negative] {
            chosen.extend(sample(&mut rng, pool.len(), n).iter().map(|nth| pool[nth]));
        }
    }
    chosen.sort_unstable();
    chosen
}

/// The AUROC over pairs of equal length only: `Σ pairs in order / Σ pairs`, with all rows and no drawing. `None` where no length has both classes.
pub fn within_length_auroc(scores: &[f64], lengths: &[u32], classes: &[Class]) -> Option<f64> {
    let (mut in_order, mut pairs) = (0.0, 0.0);
    for rows in by_length(lengths).into_values() {
        let own: Vec<Class> = rows.iter().map(|&row| classes[row]).collect();
        let values: Vec<f64> = rows.iter().map(|&row| scores[row]).collect();
        let positive = own.iter().filter(|&&class| class == Class::Positive).count();
        let count = (positive * (own.len() - positive)) as f64;
        if let Some(auroc) = Ranking::of(&values, &own).auroc(|_| 1) {
            in_order += auroc * count;
            pairs += count;
        }
    }
    (pairs > 0.0).then(|| in_order / pairs)
}

fn by_length(lengths: &[u32]) -> BTreeMap<u32, Vec<usize>> {
    let mut rows: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, &length) in lengths.iter().enumerate() {
        rows.entry(length).or_default().push(row);
    }
    rows
}
