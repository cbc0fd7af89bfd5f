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

/// The preference in the making.
#[derive(Default)]
pub(super) struct Sums {
    verdicts: Sum,
    labels: Sum,
}

#[derive(Default)]
struct Sum {
    n: u64,
    longer: u64,
}

impl Sums {
    pub(super) fn add(&mut self, judged: &Judged) {
        let longer = baseline::longer(&judged.pair);
        self.verdicts.add(judged.verdict, longer);
        self.labels.add(judged.pair.label, longer);
    }

    pub(super) fn finish(self, level: Level) -> LengthPreference {
        LengthPreference {
            verdicts: self.verdicts.finish(level),
            labels: self.labels.finish(level),
        }
    }
}

impl Sum {
    fn add(&mut self, preferred: Option<Label>, long: Label) {
        if let Some(Label::Model1 | Label::Model2) = preferred
            && long != Label::Tie
        {
            self.n += 1;
            self.longer += u64::from(preferred == Some(long));
        }
    }

    fn finish(self, level: Level) -> PreferLonger {
        let Self { n, longer } = self;
        PreferLonger {
            n,
            longer,
            share: (n > 0).then(|| longer as f64 / n as f64),
            interval: wilson(longer, n, level),
        }
    }
}
