//! Scaling chosen units.

use std::collections::{BTreeMap, HashMap};

use super::TapError;
use super::probe::Producers;
use crate::llama::weights::Ffn;

/// A unit of a feed-forward layer; both numbers count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unit {
    /// The layer.
    pub layer: usize,
    /// The unit in it.
    pub index: usize,
}

/// Multiplies the activations z of units by a factor: 0 silences them, 1 changes nothing, more amplifies.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The units.
    pub units: Vec<Unit>,
    /// The factor.
    pub scale: f32,
}

/// Which operations to change, and how.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// By the name of the operation that makes a layer's z.
    steps: HashMap<String, Step>,
}

#[derive(Debug)]
pub(super) struct Step {
    pub(super) layer: usize,
    /// Units of the layer and their factors.
    pub(super) factors: Vec<(usize, f32)>,
}

impl Plan {
    pub(super) fn new(edits: &[Edit], ffn: &Ffn, producers: &Producers) -> Result<Self, TapError> {
        let mut factors: BTreeMap<Unit, f32> = BTreeMap::new();
        for edit in edits {
            if !edit.scale.is_finite() {
                return Err(TapError::Scale { scale: edit.scale });
            }
            for &unit in &edit.units {
                if unit.layer >= ffn.layers || unit.index >= ffn.units {
                    return Err(TapError::NoUnit {
                        unit,
                        layers: ffn.layers,
                        units: ffn.units,
                    });
                }
                *factors.entry(unit).or_insert(1.0) *= edit.scale;
            }
        }
        let mut layers: BTreeMap<usize, Vec<(usize, f32)>> = BTreeMap::new();
        for (unit, factor) in factors {
            layers.entry(unit.layer).or_default().push((unit.index, factor));
        }
        let mut steps = HashMap::new();
        for (layer, factors) in layers {
            steps.insert(producers.name(layer)?.to_owned(), Step { layer, factors });
        }
        Ok(Self { steps })
    }

    pub(super) fn step(&self, operation: &str) -> Option<&Step> {
        self.steps.get(operation)
    }

    /// Layers with units to scale.
    pub(super) fn layers(&self) -> impl Iterator<Item = usize> {
        self.steps.values().map(|step| step.layer)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}
