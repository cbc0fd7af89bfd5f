//! How wide the network was, and from how many angles it looked.

use std::collections::HashSet;

use serde::Serialize;

use crate::network::Evaluation;

/// The roles of the neurons over all pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Roles {
    /// Pairs.
    pub pairs: usize,
    /// Roles, and so neurons of a layer that is heard in full, on average over the pairs.
    pub mean_width: f64,
    /// The narrowest network of the run.
    pub min_width: usize,
    /// The widest.
    pub max_width: usize,
    /// Different roles over all pairs; upper and lower case, and space around a name, make no difference.
    pub distinct: usize,
}

/// The roles in the making.
#[derive(Default)]
pub(super) struct Sums {
    /// BLAKE3 of the names, cut to 128 bits: names generated for each pair would add up.
    distinct: HashSet<[u8; 16]>,
    pairs: usize,
    neurons: usize,
    least: Option<usize>,
    most: Option<usize>,
}

impl Sums {
    pub(super) fn add(&mut self, evaluation: &Evaluation) {
        let width = evaluation.roles.roles.len();
        self.pairs += 1;
        self.neurons += width;
        self.least = Some(self.least.map_or(width, |least| least.min(width)));
        self.most = self.most.max(Some(width));
        for name in evaluation.roles.roles.iter().flatten() {
            let hash = blake3::hash(name.trim().to_lowercase().as_bytes());
            if let Some(start) = hash.as_bytes().first_chunk() {
                self.distinct.insert(*start);
            }
        }
    }

    /// `None` over no pairs.
    pub(super) fn finish(self) -> Option<Roles> {
        Some(Roles {
            pairs: self.pairs,
            min_width: self.least?,
            max_width: self.most?,
            mean_width: self.neurons as f64 / self.pairs as f64,
            distinct: self.distinct.len(),
        })
    }
}
