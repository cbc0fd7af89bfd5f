//! Everything that is reported about one set of rows.

use serde::{Deserialize, Serialize};

use super::{
    AbsentClasses, Bootstrap, Confusion, Interval, Intervals, PerClass, accuracy, kappa, macro_f1, recalls, wilson,
};
use crate::pair::Label;

/// The measures of one set of rows, with what is needed to read them (spec section 8: never accuracy alone).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Rows: pairs with both a human label and a verdict.
    pub n: u64,
    /// Share of exact matches.
    pub accuracy: f64,
    /// Wilson interval of accuracy.
    pub accuracy_wilson: Option<Interval>,
    /// Macro-F1 over the classes present in gold or predictions: for single datasets.
    pub macro_f1_present: f64,
    /// Macro-F1 over all three classes: for the whole benchmark.
    pub macro_f1_all: f64,
    /// Cohen's kappa; `None` where it is undefined.
    pub kappa: Option<f64>,
    /// Bootstrap intervals of the above.
    pub intervals: Intervals,
    /// Recall of each class; `None` for a class without rows.
    pub recall: PerClass<Option<f64>>,
    /// Share of the verdicts that are ties.
    pub tie_rate: f64,
    /// Rows whose human label is not a tie.
    pub n_without_tie: u64,
    /// Accuracy over these; `None` when all labels are ties.
    pub accuracy_without_tie: Option<f64>,
    /// Counts, `[gold][predicted]` in the order model1, model2, tie: every figure here can be recomputed from them.
    pub confusion: Confusion,
}

impl Summary {
    /// Summarises rows of (gold, predicted); `None` over no rows.
    pub fn of(rows: impl IntoIterator<Item = (Label, Label)>, bootstrap: Bootstrap) -> Option<Self> {
        Self::of_counts(rows.into_iter().collect(), bootstrap)
    }

    /// Summarises rows that are already counted; `None` over no rows.
    pub fn of_counts(confusion: Confusion, bootstrap: Bootstrap) -> Option<Self> {
        let without_tie = confusion.without_gold(Label::Tie);
        Some(Self {
            n: confusion.n(),
            accuracy: accuracy(&confusion)?,
            accuracy_wilson: wilson(confusion.agreed(), confusion.n(), bootstrap.level),
            macro_f1_present: macro_f1(&confusion, AbsentClasses::Skip)?,
            macro_f1_all: macro_f1(&confusion, AbsentClasses::CountAsZero)?,
            kappa: kappa(&confusion),
            intervals: bootstrap.intervals(&confusion)?,
            recall: recalls(&confusion),
            tie_rate: confusion.predicted(Label::Tie) as f64 / confusion.n() as f64,
            n_without_tie: without_tie.n(),
            accuracy_without_tie: accuracy(&without_tie),
            confusion,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::agreement::oracles::{assert_near, confusion, table};

    #[test]
    fn a_summary_holds_the_measures_of_its_rows() {
        for oracle in table() {
            let summary = Summary::of_counts(oracle.confusion, Bootstrap::default()).unwrap();
            assert_near(summary.accuracy, oracle.accuracy, oracle.id);
            assert_near(summary.macro_f1_all, oracle.f1_all, oracle.id);
            assert_near(summary.macro_f1_present, oracle.f1_present, oracle.id);
            assert_near(summary.kappa, oracle.kappa, oracle.id);
        }
    }

    #[test]
    fn ties_are_counted_among_verdicts_and_left_out_among_labels() {
        let summary = Summary::of_counts(confusion("1122TT", "1T21T1"), Bootstrap::default()).unwrap();
        assert_near(summary.tie_rate, 2.0 / 6.0, "tie rate");
        assert_eq!(summary.n_without_tie, 4);
        assert_near(summary.accuracy_without_tie, 0.5, "accuracy without tie");
        assert_near(summary.recall.tie, 0.5, "recall of ties");
        let only_ties = Summary::of_counts(confusion("TT", "1T"), Bootstrap::default()).unwrap();
        assert_near(only_ties.accuracy_without_tie, None, "only ties");
    }

    #[test]
    fn an_undefined_kappa_is_null_in_json() {
        let summary = Summary::of_counts(confusion("11111", "11111"), Bootstrap::default()).unwrap();
        let json = serde_json::to_value(summary).unwrap();
        assert!(json["kappa"].is_null());
        assert!(json["intervals"]["kappa"]["interval"].is_null());
        assert_eq!(json["confusion"], serde_json::json!([[5, 0, 0], [0, 0, 0], [0, 0, 0]]));
        assert!(json["recall"]["model2"].is_null());
        assert_eq!(serde_json::from_value::<Summary>(json).unwrap(), summary);
    }

    #[test]
    fn no_rows_have_no_summary() {
        assert_eq!(Summary::of([], Bootstrap::default()), None);
    }
}
