//! Recall: of the rows that a class has, how many were found.

use super::{Confusion, PerClass};
use crate::pair::Label;

/// Rows of the class that were predicted as it / rows of the class; `None` when the gold labels do not have it.
pub fn recall(confusion: &Confusion, label: Label) -> Option<f64> {
    let gold = confusion.gold(label);
    (gold > 0).then(|| confusion.count(label, label) as f64 / gold as f64)
}

/// The recall of each class.
pub fn recalls(confusion: &Confusion) -> PerClass<Option<f64>> {
    PerClass::from_fn(|label| recall(confusion, label))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::oracles::{assert_near, confusion};

    #[test]
    fn recall_is_a_share_of_the_class_and_undefined_without_it() {
        let recalls = recalls(&Confusion::from_counts([[30, 8, 2], [10, 25, 5], [6, 7, 7]]));
        assert_near(recalls.model1, 0.75, "model1");
        assert_near(recalls.model2, 0.625, "model2");
        assert_near(recalls.tie, 0.35, "tie");
        assert_near(
            recall(&confusion("12", "TT"), Label::Tie),
            None,
            "predicted but not in gold",
        );
    }
}
