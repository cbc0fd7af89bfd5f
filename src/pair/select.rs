//! Narrowing a list of pairs: by dataset, by a stratified sample, by a limit.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use super::fault::list;
use super::{Label, Pair};

/// Which pairs to keep. The parts are applied in the order of the fields: first the datasets, then the sample of what is left,
/// then the limit. Pairs stay in source order and keep their indices. The default keeps all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Selection {
    /// Keep these datasets only; empty keeps all.
    pub datasets: Vec<String>,
    /// Keep a random sample.
    pub sample: Option<Sample>,
    /// Keep the first so many.
    pub limit: Option<usize>,
}

/// A random sample, stratified by dataset and label.
///
/// Each stratum of size `s` out of `len` pairs gets ⌊n·s/len⌋ places, and the strata with the largest remainders one more each
/// until `n` are given (ties go to the stratum whose name, then label, comes first). Within a stratum every pair draws a 64-bit
/// ticket, and the lowest win. Tickets come from ChaCha8 keyed with the seed, one per pair in source order, so the same pairs and
/// seed give the same sample on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// How many pairs; all if there are no more than that.
    pub n: usize,
    /// Which of the possible samples.
    pub seed: u64,
}

/// Why a selection cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// A dataset that no pair belongs to.
    #[error("no pair belongs to dataset `{name}`; present: {}", list(present))]
    UnknownDataset {
        /// The name asked for.
        name: String,
        /// The names that are there, sorted.
        present: Vec<String>,
    },
}

impl Selection {
    /// Removes the pairs that are not selected.
    ///
    /// # Errors
    /// [`SelectError`], with `pairs` untouched.
    pub fn apply(&self, pairs: &mut Vec<Pair>) -> Result<(), SelectError> {
        let rows: Vec<_> = pairs.iter().map(|pair| (pair.dataset.as_str(), pair.label)).collect();
        let mut keep = self.keep(&rows)?.into_iter();
        pairs.retain(|_| keep.next() == Some(true));
        Ok(())
    }

    /// Which of the pairs with these datasets and labels stay.
    pub(super) fn keep(&self, rows: &[Row<'_>]) -> Result<Vec<bool>, SelectError> {
        let mut keep = vec![true; rows.len()];
        if !self.datasets.is_empty() {
            let present: BTreeSet<&str> = rows.iter().map(|(dataset, _)| *dataset).collect();
            if let Some(name) = self.datasets.iter().find(|name| !present.contains(name.as_str())) {
                let present = present.into_iter().map(str::to_owned).collect();
                return Err(SelectError::UnknownDataset {
                    name: name.clone(),
                    present,
                });
            }
            for (keep, (dataset, _)) in keep.iter_mut().zip(rows) {
                *keep = self.datasets.iter().any(|name| name == dataset);
            }
        }
        let left = |keep: &[bool]| (0..keep.len()).filter(|&place| keep[place]).collect::<Vec<usize>>();
        if let Some(sample) = self.sample {
            let places = left(&keep);
            if sample.n < places.len() {
                sample.draw(rows, &places, &mut keep);
            }
        }
        if let Some(limit) = self.limit {
            left(&keep)
                .into_iter()
                .skip(limit)
                .for_each(|place| keep[place] = false);
        }
        Ok(keep)
    }
}

/// Dataset and label of a pair.
pub(super) type Row<'a> = (&'a str, Option<Label>);

/// A random number, and the place of the pair that drew it.
type Ticket = (u64, usize);

impl Sample {
    /// Keeps a sample of the rows at these places.
    fn draw(self, rows: &[Row<'_>], places: &[usize], keep: &mut [bool]) {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        let mut strata: BTreeMap<Row<'_>, Vec<Ticket>> = BTreeMap::new();
        for &place in places {
            strata.entry(rows[place]).or_default().push((rng.next_u64(), place));
            keep[place] = false;
        }
        let sizes: Vec<usize> = strata.values().map(Vec::len).collect();
        for (mut stratum, share) in strata.into_values().zip(shares(&sizes, self.n)) {
            stratum.sort_unstable();
            for &(_, place) in &stratum[..share] {
                keep[place] = true;
            }
        }
    }
}

/// Largest remainders: shares of `n` in proportion to `sizes`, in exact arithmetic. Needs `n` ≤ the sum of the sizes.
fn shares(sizes: &[usize], n: usize) -> Vec<usize> {
    let total = sizes.iter().sum::<usize>().max(1) as u128;
    let exact = |size: usize| (size as u128) * (n as u128);
    // At most `size`, because n ≤ total; the cast back cannot lose anything.
    let mut shares: Vec<usize> = sizes
        .iter()
        .map(|&size| usize::try_from(exact(size) / total).unwrap_or(size))
        .collect();
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|&i| std::cmp::Reverse(exact(sizes[i]) % total));
    let left = n - shares.iter().sum::<usize>();
    for &i in &by_remainder[..left] {
        shares[i] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn pairs(strata: &[(u8, u8)]) -> Vec<Pair> {
        let pair = |(index, &(dataset, label)): (usize, &(u8, u8))| Pair {
            index,
            id: None,
            query: String::new(),
            response1: String::new(),
            response2: String::new(),
            label: Label::ALL.get(usize::from(label)).copied(),
            dataset: format!("d{dataset}"),
        };
        strata.iter().enumerate().map(pair).collect()
    }

    fn sampled(from: &[Pair], n: usize, seed: u64) -> Vec<Pair> {
        let mut pairs = from.to_vec();
        Selection {
            sample: Some(Sample { n, seed }),
            ..Selection::default()
        }
        .apply(&mut pairs)
        .unwrap();
        pairs
    }

    #[test]
    fn remaining_places_go_to_the_largest_remainders() {
        assert_eq!(shares(&[5, 3, 2], 4), [2, 1, 1]);
        assert_eq!(shares(&[1, 1, 1], 2), [1, 1, 0]);
        assert_eq!(shares(&[7, 0], 3), [3, 0]);
        assert_eq!(shares(&[], 0), [0; 0]);
    }

    #[test]
    fn the_sample_of_a_seed_is_pinned() {
        let all = pairs(&[(0, 0); 12]);
        let places: Vec<usize> = sampled(&all, 4, 7).iter().map(|pair| pair.index).collect();
        insta::assert_compact_debug_snapshot!(places, @"[2, 3, 5, 7]");
        assert_ne!(sampled(&all, 4, 8), sampled(&all, 4, 7));
    }

    #[test]
    fn every_pair_is_sampled_about_equally_often() {
        let all = pairs(&[(0, 0); 10]);
        let mut hits = [0_u32; 10];
        for seed in 0..2000 {
            for pair in sampled(&all, 3, seed) {
                hits[pair.index] += 1;
            }
        }
        // 600 expected each, standard deviation sqrt(2000 · 0.3 · 0.7) ≈ 20.5; the bounds are five of them.
        assert!(hits.iter().all(|hits| (498..=702).contains(hits)), "{hits:?}");
    }

    #[test]
    fn datasets_come_first_then_the_sample_then_the_limit() {
        let mut some = pairs(&[(0, 0), (1, 0), (0, 0), (1, 0), (0, 0), (1, 0), (1, 0)]);
        let expected: Vec<Pair> = some
            .iter()
            .filter(|pair| pair.dataset == "d1")
            .cloned()
            .collect::<Vec<_>>();
        let expected = sampled(&expected, 3, 1)[..2].to_vec();
        let selection = Selection {
            datasets: vec!["d1".to_owned()],
            sample: Some(Sample { n: 3, seed: 1 }),
            limit: Some(2),
        };
        selection.apply(&mut some).unwrap();
        assert_eq!(some, expected);
    }

    #[test]
    fn an_unknown_dataset_is_an_error_that_lists_those_present() {
        let mut some = pairs(&[(1, 0), (0, 0), (1, 0)]);
        let before = some.clone();
        let selection = Selection {
            datasets: vec!["d1".to_owned(), "d2".to_owned()],
            ..Selection::default()
        };
        let error = selection.apply(&mut some).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no pair belongs to dataset `d2`; present: `d0`, `d1`"
        );
        assert_eq!(some, before);
    }

    proptest! {
        #[test]
        fn a_sample_has_its_size_its_order_and_its_proportions(
            strata in prop::collection::vec((0..4_u8, 0..4_u8), 0..200),
            n in 0..250_usize,
            seed: u64,
        ) {
            let all = pairs(&strata);
            let some = sampled(&all, n, seed);
            prop_assert_eq!(some.len(), n.min(all.len()));
            prop_assert!(some.is_sorted_by(|a, b| a.index < b.index));
            prop_assert!(some.iter().all(|pair| all[pair.index] == *pair));
            prop_assert_eq!(&some, &sampled(&all, n, seed));
            let count = |pairs: &[Pair], key: (&str, Option<Label>)| {
                pairs.iter().filter(|pair| (pair.dataset.as_str(), pair.label) == key).count()
            };
            for pair in &all {
                let key = (pair.dataset.as_str(), pair.label);
                let exact = count(&all, key) as f64 * some.len() as f64 / all.len() as f64;
                prop_assert!((count(&some, key) as f64 - exact).abs() < 1.0 + 1e-9);
            }
        }
    }
}
