//! Where a unit is: its layer and its index in that layer's feed-forward block.

use serde::{Deserialize, Serialize};

/// A feed-forward unit of the model: one column of the gate matrix with its non-linearity. Orders by layer, then index, which is also how ties at
/// a cut are broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Unit {
    /// The layer, from 0.
    pub layer: usize,
    /// The index in the layer, from 0.
    pub index: usize,
}

/// How many units a model has: `layers` blocks of `width` units each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Number of layers, L.
    pub layers: usize,
    /// Units per layer, W: the width of the feed-forward block.
    pub width: usize,
}

impl Shape {
    /// Number of units of the whole model, M = L·W.
    pub fn units(self) -> usize {
        self.layers * self.width
    }

    /// The unit at a position of an array `[layer][unit]` laid out flat.
    pub fn unit(self, position: usize) -> Unit {
        Unit {
            layer: position / self.width,
            index: position % self.width,
        }
    }

    /// The position of a unit in an array `[layer][unit]` laid out flat.
    pub fn position(self, unit: Unit) -> usize {
        unit.layer * self.width + unit.index
    }

    /// Whether the model has this unit.
    pub fn has(self, unit: Unit) -> bool {
        unit.layer < self.layers && unit.index < self.width
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} layers of {} units", self.layers, self.width)
    }
}
