//! Whether the longer response is preferred: length is a real confounder (spec 10.4), and people prefer longer responses as well, so the
//! figure of the judge is read beside that of the labels.

use serde::Serialize;

use crate::{
    agreement::{Interval, Level, wilson},
    pair::{Label, baseline},
    run::Judged,
};

/// How often the longer response is preferred, by the judge and by people.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LengthPreference {
    /// By the verdicts.
    pub verdicts: PreferLonger,
    /// By the human labels of the finished pairs.
    pub labels: PreferLonger,
}

/// P(longer preferred | one of two responses of different length is preferred). Length is in Unicode scalar values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PreferLonger {
    /// Pairs with a preference and with responses of different length.
    pub n: u64,
    /// Of these, how many prefer the longer one.
    pub longer: u64,
    /// The share; null without such pairs.
    pub share: Option<f64>,
    /// Wilson interval of the share.
    pub interval: Option<Interval>,
}

impl LengthPreference {
    pub(super) fn of(judged: &[Judged], level: Level) -> Self {
        let pairs = || judged.iter().map(|judged| (judged, baseline::longer(&judged.pair)));
        Self {
            verdicts: PreferLonger::of(pairs().map(|(judged, longer)| (judged.verdict, longer)), level),
            labels: PreferLonger::of(pairs().map(|(judged, longer)| (judged.pair.label, longer)), level),
        }
    }
}

impl PreferLonger {
    fn of(rows: impl Iterator<Item = (Option<Label>, Label)>, level: Level) -> Self {
        let (mut n, mut longer) = (0, 0);
        for (preferred, long) in rows {
            if let Some(Label::Model1 | Label::Model2) = preferred
                && long != Label::Tie
            {
                n += 1;
                longer += u64::from(preferred == Some(long));
            }
        }
        Self {
            n,
            longer,
            share: (n > 0).then(|| longer as f64 / n as f64),
            interval: wilson(longer, n, level),
        }
    }
}
