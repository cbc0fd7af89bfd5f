//! Cohen's kappa: agreement beyond what the two label distributions would give by chance.

use super::Confusion;
use crate::pair::Label;

/// (pₒ − pₑ)/(1 − pₑ), with pₒ the accuracy and pₑ = Σ (gold share)·(predicted share) over the classes.
///
/// `None` when pₑ = 1 (both sides constant and equal), and over no rows. Numerator and denominator are computed in integers, so
/// that a constant prediction has kappa 0 and not 10⁻¹⁷.
pub fn kappa(confusion: &Confusion) -> Option<f64> {
    let n = i128::from(confusion.n());
    let by_chance: i128 = Label::ALL
        .iter()
        .map(|&label| i128::from(confusion.gold(label)) * i128::from(confusion.predicted(label)))
        .sum();
    // Both multiplied by n²: n²·pₒ = n·agreed, n²·pₑ = by_chance.
    let beyond_chance = n * i128::from(confusion.agreed()) - by_chance;
    let possible = n * n - by_chance;
    (possible != 0).then(|| beyond_chance as f64 / possible as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::agreement::oracles::{assert_near, table};

    #[test]
    fn kappa_is_what_scikit_learn_says_and_undefined_when_both_sides_are_constant() {
        for oracle in table() {
            assert_near(kappa(&oracle.confusion), oracle.kappa, oracle.id);
        }
        assert_near(kappa(&Confusion::default()), None, "no rows");
    }

    #[test]
    fn constant_predictions_have_a_kappa_of_exactly_zero() {
        let always_model1 = Confusion::from_counts([[1050, 0, 0], [1021, 0, 0], [482, 0, 0]]);
        assert_eq!(kappa(&always_model1), Some(0.0));
    }

    fn any_confusion() -> impl Strategy<Value = Confusion> {
        any::<[[u8; 3]; 3]>().prop_map(|counts| Confusion::from_counts(counts.map(|row| row.map(u64::from))))
    }

    proptest! {
        #[test]
        fn kappa_does_not_depend_on_the_names_of_the_classes(
            confusion in any_confusion(),
            order in Just([0_usize, 1, 2]).prop_shuffle(),
        ) {
            let counts = confusion.counts();
            let renamed = Confusion::from_counts(order.map(|gold| order.map(|predicted| counts[gold][predicted])));
            prop_assert_eq!(kappa(&confusion), kappa(&renamed));
        }

        #[test]
        fn kappa_does_not_depend_on_which_side_is_gold(confusion in any_confusion()) {
            let counts = confusion.counts();
            let exchanged = [0, 1, 2].map(|row| [0, 1, 2].map(|column| counts[column][row]));
            prop_assert_eq!(kappa(&confusion), kappa(&Confusion::from_counts(exchanged)));
        }

        #[test]
        fn kappa_is_between_minus_one_and_one(confusion in any_confusion()) {
            if let Some(kappa) = kappa(&confusion) {
                prop_assert!((-1.0..=1.0).contains(&kappa));
            }
        }
    }
}
