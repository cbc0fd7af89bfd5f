//! Every two configurations, on the pairs that both judged.

use serde::Serialize;

use super::{configuration::Configuration, read::Group};
use crate::{
    agreement::{AbsentClasses, Bootstrap, Comparison, Confusion, holm, macro_f1},
    pair::Label,
};

/// Two configurations side by side. P-values with `holm` are corrected for the number of pairs of configurations, each kind for itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Versus {
    /// Name of the first configuration.
    pub first: String,
    /// Name of the second.
    pub second: String,
    /// Macro-F1 over all three classes, of each, on the same pairs.
    pub macro_f1: [Option<f64>; 2],
    /// The tests; absent where no pair with a label was judged by both.
    pub comparison: Option<Comparison>,
    /// McNemar's p-value, corrected.
    pub mcnemar_holm: Option<f64>,
    /// The bootstrap's p-value for accuracy, corrected.
    pub accuracy_holm: Option<f64>,
    /// The bootstrap's p-value for kappa, corrected.
    pub kappa_holm: Option<f64>,
    /// Seconds of the second for those of the first: above 1, the first is faster. `None` where one is not known, or makes no calls.
    pub times_faster: Option<f64>,
    /// Share of the second's cost that the first saves. `None` where one is not known or the second is free.
    pub usd_saved: Option<f64>,
}

/// A pair with the verdicts of both.
type Row<'a> = (Label, &'a [Label], &'a [Label]);

pub(super) fn all(groups: &[Group], configurations: &[Configuration], bootstrap: Bootstrap) -> Vec<Versus> {
    let decided: Vec<_> = groups.iter().map(Group::decided).collect();
    let mut all = Vec::new();
    for one in 0..groups.len() {
        for two in one + 1..groups.len() {
            let common = decided[one].iter().filter_map(|(pair, (label, first))| {
                let (_, second) = decided[two].get(pair)?;
                Some((*label, first.as_slice(), second.as_slice()))
            });
            let common: Vec<Row<'_>> = common.collect();
            all.push(Versus::of(
                &configurations[one],
                &configurations[two],
                &common,
                bootstrap,
            ));
        }
    }
    correct(
        &mut all,
        |versus| Some(versus.comparison?.mcnemar.p_value),
        |versus| &mut versus.mcnemar_holm,
    );
    correct(
        &mut all,
        |versus| Some(versus.comparison?.accuracy.p_value),
        |versus| &mut versus.accuracy_holm,
    );
    correct(
        &mut all,
        |versus| Some(versus.comparison?.kappa.difference?.p_value),
        |versus| &mut versus.kappa_holm,
    );
    all
}

/// Holm's correction over those that have a p-value.
fn correct(all: &mut [Versus], p_value: fn(&Versus) -> Option<f64>, into: fn(&mut Versus) -> &mut Option<f64>) {
    let (places, p_values): (Vec<usize>, Vec<f64>) = all
        .iter()
        .enumerate()
        .filter_map(|(place, versus)| Some((place, p_value(versus)?)))
        .unzip();
    for (place, adjusted) in places.into_iter().zip(holm(&p_values)) {
        *into(&mut all[place]) = Some(adjusted);
    }
}

impl Versus {
    fn of(first: &Configuration, second: &Configuration, common: &[Row<'_>], bootstrap: Bootstrap) -> Self {
        let table = |verdicts: fn(&Row<'_>) -> Vec<Label>| -> Option<f64> {
            let table: Confusion = common
                .iter()
                .flat_map(|row| verdicts(row).into_iter().map(|verdict| (row.0, verdict)))
                .collect();
            macro_f1(&table, AbsentClasses::CountAsZero)
        };
        let seconds = [first, second].map(|configuration| configuration.spending.comparable_seconds());
        let usd = [first, second].map(|configuration| configuration.spending.usd());
        Self {
            first: first.name.clone(),
            second: second.name.clone(),
            macro_f1: [table(|row| row.1.to_vec()), table(|row| row.2.to_vec())],
            comparison: Comparison::of_repeated(common.iter().copied(), bootstrap),
            mcnemar_holm: None,
            accuracy_holm: None,
            kappa_holm: None,
            times_faster: times_faster(seconds[0], seconds[1]),
            usd_saved: saved(usd[0], usd[1]),
        }
    }
}

/// How many times faster than `other`; `None` where that is not a number.
pub(in crate::report) fn times_faster(own: Option<f64>, other: Option<f64>) -> Option<f64> {
    let (own, other) = own.zip(other)?;
    (own > 0.0).then(|| other / own)
}

/// Which share of `other` is saved: 0.6 for 60 % cheaper; negative for dearer.
pub(in crate::report) fn saved(own: Option<f64>, other: Option<f64>) -> Option<f64> {
    let (own, other) = own.zip(other)?;
    (other > 0.0).then(|| 1.0 - own / other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_kind_of_claim_is_computed() {
        // 4.6 times faster and 60 % cheaper (spec 10.2).
        assert_eq!(times_faster(Some(10.0), Some(46.0)), Some(4.6));
        assert_eq!(saved(Some(0.5), Some(1.25)), Some(0.6));
        assert_eq!(saved(Some(2.0), Some(1.0)), Some(-1.0));
        assert_eq!(
            (saved(Some(1.0), Some(0.0)), times_faster(Some(0.0), Some(1.0))),
            (None, None)
        );
        assert_eq!((saved(None, Some(1.0)), times_faster(Some(1.0), None)), (None, None));
    }
}
