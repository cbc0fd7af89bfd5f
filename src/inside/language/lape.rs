//! LAPE: among units that pass a bar in some language, the ones with the smallest entropy over languages (specification, section 5).

use super::{
    config::Lape,
    identify::{IdentifyError, Selection},
    probability::Probabilities,
    rank::smallest,
};

pub(super) fn select(probabilities: &Probabilities, settings: &Lape) -> Result<Selection, IdentifyError> {
    let units = probabilities.shape.units();
    let wanted = settings.top.of(units);
    if wanted == 0 {
        return Err(IdentifyError::NothingSelected {
            rate: settings.top,
            units,
        });
    }
    let filter = probabilities.threshold(settings.filter);
    let passes = |row: &[f64]| row.iter().any(|&p| p > filter.value);
    let score = |row| if passes(row) { entropy(row) } else { f64::INFINITY };
    let scores: Vec<f64> = probabilities.rows().map(score).collect();
    let survivors = scores.iter().filter(|score| score.is_finite()).count();
    let mut chosen = smallest(&scores, wanted.min(survivors));
    chosen.rejected = chosen.rejected.filter(|score| score.is_finite());
    Ok(Selection {
        chosen,
        threshold: probabilities.threshold(settings.bar),
        filter: Some(filter),
        survivors: Some(survivors),
        lambda: None,
        sweep: Vec::new(),
    })
}

/// `−Σ q ln q`, in nats; 0 for a unit that is never active.
fn entropy(row: &[f64]) -> f64 {
    let sum: f64 = row.iter().sum();
    let parts = row.iter().filter(|&&p| p > 0.0).map(|p| p / sum);
    // Adding 0 turns −0, which would rank before 0, into 0.
    -parts.map(|q| q * q.ln()).sum::<f64>() + 0.0
}
