//! What is said about two samples of one quantity.

use serde::Serialize;

use super::NODE_BINS;
use crate::agreement::holm;
use crate::inside::topology::divergence::{jensen_shannon, jensen_shannon_noise, steps};
use crate::inside::topology::summary::Summary;
use crate::inside::topology::two_sample::{brown_forsythe, kolmogorov_smirnov};

/// Nodes named as those whose values moved most.
const MOVED: usize = 8;

/// How two samples differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Values of the first.
    pub n_a: usize,
    /// Values of the second.
    pub n_b: usize,
    /// Mean of the first.
    pub mean_a: f64,
    /// Mean of the second.
    pub mean_b: f64,
    /// Population standard deviation, first sample: the layer fluctuation where the values are strengths.
    pub std_a: f64,
    /// The same of the second.
    pub std_b: f64,
    /// Over 32 bins of the joint range, in bits.
    pub jensen_shannon_bits: f64,
    /// What two samples of one distribution would come to ([`jensen_shannon_noise`]).
    pub jensen_shannon_noise_bits: f64,
    /// In the values' unit.
    pub wasserstein: f64,
    /// The greatest distance of the distribution functions.
    pub kolmogorov_smirnov: f64,
    /// Its p-value. Nodes are not independent draws, so this is the size of a difference against sampling noise.
    pub kolmogorov_smirnov_p: f64,
    /// The p-value by Holm's correction for all rows of the comparison.
    pub kolmogorov_smirnov_p_holm: f64,
    /// The same distance after either sample was brought to mean 0 and spread 1: a difference of shape, which widths and scales of layers do not
    /// make. No p-value belongs to it.
    pub standardised_kolmogorov_smirnov: Option<f64>,
    /// Do the spreads differ? `None` where it has no value.
    pub brown_forsythe: Option<f64>,
    /// Its p-value.
    pub brown_forsythe_p: Option<f64>,
    /// The p-value by Holm's correction for all rows of the comparison.
    pub brown_forsythe_p_holm: Option<f64>,
    /// Node by node, where the samples have one size.
    pub paired: Option<Paired>,
}

/// Node by node: node i of the first model is node i of the second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paired {
    /// Mean of the differences, second minus first.
    pub shift_mean: f64,
    /// Their standard deviation.
    pub shift_std: f64,
    /// That divided by the first model's standard deviation, where it has one.
    pub shift_std_relative: Option<f64>,
    /// Pearson's correlation of the two models' values.
    pub correlation: Option<f64>,
    /// The nodes that moved most, with their differences, the most first.
    pub moved: Vec<(usize, f64)>,
}

impl Difference {
    /// `None` where a sample is empty. Corrected p-values are the plain ones until [`correct`] has seen all rows.
    pub(super) fn of(a: &[f64], b: &[f64]) -> Option<Self> {
        let test = kolmogorov_smirnov(a, b)?;
        let spread = brown_forsythe(a, b);
        let (first, second) = (Summary::of(a)?, Summary::of(b)?);
        let shapes = standardised(a, &first).zip(standardised(b, &second));
        Some(Self {
            n_a: a.len(),
            n_b: b.len(),
            mean_a: first.mean,
            mean_b: second.mean,
            std_a: first.std,
            std_b: second.std,
            jensen_shannon_bits: jensen_shannon(a, b, NODE_BINS)?,
            jensen_shannon_noise_bits: jensen_shannon_noise(a, b, NODE_BINS)?,
            wasserstein: steps(a, b)?.wasserstein,
            kolmogorov_smirnov: test.statistic,
            kolmogorov_smirnov_p: test.p,
            kolmogorov_smirnov_p_holm: test.p,
            standardised_kolmogorov_smirnov: shapes.and_then(|(a, b)| Some(steps(&a, &b)?.kolmogorov_smirnov)),
            brown_forsythe: spread.map(|test| test.statistic),
            brown_forsythe_p: spread.map(|test| test.p),
            brown_forsythe_p_holm: spread.map(|test| test.p),
            paired: paired(a, b),
        })
    }
}

fn standardised(values: &[f64], summary: &Summary) -> Option<Vec<f64>> {
    let scaled = values.iter().map(|value| (value - summary.mean) / summary.std);
    (summary.std > 0.0).then(|| scaled.collect())
}

/// Corrects the p-values of all rows of a comparison (Holm), each test for itself: a comparison of two models makes hundreds of tests, some
/// of which are small by chance.
pub(super) fn correct<'d>(rows: impl Iterator<Item = &'d mut Difference>) {
    let mut rows: Vec<&mut Difference> = rows.collect();
    let plain: Vec<f64> = rows.iter().map(|row| row.kolmogorov_smirnov_p).collect();
    for (row, p) in rows.iter_mut().zip(holm(&plain)) {
        row.kolmogorov_smirnov_p_holm = p;
    }
    let tested = rows.into_iter().filter(|row| row.brown_forsythe_p.is_some());
    let tested: Vec<&mut Difference> = tested.collect();
    let plain: Vec<f64> = tested.iter().filter_map(|row| row.brown_forsythe_p).collect();
    for (row, p) in tested.into_iter().zip(holm(&plain)) {
        row.brown_forsythe_p_holm = Some(p);
    }
}

fn paired(one: &[f64], other: &[f64]) -> Option<Paired> {
    if one.len() != other.len() {
        return None;
    }
    let shifts: Vec<f64> = one.iter().zip(other).map(|(one, other)| other - one).collect();
    let (first, second, shift) = (Summary::of(one)?, Summary::of(other)?, Summary::of(&shifts)?);
    let products = one
        .iter()
        .zip(other)
        .map(|(one, other)| (one - first.mean) * (other - second.mean));
    let covariance = products.sum::<f64>() / one.len() as f64;
    let both = first.std * second.std;
    let mut moved: Vec<(usize, f64)> = shifts.into_iter().enumerate().collect();
    moved.sort_by(|one, other| other.1.abs().total_cmp(&one.1.abs()));
    moved.truncate(MOVED);
    Some(Paired {
        shift_mean: shift.mean,
        shift_std: shift.std,
        shift_std_relative: (first.std > 0.0).then(|| shift.std / first.std),
        correlation: (both > 0.0).then(|| covariance / both),
        moved,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn scale_alone_is_no_difference_of_shape() {
        let one: Vec<f64> = (0..50_u8).map(f64::from).collect();
        let other: Vec<f64> = one.iter().map(|value| 3.0 * value + 100.0).collect();
        let row = Difference::of(&one, &other).unwrap();
        assert!(row.kolmogorov_smirnov > 0.99 && row.standardised_kolmogorov_smirnov.unwrap() < 0.03);
    }

    #[test]
    fn p_values_are_corrected_for_all_rows() {
        let one: Vec<f64> = (0..20_u8).map(f64::from).collect();
        let other: Vec<f64> = one.iter().map(|value| value + 12.0).collect();
        let mut rows = vec![Difference::of(&one, &other).unwrap(); 4];
        let plain = rows[0].kolmogorov_smirnov_p;
        correct(rows.iter_mut());
        let expected = 4.0 * plain;
        assert!(expected < 1.0 && (rows[0].kolmogorov_smirnov_p_holm - expected).abs() < 1e-12);
        assert!(
            (rows[0].brown_forsythe_p_holm.unwrap() - 1.0).abs() < 1e-12,
            "spreads are the same"
        );
    }
}
