//! The alignment paper's method: select the units with the smallest `E − λ·max p·K/H_K`, with λ given or searched for (specification, section 4).

use super::{
    config::{Aligned, Lambda, Search},
    identified::Step,
    identify::{IdentifyError, Selection},
    probability::Probabilities,
    rank::{Smallest, smallest},
};

/// Entropy and scaled maximum of every unit; only their weighting changes while λ is searched for.
struct Scores {
    /// `E[unit] ∈ [0, 1]`: entropy over languages, divided by ln K.
    entropy: Vec<f64>,
    /// `max_k p · K / H_K`.
    effect: Vec<f64>,
}

impl Scores {
    fn of(probabilities: &Probabilities) -> Self {
        let languages = probabilities.languages;
        let harmonic: f64 = (1..=languages).map(|k| 1.0 / k as f64).sum();
        let scale = harmonic / languages as f64;
        let largest = |row: &[f64]| row.iter().copied().max_by(f64::total_cmp).unwrap_or(0.0);
        Self {
            entropy: probabilities.rows().map(entropy).collect(),
            effect: probabilities.rows().map(|row| largest(row) / scale).collect(),
        }
    }

    fn select(&self, lambda: f64, wanted: usize) -> Smallest {
        // Adding 0 turns −0, which would rank before 0, into 0.
        let score = |(entropy, effect): (&f64, &f64)| entropy - lambda * effect + 0.0;
        let scores: Vec<f64> = self.entropy.iter().zip(&self.effect).map(score).collect();
        smallest(&scores, wanted)
    }
}

/// `−Σ q ln q / ln K` with q the probabilities normalised to a sum of 1. A unit that is never active counts as equally active everywhere.
fn entropy(row: &[f64]) -> f64 {
    let sum: f64 = row.iter().sum();
    if sum <= 0.0 {
        return 1.0;
    }
    let parts = row.iter().map(|p| p / sum).filter(|&q| q > 0.0);
    -parts.map(|q| q * q.ln()).sum::<f64>() / (row.len() as f64).ln()
}

pub(super) fn select(probabilities: &Probabilities, settings: &Aligned) -> Result<Selection, IdentifyError> {
    let wanted = settings.top.of(probabilities.shape.units());
    if wanted == 0 {
        return Err(IdentifyError::NothingSelected {
            rate: settings.top,
            units: probabilities.shape.units(),
        });
    }
    let threshold = probabilities.threshold(settings.bar);
    let scores = Scores::of(probabilities);
    let (lambda, sweep) = match settings.lambda {
        Lambda::Fixed(lambda) => (lambda, Vec::new()),
        Lambda::Search(search) => {
            let (best, sweep) = sweep(search, |lambda| {
                let positions = scores.select(lambda, wanted).positions;
                let mut appear = vec![0; probabilities.languages];
                for position in positions {
                    let n = probabilities
                        .row(position)
                        .iter()
                        .filter(|&&p| p > threshold.value)
                        .count();
                    if let Some(n) = n.checked_sub(1) {
                        appear[n] += 1;
                    }
                }
                appear
            })?;
            match best {
                Some(best) => (best, sweep),
                None => return Err(IdentifyError::NoLambda { sweep }),
            }
        }
    };
    Ok(Selection {
        chosen: scores.select(lambda, wanted),
        threshold,
        filter: None,
        survivors: None,
        lambda: Some(lambda),
        sweep,
    })
}

/// The published search, quirks included: a bound that is itself acceptable is overtaken by the last value below it.
fn sweep(search: Search, mut appear: impl FnMut(f64) -> Vec<usize>) -> Result<(Option<f64>, Vec<Step>), IdentifyError> {
    let Search {
        mut low,
        mut high,
        width,
        rounds,
    } = search;
    // `NaN` fails this, too.
    if !(low.is_finite() && high.is_finite() && low < high && width > 0.0) {
        return Err(IdentifyError::Search { low, high, width });
    }
    let mut steps = Vec::new();
    let mut acceptable = |lambda: f64| {
        let appear = appear(lambda);
        let none = appear.last() == Some(&0);
        steps.push(Step { lambda, appear });
        none
    };
    let mut best = acceptable(low).then_some(low);
    if acceptable(high) {
        best = Some(high);
    }
    for _ in 0..rounds {
        if high - low <= width {
            break;
        }
        let middle = f64::midpoint(low, high);
        if acceptable(middle) {
            best = Some(middle);
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok((best, steps))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn entropy_is_zero_for_one_language_and_one_for_all() {
        let exact =
            |row: &[f64], value: f64| assert!((entropy(row) - value).abs() < 1e-15, "{row:?}: {}", entropy(row));
        exact(&[0.4, 0.0, 0.0], 0.0);
        exact(&[0.3, 0.3, 0.0], 2.0_f64.ln() / 3.0_f64.ln());
        exact(&[0.2, 0.2, 0.2], 1.0);
        exact(&[0.0, 0.0, 0.0], 1.0);
    }

    #[test]
    fn an_acceptable_upper_bound_is_overtaken_by_the_last_middle() {
        let (best, steps) = sweep(Search::default(), |_| vec![0, 0]).unwrap();
        assert_eq!(best, Some(steps.last().unwrap().lambda));
        assert!(best.unwrap() < 0.2 && best.unwrap() > 0.198);
    }

    #[test]
    fn a_search_without_an_acceptable_value_finds_none() {
        let (best, steps) = sweep(Search::default(), |_| vec![5, 1]).unwrap();
        assert_eq!(best, None);
        assert_eq!(steps.len(), 10);
    }
}
