//! F1 per class and its unweighted mean, macro-F1.

use super::Confusion;
use crate::pair::Label;

/// What macro-F1 does with a class that neither the gold labels nor the predictions have. Nine of LLMEval²'s fifteen datasets
/// have no tie, so the choice is worth up to a third of the figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AbsentClasses {
    /// Average over the classes present in gold ∪ predicted, as scikit-learn does by default. For single datasets.
    Skip,
    /// Average over all three, an absent class counting 0. For the whole benchmark, where the two coincide.
    CountAsZero,
}

/// F1 of one class, 2·TP / (gold + predicted). `None` when the class is in neither.
pub fn f1(confusion: &Confusion, label: Label) -> Option<f64> {
    let seen = confusion.gold(label) + confusion.predicted(label);
    (seen > 0).then(|| 2.0 * confusion.count(label, label) as f64 / seen as f64)
}

/// The unweighted mean of the classes' F1; `None` over no rows.
pub fn macro_f1(confusion: &Confusion, absent: AbsentClasses) -> Option<f64> {
    let scores = Label::ALL.map(|label| f1(confusion, label));
    let present = scores.iter().flatten().count();
    let classes = match absent {
        AbsentClasses::Skip => present,
        AbsentClasses::CountAsZero => scores.len(),
    };
    (present > 0).then(|| scores.iter().flatten().sum::<f64>() / classes as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::oracles::{assert_near, confusion, table};

    #[test]
    fn macro_f1_is_what_scikit_learn_says_under_both_conventions() {
        for oracle in table() {
            assert_near(
                macro_f1(&oracle.confusion, AbsentClasses::CountAsZero),
                oracle.f1_all,
                oracle.id,
            );
            assert_near(
                macro_f1(&oracle.confusion, AbsentClasses::Skip),
                oracle.f1_present,
                oracle.id,
            );
        }
        for absent in [AbsentClasses::Skip, AbsentClasses::CountAsZero] {
            assert_near(macro_f1(&Confusion::default(), absent), None, "no rows");
        }
    }

    #[test]
    fn a_class_that_is_only_predicted_is_present_with_zero() {
        let confusion = confusion("11", "1T");
        assert_near(f1(&confusion, Label::Tie), 0.0, "predicted only");
        assert_near(f1(&confusion, Label::Model2), None, "absent");
        assert_near(macro_f1(&confusion, AbsentClasses::Skip), 1.0 / 3.0, "two classes");
    }
}
