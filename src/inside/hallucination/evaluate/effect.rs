//! One unit at a time: does an H-unit respond to wrong answers by itself? (spec 11, sign check)

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::{super::logistic::Class, auroc::auroc};

/// What a single column says about the classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Its AUROC: above one half where wrong answers have larger values.
    pub auroc: f64,
    /// Cohen's d: the difference of the means, positives less negatives, over the pooled standard deviation.
    pub cohens_d: f64,
    /// Two-sided Mann-Whitney test against an AUROC of one half.
    pub p_value: f64,
}

impl Effect {
    /// `None` where a class has fewer than two values.
    pub fn of(values: &[f64], classes: &[Class]) -> Option<Self> {
        let (positive, negative): (Vec<_>, Vec<_>) = values
            .iter()
            .zip(classes)
            .partition(|&(_, &class)| class == Class::Positive);
        let moments = |rows: &[(&f64, &Class)]| {
            let n = rows.len() as f64;
            let mean = rows.iter().map(|(value, _)| **value).sum::<f64>() / n;
            (
                n,
                mean,
                rows.iter().map(|(value, _)| (**value - mean).powi(2)).sum::<f64>(),
            )
        };
        let ((n1, m1, s1), (n2, m2, s2)) = (moments(&positive), moments(&negative));
        if n1 < 2.0 || n2 < 2.0 {
            return None;
        }
        let pooled = ((s1 + s2) / (n1 + n2 - 2.0)).sqrt();
        let of = |class: Class| -> Vec<f64> {
            values
                .iter()
                .zip(classes)
                .filter(|&(_, &other)| other == class)
                .map(|(&value, _)| value)
                .collect()
        };
        Some(Self {
            auroc: auroc(values, classes)?,
            cohens_d: if pooled > 0.0 { (m1 - m2) / pooled } else { 0.0 },
            p_value: MannWhitney::of(&of(Class::Positive), &of(Class::Negative))?.two_sided,
        })
    }
}

/// The rank test of Mann, Whitney and Wilcoxon by the normal approximation, with the correction for ties and for continuity (SciPy's
/// `mannwhitneyu(method="asymptotic")`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MannWhitney {
    /// U of the first sample: pairs in which its value is larger, ties counting one half.
    pub u: f64,
    /// U over the number of pairs: the probability that a value of the first sample is larger.
    pub share: f64,
    /// P that the samples are as far apart, in either direction, where they come from one distribution.
    pub two_sided: f64,
    /// P that the first sample is as much larger.
    pub larger: f64,
}

impl MannWhitney {
    /// `None` where a sample is empty, or holds what is not a number.
    pub fn of(first: &[f64], second: &[f64]) -> Option<Self> {
        let (n, m) = (first.len() as f64, second.len() as f64);
        if first.is_empty() || second.is_empty() || first.iter().chain(second).any(|value| value.is_nan()) {
            return None;
        }
        let mut values: Vec<(f64, f64)> = first.iter().map(|&value| (value, 1.0)).collect();
        values.extend(second.iter().map(|&value| (value, 0.0)));
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut ranks, mut ties, mut from) = (0.0, 0.0, 0);
        while from < values.len() {
            // total_cmp tells −0 from 0, which are equal.
            let run = values[from..]
                .iter()
                .take_while(|(value, _)| *value <= values[from].0)
                .count();
            let rank = from as f64 + f64::midpoint(run as f64, 1.0);
            ranks += rank * values[from..from + run].iter().map(|(_, own)| own).sum::<f64>();
            ties += (run as f64).powi(3) - run as f64;
            from += run;
        }
        let u = ranks - n * (n + 1.0) / 2.0;
        let total = n + m;
        let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
        let normal = Normal::standard();
        let tail = |above: f64| {
            if variance > 0.0 {
                normal.sf((above - 0.5) / variance.sqrt())
            } else {
                1.0
            }
        };
        let above = u - n * m / 2.0;
        Some(Self {
            u,
            share: u / (n * m),
            two_sided: (2.0 * tail(above.abs())).clamp(0.0, 1.0),
            larger: tail(above),
        })
    }
}

/// Benjamini and Hochberg's correction: p-values adjusted so that among the findings at α the expected share of false ones is at most α. In the order given.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len();
    let mut by_size: Vec<usize> = (0..n).collect();
    by_size.sort_by(|&a, &b| p_values[b].total_cmp(&p_values[a]));
    let mut adjusted = vec![1.0; n];
    let mut least = 1.0;
    for (nth, &index) in by_size.iter().enumerate() {
        let scaled = p_values[index] * n as f64 / (n - nth) as f64;
        least = if scaled < least { scaled } else { least };
        adjusted[index] = least;
    }
    adjusted
}
