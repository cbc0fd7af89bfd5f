//! Both questions about a detector's units at once: what they detect in the other model, and how far tuning moved them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    super::{
        detector::Detector,
        features::Features,
        rule::ModelId,
        study::{Before, Record},
    },
    backward::{Backward, backward},
    movement::{Movement, OriginError},
    pair::{Pair, PairError, Side, Storage},
    stability::{Modules, Scaling, Stability, stability},
};
use crate::{
    agreement::Bootstrap,
    inside::language::{Shape, Unit},
};

/// What is compared, the paper's choice first. Over which units the paper brings distances to one scale it does not say (spec 5).
pub const VARIANTS: [(Modules, Scaling); 4] = [
    (Modules::UpDown, Scaling::Model),
    (Modules::UpDown, Scaling::Layer),
    (Modules::GateUpDown, Scaling::Model),
    (Modules::GateUpDown, Scaling::Layer),
];

/// How to look for the origin of H-units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// Random sets of the layer-matched test; 0 for none.
    pub draws: usize,
    /// Seed of these sets.
    pub seed: u64,
    /// Intervals of the AUROC.
    pub bootstrap: Bootstrap,
}

/// A collection of one of the two models, scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// What the collection is called.
    pub collection: String,
    /// Which model answered.
    pub side: Side,
    /// How well the detector does.
    pub measured: Backward,
}

/// Where the H-units of a detector come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The base model.
    pub base: ModelId,
    /// The tuned model.
    pub tuned: ModelId,
    /// Which of the two the detector was made for.
    pub detector_of: Side,
    /// Layers and units per layer of both.
    pub shape: Shape,
    /// How the weights that are compared are stored.
    pub storage: Storage,
    /// H-units of the detector: those with a positive weight.
    pub h_units: usize,
    /// Units of the model of which a gate, up or down vector points elsewhere in the other model.
    pub moved: usize,
    /// Mean distances of the H-units, `1 − cos`; `None` without H-units.
    pub h_units_moved: Option<Movement>,
    /// Mean distances of all other units.
    pub others_moved: Option<Movement>,
    /// Random sets of the layer-matched test.
    pub draws: usize,
    /// Seed of the random sets and of the intervals.
    pub seed: u64,
    /// Those of [`VARIANTS`] in which there is something to rank, in their order.
    pub stability: Vec<Stability>,
    /// The detector on collections of both models.
    pub transfer: Vec<Transfer>,
    /// What has to be known to read the figures.
    pub remarks: Vec<String>,
}

impl Origin {
    /// The paper's variant: up and down vectors, one scale for all units of the model.
    pub fn published(&self) -> Option<&Stability> {
        self.stability
            .iter()
            .find(|found| (found.modules, found.scaling) == VARIANTS[0])
    }
}

/// Applies a detector to collections of both models, each with a name, and ranks its H-units by how far they moved. `record` says which questions the detector
/// was fitted on; `listen` hears how many layers were compared, and of how many.
pub fn trace(
    pair: &Pair,
    detector: &Detector,
    record: Option<&Record>,
    collections: &[(&str, &Features)],
    search: Search,
    listen: impl FnMut(usize, usize),
) -> Result<Origin, PairError> {
    let detector_of = pair.admit_detector(detector)?;
    let sides = collections
        .iter()
        .map(|(name, features)| pair.admit_features(name, features.provenance()))
        .collect::<Result<Vec<Side>, _>>()?;
    let before = record.map(|record| Before::of(&record.split, collections.iter().map(|(_, features)| *features)));
    let mut transfer = Vec::new();
    for (&(name, features), side) in collections.iter().zip(sides) {
        transfer.push(Transfer {
            collection: name.to_owned(),
            side,
            measured: backward(detector, features, before.as_ref(), search.bootstrap)?,
        });
    }

    let shape = pair.shape();
    let movements = pair.movements(listen)?;
    let chosen: BTreeSet<Unit> = detector.h_units().into_iter().collect();
    let (own, others): (Vec<(usize, &Movement)>, Vec<_>) = movements
        .iter()
        .enumerate()
        .partition(|&(position, _)| chosen.contains(&shape.unit(position)));
    let mut origin = Origin {
        base: pair.id(Side::Base).clone(),
        tuned: pair.id(Side::Tuned).clone(),
        detector_of,
        shape,
        storage: pair.storage()?,
        h_units: chosen.len(),
        moved: movements.iter().filter(|movement| movement.turned()).count(),
        h_units_moved: mean(&own),
        others_moved: mean(&others),
        draws: search.draws,
        seed: search.seed,
        stability: Vec::new(),
        transfer,
        remarks: Vec::new(),
    };
    if origin.moved > 0 && !own.is_empty() && !others.is_empty() {
        // Without gates, the variants with them are those without.
        let variants = VARIANTS
            .into_iter()
            .filter(|(modules, _)| *modules == Modules::UpDown || pair.has_gate());
        for variant in variants {
            match stability(&movements, shape, &chosen, variant, search.draws, search.seed) {
                Ok(found) => origin.stability.push(found),
                Err(OriginError::Still) => {}
                Err(other) => return Err(other.into()),
            }
        }
    }
    origin.remarks = remarks(&origin, pair.has_gate(), &detector.prompt, before.as_ref());
    Ok(origin)
}

fn mean(units: &[(usize, &Movement)]) -> Option<Movement> {
    let n = units.len() as f64;
    let of = |value: fn(&Movement) -> f64| units.iter().map(|(_, movement)| value(movement)).sum::<f64>() / n;
    let (_, first) = units.first()?;
    Some(Movement {
        gate: first.gate.map(|_| of(|movement| movement.gate.unwrap_or(0.0))),
        up: of(|movement| movement.up),
        down: of(|movement| movement.down),
    })
}

/// What has to be known to read the figures, the gravest first.
fn remarks(origin: &Origin, has_gate: bool, prompt: &str, before: Option<&Before>) -> Vec<String> {
    let mut remarks = Vec::new();
    if origin.moved == 0 {
        let same = if origin.base.sha256 == origin.tuned.sha256 {
            "; base and tuned are one and the same file"
        } else {
            ""
        };
        remarks.push(format!(
            "no unit moved: every vector of the feed-forward layers points the same way in both files, so there is nothing to rank{same}"
        ));
    } else if origin.h_units == 0 {
        remarks.push(
            "the detector has no H-units (no unit of positive weight), so there is nothing whose movement could be ranked".to_owned(),
        );
    } else if origin.h_units == origin.shape.units() {
        remarks.push("every unit of the model is an H-unit, so there are no others to compare them with".to_owned());
    } else if origin.stability.len() < if has_gate { VARIANTS.len() } else { 2 } {
        remarks.push(
            "where a row of the table is missing, its vectors moved equally far in all units: there is nothing to rank"
                .to_owned(),
        );
    }
    if origin.storage.is_noisy() {
        let formats = |formats: &BTreeSet<String>| {
            formats
                .iter()
                .map(|name| name.to_uppercase())
                .collect::<Vec<_>>()
                .join(", ")
        };
        remarks.push(format!(
            "the compared weights are stored as {} (base) and {} (tuned): rounding below 16 bits, or in another way in either file, turns vectors as far as tuning does \
             and can fake the ranks; compare F32, F16 or BF16 files, both in the same format",
            formats(&origin.storage.base),
            formats(&origin.storage.tuned)
        ));
    }
    if !has_gate {
        remarks.push("this architecture has no gates".to_owned());
    }
    if origin.transfer.is_empty() {
        return remarks;
    }
    match before {
        None => remarks.push(
            "no record stands beside the detector, so nobody knows which questions it was fitted on: none is left out, and the AUROC on them is too high".to_owned(),
        ),
        Some(before) if before.unknown() > 0 => remarks.push(format!(
            "{} of the {} questions that the detector was fitted on are in none of these collections, and are left out by data set and id alone; with the \
             collection that it was \
             fitted on as a further one, they are known by their text and by what they are about too",
            before.unknown(),
            before.count()
        )),
        Some(_) => {}
    }
    for transfer in origin
        .transfer
        .iter()
        .filter(|transfer| transfer.measured.prompt != prompt)
    {
        remarks.push(format!(
            "the questions of `{}` were asked with the prompt `{}`, and the detector was fitted on answers to `{prompt}`",
            transfer.collection, transfer.measured.prompt
        ));
    }
    remarks
}
