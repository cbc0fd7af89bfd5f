//! Two models or checkpoints, from their files to all their differences.

use super::{Model, compare_flows, compare_links, compare_nodes, pair_blocks};
use crate::inside::topology::export::Comparison;
use crate::inside::topology::measure::{MeasureError, ModelMeasurement, Stage, Step};
use crate::inside::topology::model::Source;

/// Compares two models that have been measured, reading their weights once more. `seed` draws samples of large tensors.
pub fn compare_models(
    (source_a, one): (&Source, &ModelMeasurement),
    (source_b, other): (&Source, &ModelMeasurement),
    seed: u64,
    hear: &mut dyn FnMut(Step),
) -> Result<Comparison, MeasureError> {
    let pairs = pair_blocks(one.decoder.blocks.len(), other.decoder.blocks.len());
    let model_a = Model {
        weights: source_a,
        decoder: &one.decoder,
    };
    let model_b = Model {
        weights: source_b,
        decoder: &other.decoder,
    };
    let total = pairs.len();
    let links = compare_links(model_a, model_b, &pairs, seed, |done| {
        hear(Step {
            stage: Stage::Links,
            done: done + 1,
            total,
        });
    });
    let links = links.map_err(|cause| MeasureError::Weights {
        path: format!("{}` or `{}", source_a.path().display(), source_b.path().display()).into(),
        cause,
    })?;
    Ok(Comparison {
        a: one.record.model.clone(),
        b: other.record.model.clone(),
        read: one.read.iter().chain(&other.read).cloned().collect(),
        links,
        nodes: compare_nodes(&one.topology, &other.topology, &pairs),
        flows: compare_flows(&one.flows, &other.flows, &pairs),
        samples: Vec::new(),
        profile_a: one.profile.clone(),
        profile_b: other.profile.clone(),
        pairs,
    })
}
