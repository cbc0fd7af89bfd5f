//! How far every unit's weights have moved between two models.

use serde::{Deserialize, Serialize};

/// The feed-forward weights of one layer, as they lie in a GGUF file after dequantisation.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// `ffn_gate`, `[units][model]`: a unit's vector is contiguous. `None` for a layer without a gate.
    pub gate: Option<&'a [f32]>,
    /// `ffn_up`, `[units][model]`.
    pub up: &'a [f32],
    /// `ffn_down`, `[model][units]`: a unit's vector is a column.
    pub down: &'a [f32],
}

/// Cosine distances below this are rounding and count as none: rescaled `f32` vectors keep their direction to 10⁻¹⁵, and sums of 10⁵ products in `f64`
/// are exact to 10⁻¹³.
const RESOLUTION: f64 = 1e-12;

/// Cosine distances, `1 − cos`, of a unit's vectors before and after: 0 where only its length has changed, 2 where it is turned round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Movement {
    /// Of the row of `ffn_gate`; `None` without a gate.
    pub gate: Option<f64>,
    /// Of the row of `ffn_up`.
    pub up: f64,
    /// Of the column of `ffn_down`.
    pub down: f64,
}

impl Movement {
    /// Whether any of its vectors points elsewhere.
    pub fn turned(&self) -> bool {
        self.up > 0.0 || self.down > 0.0 || self.gate.is_some_and(|gate| gate > 0.0)
    }
}

/// Why two models cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Tensors of other sizes.
    #[error("`{tensor}` has {base} values in the base model and {tuned} in the tuned one: they are no pair")]
    Sizes {
        /// Which.
        tensor: &'static str,
        /// Values in the base model.
        base: usize,
        /// Values in the tuned model.
        tuned: usize,
    },
    /// A tensor that is no matrix of so many units.
    #[error("`{tensor}` has {values} values, which are not {units} units of one length")]
    Units {
        /// Which.
        tensor: &'static str,
        /// Its values.
        values: usize,
        /// Units of the layer.
        units: usize,
    },
    /// A gate in one model alone.
    #[error("one model has a gate in this layer and the other has none: they are no pair")]
    Gate,
    /// Other numbers of units.
    #[error("there are {found} units' movements for a model of {expected} units")]
    Count {
        /// Movements.
        found: usize,
        /// Units.
        expected: usize,
    },
    /// A set that is empty or everything.
    #[error("{chosen} of {all} units are chosen: a rank test needs chosen units and others")]
    Set {
        /// Chosen units.
        chosen: usize,
        /// All units.
        all: usize,
    },
    /// Nothing to rank by.
    #[error("all units have moved equally far: there is nothing to rank them by")]
    Still,
}

/// The movements of a layer's units.
pub fn movements(base: &Layer<'_>, tuned: &Layer<'_>, units: usize) -> Result<Vec<Movement>, OriginError> {
    let gates = match (base.gate, tuned.gate) {
        (Some(base), Some(tuned)) => Some(by_rows("ffn_gate", base, tuned, units)?),
        (None, None) => None,
        _ => return Err(OriginError::Gate),
    };
    let up = by_rows("ffn_up", base.up, tuned.up, units)?;
    let down = by_columns("ffn_down", base.down, tuned.down, units)?;
    let movement = |unit: usize| Movement {
        gate: gates.as_ref().map(|gates: &Vec<f64>| gates[unit]),
        up: up[unit],
        down: down[unit],
    };
    Ok((0..units).map(movement).collect())
}

fn width(tensor: &'static str, base: &[f32], tuned: &[f32], units: usize) -> Result<usize, OriginError> {
    if base.len() != tuned.len() {
        return Err(OriginError::Sizes {
            tensor,
            base: base.len(),
            tuned: tuned.len(),
        });
    }
    if units == 0 || base.is_empty() || !base.len().is_multiple_of(units) {
        return Err(OriginError::Units {
            tensor,
            values: base.len(),
            units,
        });
    }
    Ok(base.len() / units)
}

fn by_rows(tensor: &'static str, base: &[f32], tuned: &[f32], units: usize) -> Result<Vec<f64>, OriginError> {
    let width = width(tensor, base, tuned, units)?;
    Ok(row_distances(base, tuned, width).collect())
}

fn by_columns(tensor: &'static str, base: &[f32], tuned: &[f32], units: usize) -> Result<Vec<f64>, OriginError> {
    width(tensor, base, tuned, units)?;
    let mut columns = Columns::new(units);
    columns.add(base, tuned);
    Ok(columns.distances())
}

/// The distance of every row of `width` numbers.
pub(super) fn row_distances<'a>(
    base: &'a [f32],
    tuned: &'a [f32],
    width: usize,
) -> impl Iterator<Item = f64> + use<'a> {
    let rows = base.chunks_exact(width).zip(tuned.chunks_exact(width));
    rows.map(|(base, tuned)| {
        let mut sums = Sums::default();
        for (&base, &tuned) in base.iter().zip(tuned) {
            sums.add(base, tuned);
        }
        sums.distance()
    })
}

/// The distances of columns whose rows come piece by piece, as columns lie far apart in memory.
pub(super) struct Columns(Vec<Sums>);

impl Columns {
    pub(super) fn new(columns: usize) -> Self {
        Self(vec![Sums::default(); columns])
    }

    /// Whole rows, the same of both matrices.
    pub(super) fn add(&mut self, base: &[f32], tuned: &[f32]) {
        let columns = self.0.len();
        for (base, tuned) in base.chunks_exact(columns).zip(tuned.chunks_exact(columns)) {
            for ((sums, &base), &tuned) in self.0.iter_mut().zip(base).zip(tuned) {
                sums.add(base, tuned);
            }
        }
    }

    pub(super) fn distances(self) -> Vec<f64> {
        self.0.into_iter().map(Sums::distance).collect()
    }
}

/// The cosine distance of two vectors is half the squared distance of their directions, `½ |a/|a| − b/|b||²`. Of sums in `f64` the plain formula `1 − a·b/(|a||b|)` is
/// exact to 10⁻¹⁵, which is far below what `f32` weights differ by.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    product: f64,
    base: f64,
    tuned: f64,
}

impl Sums {
    fn add(&mut self, base: f32, tuned: f32) {
        let (base, tuned) = (f64::from(base), f64::from(tuned));
        self.product += base * tuned;
        self.base += base * base;
        self.tuned += tuned * tuned;
    }

    /// 0 where both vectors are zero, 1 where one of them is.
    fn distance(self) -> f64 {
        if self.base == 0.0 && self.tuned == 0.0 {
            return 0.0;
        }
        if self.base == 0.0 || self.tuned == 0.0 {
            return 1.0;
        }
        // One root: a vector's product with itself is then exactly what it is divided by.
        let distance = 1.0 - self.product / (self.base * self.tuned).sqrt();
        if distance < RESOLUTION {
            return 0.0;
        }
        distance.clamp(0.0, 2.0)
    }
}
