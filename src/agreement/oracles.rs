//! The table of spec 14.5 (scikit-learn 1.9.1), against which the metrics of this folder are tested. `tests/reference/metrics.py`
//! prints the same values.

use super::Confusion;
use crate::pair::Label;

/// One row of the table.
pub(super) struct Oracle {
    pub(super) id: &'static str,
    pub(super) confusion: Confusion,
    pub(super) accuracy: f64,
    pub(super) f1_all: f64,
    pub(super) f1_present: f64,
    pub(super) kappa: Option<f64>,
}

/// Labels written as in the table: `1`, `2`, `T`.
fn labels(text: &str) -> impl Iterator<Item = Label> {
    text.bytes().map(|byte| match byte {
        b'1' => Label::Model1,
        b'2' => Label::Model2,
        _ => Label::Tie,
    })
}

pub(super) fn confusion(gold: &str, predicted: &str) -> Confusion {
    assert_eq!(gold.len(), predicted.len());
    labels(gold).zip(labels(predicted)).collect()
}

pub(super) fn table() -> Vec<Oracle> {
    let row = |id, confusion, accuracy, f1_all, f1_present, kappa| Oracle {
        id,
        confusion,
        accuracy,
        f1_all,
        f1_present,
        kappa,
    };
    let gold = "11112222TT";
    let k8 = Confusion::from_counts([[30, 8, 2], [10, 25, 5], [6, 7, 7]]);
    vec![
        row(
            "K1",
            confusion(gold, "111222T1T1"),
            0.6,
            0.579_365,
            0.579_365,
            Some(0.375),
        ),
        row("K2", confusion(gold, gold), 1.0, 1.0, 1.0, Some(1.0)),
        row(
            "K3",
            confusion(gold, "1111111111"),
            0.4,
            0.190_476,
            0.190_476,
            Some(0.0),
        ),
        row(
            "K4",
            confusion("12121212", "1222T211"),
            0.625,
            0.440_476,
            0.440_476,
            Some(0.333_333),
        ),
        row("K5", confusion("11111", "11111"), 1.0, 0.333_333, 1.0, None),
        row("K6", confusion("121212", "212121"), 0.0, 0.0, 0.0, Some(-1.0)),
        row("K7", confusion("1111", "112T"), 0.5, 0.222_222, 0.222_222, Some(0.0)),
        row("K8", k8, 0.62, 0.578_146, 0.578_146, Some(0.394_904)),
    ]
}

/// Equal to the six digits that the table prints.
#[track_caller]
pub(super) fn assert_near(actual: impl Into<Option<f64>>, expected: impl Into<Option<f64>>, what: &str) {
    let (actual, expected) = (actual.into(), expected.into());
    let equal = match (actual, expected) {
        (Some(actual), Some(expected)) => (actual - expected).abs() < 5.1e-7,
        (None, None) => true,
        _ => false,
    };
    assert!(equal, "{what}: {actual:?} is not {expected:?}");
}
