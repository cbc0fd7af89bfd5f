//! Which units are removed, and what they are compared with.

use rand::{SeedableRng, seq::index::sample};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::inside::bricks::{Unit, UnitSet};

/// Why these units are removed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// They are the brick of this function.
    Brick {
        /// The function's name.
        function: String,
    },
    /// Drawn at random, as many per layer as a brick has.
    Random {
        /// What they are drawn from.
        seed: u64,
    },
    /// The units with the highest mean activation, as many per layer as a brick has.
    MeanActivation,
}

/// Units to remove together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Why.
    pub kind: Kind,
    /// Which.
    pub units: UnitSet,
}

impl Removal {
    /// A name for tables and figures.
    pub fn name(&self) -> String {
        match &self.kind {
            Kind::Brick { function } => function.clone(),
            Kind::Random { seed } => format!("random {seed}"),
            Kind::MeanActivation => "mean activation".into(),
        }
    }
}

/// The removals of a table: every brick, then one random control per seed with as many units per layer as the first brick (bricks of one table are of
/// one size), then `by_mean` where given. `widths[layer]` are the layers' units.
pub fn plan(bricks: &[(String, UnitSet)], widths: &[usize], seeds: &[u64], by_mean: Option<UnitSet>) -> Vec<Removal> {
    let mut removals: Vec<Removal> = bricks
        .iter()
        .map(|(function, units)| Removal {
            kind: Kind::Brick {
                function: function.clone(),
            },
            units: units.clone(),
        })
        .collect();
    if let Some((_, like)) = bricks.first() {
        let random = |&seed: &u64| Removal {
            kind: Kind::Random { seed },
            units: random_like(like, widths, seed),
        };
        removals.extend(seeds.iter().map(random));
    }
    removals.extend(by_mean.map(|units| Removal {
        kind: Kind::MeanActivation,
        units,
    }));
    removals
}

/// As many random units in each layer as `like` has there. Layers that `widths` does not know give none.
pub fn random_like(like: &UnitSet, widths: &[usize], seed: u64) -> UnitSet {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut units = UnitSet::default();
    for layer in like.layers() {
        let width = widths.get(layer).copied().unwrap_or(0);
        let count = like.in_layer(layer).count().min(width);
        units.extend(
            sample(&mut rng, width, count)
                .into_iter()
                .map(|index| Unit { layer, index }),
        );
    }
    units
}
