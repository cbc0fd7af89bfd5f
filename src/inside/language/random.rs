//! Random units of the same number in every layer: what silencing that many units does by itself.

use std::collections::BTreeSet;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::unit::{Shape, Unit};

/// Why no control can be drawn.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RandomError {
    /// A layer has too few other units.
    #[error(
        "layer {layer} has {left} units that may be drawn, but a control needs {wanted} of them: spare fewer units or silence a smaller set"
    )]
    TooFew {
        /// The layer.
        layer: usize,
        /// Units that may be drawn.
        left: usize,
        /// Units wanted.
        wanted: usize,
    },
    /// A unit is not the model's.
    #[error("unit {} of layer {} does not exist in a model of {shape}: identify the units of this model", unit.index, unit.layer)]
    Unknown {
        /// The unit.
        unit: Unit,
        /// The model.
        shape: Shape,
    },
}

/// As many random units in every layer as `units` has there, none of them in `units` itself or among the `spared`; in order.
///
/// Every unit of a layer draws a ticket from ChaCha8, seeded with `seed` and on the stream of that layer, and the lowest tickets win. So the same seed
/// gives the same units on every machine, and a layer's do not depend on the other layers.
pub fn matched(units: &[Unit], shape: Shape, spared: &BTreeSet<Unit>, seed: u64) -> Result<Vec<Unit>, RandomError> {
    if let Some(&unit) = units.iter().find(|&&unit| !shape.has(unit)) {
        return Err(RandomError::Unknown { unit, shape });
    }
    let own: BTreeSet<Unit> = units.iter().copied().collect();
    let mut drawn = Vec::with_capacity(own.len());
    for layer in 0..shape.layers {
        let wanted = own.iter().filter(|unit| unit.layer == layer).count();
        if wanted == 0 {
            continue;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(layer as u64);
        let tickets = (0..shape.width).map(|index| (rng.next_u64(), Unit { layer, index }));
        let mut tickets: Vec<_> = tickets
            .filter(|(_, unit)| !own.contains(unit) && !spared.contains(unit))
            .collect();
        if tickets.len() < wanted {
            let left = tickets.len();
            return Err(RandomError::TooFew { layer, left, wanted });
        }
        tickets.sort_unstable();
        drawn.extend(tickets.into_iter().take(wanted).map(|(_, unit)| unit));
    }
    drawn.sort_unstable();
    Ok(drawn)
}
