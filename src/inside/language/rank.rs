//! The units with the smallest scores.

/// The smallest scores and what lies at the cut.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Smallest {
    /// Positions, ascending.
    pub(super) positions: Vec<usize>,
    /// The largest score that was taken.
    pub(super) last: Option<f64>,
    /// The smallest score that was not.
    pub(super) rejected: Option<f64>,
}

/// The `wanted` smallest scores; of equal scores the one at the lower position, that is the lower (layer, index), is taken first.
pub(super) fn smallest(scores: &[f64], wanted: usize) -> Smallest {
    let by_score = |&a: &usize, &b: &usize| scores[a].total_cmp(&scores[b]).then(a.cmp(&b));
    let mut positions: Vec<usize> = (0..scores.len()).collect();
    let wanted = wanted.min(scores.len());
    let mut rejected = None;
    if wanted < positions.len() {
        let (_, first, _) = positions.select_nth_unstable_by(wanted, by_score);
        rejected = Some(scores[*first]);
        positions.truncate(wanted);
    }
    let last = positions
        .iter()
        .map(|&position| scores[position])
        .max_by(f64::total_cmp);
    positions.sort_unstable();
    Smallest {
        positions,
        last,
        rejected,
    }
}
