//! Human-in-the-loop calibration (FairEval, spec section 11.1): hand the pairs on which a judge contradicts itself to people.
//!
//! ```
//! use widedeep::agreement::{Share, bpde, hand_over, replaced};
//! use widedeep::pair::Label::{Model1, Model2, Tie};
//!
//! // Six single-sample verdicts per pair: three in each order.
//! let entropies = [bpde([Model1; 6]), bpde([Model1, Model2, Model1, Model2, Model1, Model2])];
//! let handed = hand_over(&entropies, Share::new(0.5)?);
//! assert_eq!(handed, [1]);
//! assert_eq!(replaced(&[Model1, Tie], &handed, |_| Model2), [Model1, Model2]);
//! # Ok::<(), widedeep::agreement::ShareError>(())
//! ```

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::pair::Label;

/// Balanced position diversity entropy: −Σ pₑ·ln pₑ over the shares of win, tie and lose among a pair's 2k single-sample
/// verdicts, in nats (0 to ln 3). `None` without verdicts. Verdicts of the second order must be canonical.
pub fn bpde(verdicts: impl IntoIterator<Item = Label>) -> Option<f64> {
    let mut counts = [0_u64; 3];
    for verdict in verdicts {
        counts[super::confusion::place(verdict)] += 1;
    }
    let n: u64 = counts.iter().sum();
    // Floating-point sums depend on their order: without this, 4-1-1 and 1-4-1 could differ in the last bit, and ties between pairs
    // would be broken by it and not by their index.
    counts.sort_unstable();
    let term = |count: u64| {
        let share = count as f64 / n as f64;
        share * share.ln()
    };
    // `0.0 −`: an entropy of nothing is 0 and not −0.
    (n > 0).then(|| {
        0.0 - counts
            .iter()
            .filter(|&&count| count > 0)
            .map(|&count| term(count))
            .sum::<f64>()
    })
}

/// A share of a whole, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

/// A number that is no share.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("`{value}` is no share: it must lie between 0 and 1, such as `0.2` for a fifth")]
pub struct ShareError {
    /// The number.
    pub value: f64,
}

impl Share {
    /// A share from 0 to 1, both included.
    pub fn new(value: f64) -> Result<Self, ShareError> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(ShareError { value })
        }
    }

    /// The share as a number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The share of `n` things, rounded to the nearest number of them.
    fn of(self, n: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and n")]
        let things = (self.0 * n as f64).round() as usize;
        things
    }
}

impl TryFrom<f64> for Share {
    type Error = ShareError;

    fn try_from(value: f64) -> Result<Self, ShareError> {
        Self::new(value)
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

/// The indices of the pairs to give to people: the share with the highest entropy, most uncertain first, equal ones by index. The
/// number is rounded to the nearest (a fifth of 80 is 16). A pair without any verdict (`None`) comes before all others: nobody
/// but a person can decide it.
pub fn hand_over(entropies: &[Option<f64>], share: Share) -> Vec<usize> {
    let mut ranked: Vec<usize> = (0..entropies.len()).collect();
    let rank = |index: usize| entropies[index].unwrap_or(f64::INFINITY);
    // A stable sort: equal entropies stay in the order of their indices.
    ranked.sort_by(|&a, &b| rank(b).total_cmp(&rank(a)));
    ranked.truncate(share.of(entropies.len()));
    ranked
}

/// The predictions with those handed over replaced by the people's own labels.
pub fn replaced(predicted: &[Label], handed: &[usize], human: impl Fn(usize) -> Label) -> Vec<Label> {
    let handed: HashSet<usize> = handed.iter().copied().collect();
    let label = |(index, &label): (usize, &Label)| {
        if handed.contains(&index) { human(index) } else { label }
    };
    predicted.iter().enumerate().map(label).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{
        agreement::oracles::assert_near,
        pair::Label::{Model1, Model2, Tie},
    };

    fn verdicts(win: usize, tie: usize, lose: usize) -> Vec<Label> {
        [vec![Model1; win], vec![Tie; tie], vec![Model2; lose]].concat()
    }

    #[test]
    fn the_entropies_of_six_verdicts_are_the_published_ones() {
        // Spec 14.6: win-tie-lose counts over 6.
        for (counts, entropy) in [
            ((6, 0, 0), 0.0),
            ((5, 0, 1), 0.450_561),
            ((3, 0, 3), std::f64::consts::LN_2),
            ((4, 1, 1), 0.867_563),
            ((2, 2, 2), 1.098_612),
        ] {
            let (win, tie, lose) = counts;
            assert_near(bpde(verdicts(win, tie, lose)), entropy, &format!("{counts:?}"));
        }
        assert_near(bpde([]), None, "no verdicts");
    }

    #[test]
    fn certainty_is_a_positive_zero_and_the_classes_do_not_matter() {
        assert!(bpde(verdicts(6, 0, 0)).unwrap().is_sign_positive());
        let bits = |win, tie, lose| bpde(verdicts(win, tie, lose)).unwrap().to_bits();
        for (a, b, c) in [(4, 1, 1), (3, 2, 1), (5, 0, 1), (3, 4, 5), (1, 4, 7), (2, 3, 7)] {
            for (win, tie, lose) in [(a, c, b), (b, a, c), (b, c, a), (c, a, b), (c, b, a)] {
                assert_eq!(
                    bits(win, tie, lose),
                    bits(a, b, c),
                    "{a} {b} {c}: equal to the last bit"
                );
            }
        }
    }

    #[test]
    fn a_fifth_of_eighty_pairs_is_sixteen() {
        let handed = hand_over(&[Some(0.5); 80], Share::new(0.2).unwrap());
        assert_eq!(handed, (0..16).collect::<Vec<_>>());
    }

    #[test]
    fn the_most_uncertain_go_first_and_equal_ones_by_index() {
        let entropies = [Some(0.0), Some(0.9), Some(0.4), Some(0.9), None, Some(1.0)];
        let handed = |share| hand_over(&entropies, Share::new(share).unwrap());
        assert_eq!(handed(1.0), [4, 5, 1, 3, 2, 0]);
        assert_eq!(handed(0.5), [4, 5, 1]);
        assert!(handed(0.0).is_empty());
        assert!(hand_over(&[], Share::new(1.0).unwrap()).is_empty());
    }

    #[test]
    fn only_what_was_handed_over_is_replaced() {
        let humans = [Tie, Tie, Model2];
        assert_eq!(
            replaced(&[Model1, Model2, Model1], &[2, 0], |index| humans[index]),
            [Tie, Model2, Model2]
        );
    }

    #[test]
    fn a_share_lies_between_zero_and_one() {
        for value in [-0.1, 1.1, 20.0, f64::NAN] {
            assert!(Share::new(value).is_err(), "{value}");
        }
    }
}
