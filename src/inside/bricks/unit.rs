//! Units and sets of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// One FFN neuron of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Unit {
    /// The block, from 0.
    pub layer: usize,
    /// The row of `ffn_up` (column of `ffn_down`), from 0.
    pub index: usize,
}

/// Units without repetition, in order of layer and index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnitSet(BTreeSet<Unit>);

impl UnitSet {
    /// The units of one layer.
    pub fn of_layer(layer: usize, indices: impl IntoIterator<Item = usize>) -> Self {
        indices.into_iter().map(|index| Unit { layer, index }).collect()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the unit is among them.
    pub fn contains(&self, unit: Unit) -> bool {
        self.0.contains(&unit)
    }

    /// The units in order.
    pub fn iter(&self) -> impl Iterator<Item = Unit> + '_ {
        self.0.iter().copied()
    }

    /// The indices within one layer, ascending.
    pub fn in_layer(&self, layer: usize) -> impl Iterator<Item = usize> + '_ {
        let range = Unit { layer, index: 0 }..=Unit {
            layer,
            index: usize::MAX,
        };
        self.0.range(range).map(|unit| unit.index)
    }

    /// The layers that hold any, ascending.
    pub fn layers(&self) -> Vec<usize> {
        let mut layers: Vec<usize> = self.0.iter().map(|unit| unit.layer).collect();
        layers.dedup();
        layers
    }

    /// The units of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).copied().collect())
    }

    /// How many units both hold.
    pub fn shared(&self, other: &Self) -> usize {
        self.0.intersection(&other.0).count()
    }
}

impl FromIterator<Unit> for UnitSet {
    fn from_iter<I: IntoIterator<Item = Unit>>(units: I) -> Self {
        Self(units.into_iter().collect())
    }
}

impl Extend<Unit> for UnitSet {
    fn extend<I: IntoIterator<Item = Unit>>(&mut self, units: I) {
        self.0.extend(units);
    }
}
