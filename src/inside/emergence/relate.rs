//! How a series runs beside another: rank correlation, and a guide through a saturating curve (spec 12).

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A rank correlation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Correlation {
    /// Spearman's ρ.
    pub rho: f64,
    /// Pairs.
    pub n: usize,
    /// Two-sided p-value by Student's t; `None` for fewer than eight pairs, where it would be guesswork.
    pub p: Option<f64>,
}

const FEWEST_FOR_P: usize = 8;

/// Spearman's rank correlation with mean ranks for ties; `None` for fewer than three pairs, or where one side does not vary.
pub fn spearman(pairs: &[(f64, f64)]) -> Option<Correlation> {
    let n = pairs.len();
    if n < 3 {
        return None;
    }
    let x = ranks(&pairs.iter().map(|pair| pair.0).collect::<Vec<f64>>());
    let y = ranks(&pairs.iter().map(|pair| pair.1).collect::<Vec<f64>>());
    let centre = f64::midpoint(n as f64, 1.0);
    let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - centre) * (b - centre)).sum() };
    let spread = (product(&x, &x) * product(&y, &y)).sqrt();
    if spread <= 0.0 {
        return None;
    }
    let rho = (product(&x, &y) / spread).clamp(-1.0, 1.0);
    let p = (n >= FEWEST_FOR_P).then(|| p_value(rho, n));
    Some(Correlation { rho, n, p })
}

fn p_value(rho: f64, n: usize) -> f64 {
    let freedom = (n - 2) as f64;
    let t = rho.abs() * (freedom / (1.0 - rho * rho)).sqrt();
    if !t.is_finite() {
        return 0.0;
    }
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::NAN, |student| 2.0 * student.sf(t))
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    for tied in order.chunk_by(|a, b| values[*a].total_cmp(&values[*b]).is_eq()) {
        let first = order.partition_point(|place| values[*place].total_cmp(&values[tied[0]]).is_lt());
        for &place in tied {
            ranks[place] = first as f64 + f64::midpoint(1.0, tied.len() as f64);
        }
    }
    ranks
}

/// A curve that rises to a ceiling: `limit · (1 − e^(−t / time))`. A guide for the eye, no more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Saturation {
    /// The ceiling.
    pub limit: f64,
    /// The time to 63 % of it.
    pub time: f64,
    /// The share of the spread about the mean that the curve explains.
    pub r2: f64,
}

const FEWEST_FOR_SATURATION: usize = 6;

/// The least-squares curve through (t, E); `None` for fewer than six points or times that do not differ. The ceiling is linear in the data, so
/// only the time is searched for: over a grid of its logarithm, then between the neighbours of the best.
pub fn saturation(points: &[(f64, f64)]) -> Option<Saturation> {
    let latest = points.iter().map(|point| point.0).max_by(f64::total_cmp)?;
    let first = points
        .iter()
        .map(|point| point.0)
        .filter(|t| *t > 0.0)
        .min_by(f64::total_cmp)?;
    if points.len() < FEWEST_FOR_SATURATION || latest <= first {
        return None;
    }
    let (low, high) = ((first / 10.0).ln(), (latest * 10.0).ln());
    let grid = |from: f64, to: f64| (0..=200).map(move |k| from + (to - from) * f64::from(k) / 200.0);
    let best =
        |from: f64, to: f64| grid(from, to).min_by(|a, b| residual(points, *a).1.total_cmp(&residual(points, *b).1));
    let step = (high - low) / 200.0;
    let rough = best(low, high)?;
    let fine = best(rough - step, rough + step)?;
    let (limit, left) = residual(points, fine);
    let centre = super::moments::mean(&points.iter().map(|point| point.1).collect::<Vec<f64>>());
    let total: f64 = points.iter().map(|point| (point.1 - centre) * (point.1 - centre)).sum();
    (total > 0.0).then(|| Saturation {
        limit,
        time: fine.exp(),
        r2: 1.0 - left / total,
    })
}

/// The best ceiling for the logarithm of a time, and the sum of squares that is left.
fn residual(points: &[(f64, f64)], ln_time: f64) -> (f64, f64) {
    let rise = |t: f64| 1.0 - (-t / ln_time.exp()).exp();
    let (mut cross, mut square) = (0.0, 0.0);
    for (t, e) in points {
        cross += rise(*t) * e;
        square += rise(*t) * rise(*t);
    }
    let limit = if square > 0.0 { cross / square } else { 0.0 };
    let left = points.iter().map(|(t, e)| (e - limit * rise(*t)).powi(2)).sum();
    (limit, left)
}
