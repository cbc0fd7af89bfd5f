//! Whether two bricks do one thing.

/// `(Δ_AB − Δ_A − Δ_B) / max(Δ_A, Δ_B)` (spec §5.2): Δ are the rises of the mean negative log likelihood when A, B and both are removed. Above 0, each makes up for the other;
/// at 0 they are independent. `None` where neither removal harms.
pub fn coupling(without_left: f64, without_right: f64, without_both: f64) -> Option<f64> {
    let larger = if without_left > without_right {
        without_left
    } else {
        without_right
    };
    (larger > 0.0).then(|| (without_both - without_left - without_right) / larger)
}
