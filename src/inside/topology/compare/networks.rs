//! Two small networks, layer by layer.

use serde::Serialize;
use thiserror::Error;

use super::difference::{Difference, correct};
use crate::inside::topology::divergence::jeffreys;
use crate::inside::topology::export::Comparison;
use crate::inside::topology::measure::NetworkMeasurement;
use crate::inside::topology::samples::{DENSITY_SAMPLE, Sample, thinned};

/// How one quantity of one layer differs between two networks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SampleDifference {
    /// The layer or step, as in [`Sample`].
    pub block: usize,
    /// The nodes, or `links`.
    pub set: &'static str,
    /// What is measured.
    pub measure: &'static str,
    /// The papers' divergence between kernel densities, as an integral in nats; `None` where a sample has no density.
    pub jeffreys: Option<f64>,
    /// How they differ.
    #[serde(flatten)]
    pub difference: Difference,
}

/// Networks that have too little in common.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the first network is {one}, the second {other}: compare networks of one kind and depth")]
pub struct NetworksError {
    /// The first, in words.
    pub one: String,
    /// The second, in words.
    pub other: String,
}

/// Compares two networks distribution by distribution. `seed` thins samples that are too large for a kernel density.
pub fn compare_networks(
    one: &NetworkMeasurement,
    other: &NetworkMeasurement,
    seed: u64,
) -> Result<Comparison, NetworksError> {
    let key = |sample: &Sample| (sample.block, sample.set, sample.measure);
    // Biases may be there in one alone; anything else must be in both.
    let layers = |network: &NetworkMeasurement| {
        let samples = network.samples.iter().map(key);
        samples
            .filter(|(_, _, measure)| !measure.contains("bias"))
            .collect::<Vec<_>>()
    };
    if layers(one) != layers(other) {
        return Err(NetworksError {
            one: one.kind.clone(),
            other: other.kind.clone(),
        });
    }
    let row = |a: &Sample| {
        let b = other.samples.iter().find(|b| key(b) == key(a))?;
        let thin = |sample| thinned(sample, DENSITY_SAMPLE, seed);
        Some(SampleDifference {
            block: a.block,
            set: a.set,
            measure: a.measure,
            jeffreys: jeffreys(&thin(&a.values), &thin(&b.values)).map(|jeffreys| jeffreys.integral),
            difference: Difference::of(&a.values, &b.values)?,
        })
    };
    let mut rows: Vec<SampleDifference> = one.samples.iter().filter_map(row).collect();
    correct(rows.iter_mut().map(|row| &mut row.difference));
    Ok(Comparison {
        a: one.record.model.clone(),
        b: other.record.model.clone(),
        pairs: Vec::new(),
        read: Vec::new(),
        links: Vec::new(),
        nodes: Vec::new(),
        flows: Vec::new(),
        samples: rows,
        profile_a: Vec::new(),
        profile_b: Vec::new(),
    })
}
