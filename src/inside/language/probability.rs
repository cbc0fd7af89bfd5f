//! The probability of each unit to be active in each language, and order statistics over all of them.

use super::{counts::Counts, rate::Bar, unit::Shape};

/// `p[unit][language] = count / tokens`. May pass 1 by a little where counts are a difference of two runs; it is left so.
#[derive(Debug, Clone)]
pub(super) struct Probabilities {
    pub(super) shape: Shape,
    /// K.
    pub(super) languages: usize,
    /// `[unit][language]`, flat.
    values: Vec<f64>,
}

/// A threshold, and which of all probabilities it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Threshold {
    pub(super) value: f64,
    pub(super) rank: Option<usize>,
}

impl Probabilities {
    pub(super) fn of(counts: &Counts) -> Self {
        let (shape, languages) = (counts.shape(), counts.languages().len());
        let mut values = vec![0.0; shape.units() * languages];
        for (k, language) in counts.languages().iter().enumerate() {
            let tokens = language.tokens() as f64;
            for (position, &active) in language.active().iter().enumerate() {
                values[position * languages + k] = f64::from(active) / tokens;
            }
        }
        Self {
            shape,
            languages,
            values,
        }
    }

    /// The units in order, each with its probability per language.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.languages)
    }

    /// The probabilities of the unit at a position.
    pub(super) fn row(&self, position: usize) -> &[f64] {
        &self.values[position * self.languages..(position + 1) * self.languages]
    }

    /// `kth(all, rate)`: the `round(len·rate)`-th smallest of all K·M values, counted from 1, without interpolation (section 2).
    pub(super) fn threshold(&self, bar: Bar) -> Threshold {
        match bar {
            Bar::Value(value) => Threshold { value, rank: None },
            Bar::Quantile(rate) => {
                let rank = rate.of(self.values.len()).clamp(1, self.values.len());
                let mut all = self.values.clone();
                let (_, value, _) = all.select_nth_unstable_by(rank - 1, f64::total_cmp);
                Threshold {
                    value: *value,
                    rank: Some(rank),
                }
            }
        }
    }
}
