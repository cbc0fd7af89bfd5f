//! Spherical interpolation.

use super::{MergeError, check_range, value};
use crate::inside::bricks::{
    Element, ShapeError,
    matrix::{dot, norm},
};

/// Above this `|cos θ|` the arc is a line.
pub const NEARLY_PARALLEL: f64 = 0.9995;

/// A direction shorter than this is not normalised.
const SHORTEST: f64 = 1e-8;

/// `sin((1−t)θ)/sin θ·A + sin(tθ)/sin θ·B`. θ is the angle of the whole tensors as vectors; the factors apply to the tensors as they are. Nearly parallel tensors are interpolated
/// linearly, which gives A again for A and A. 0 gives A, 1 gives B.
pub fn slerp<T: Element>(first: &[T], second: &[T], t: f64) -> Result<Vec<T>, MergeError> {
    ShapeError::check("tensor size", second.len(), first.len())?;
    check_range("t", t, "from 0 to 1", |t| (0.0..=1.0).contains(&t))?;
    let divisor = |values: &[T]| Some(norm(values)).filter(|&length| length > SHORTEST).unwrap_or(1.0);
    let cosine = dot(first, second) / divisor(first) / divisor(second);
    let mixed = |mix: &dyn Fn(f64, f64) -> f64| {
        (0..first.len())
            .map(|nth| T::narrow(mix(value(first, nth), value(second, nth))))
            .collect()
    };
    if cosine.abs() > NEARLY_PARALLEL {
        // From the nearer end, so that both ends and equal values come out exactly.
        return Ok(mixed(&|first, second| {
            if t < 0.5 {
                first + t * (second - first)
            } else {
                second - (1.0 - t) * (second - first)
            }
        }));
    }
    let angle = cosine.acos();
    let of_first = (angle - t * angle).sin() / angle.sin();
    let of_second = (t * angle).sin() / angle.sin();
    Ok(mixed(&|first, second| of_first * first + of_second * second))
}
