//! Which units of a layer work together (spec §5).

use rayon::prelude::*;
use serde::Serialize;

use super::sparsity::{Captured, down};
use super::{MasonryError, Progress};
use crate::inside::bricks::partition::{
    Activity, Agreement, Baseline, Draw, FunctionalExperts, Graph, Groups, KMeans, NullTest, against_null, agreement,
    balanced_k_means, communities, expert_baseline, functional_experts, modularity, unit_rows,
};
use crate::inside::bricks::sparsity::{TailErrors, column_norms};
use crate::inside::bricks::{Matrix, UnitSet};
use crate::llama::Weights;

/// How groups are found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Settings {
    /// A unit counts as active where its output's magnitude reaches the threshold at which leaving the others out has this mean CETT: 0.2.
    pub cett: f64,
    /// Each unit's heaviest edges that are kept.
    pub neighbours: usize,
    /// The modularity's γ.
    pub resolution: f64,
    /// Shuffled activities that say what chance gives.
    pub draws: usize,
    /// Experts of equal size that are built from the weights.
    pub experts: usize,
    /// The share of a layer's units that is tested against experts: 0.01.
    pub top: f64,
    /// What random choices are drawn from.
    pub seed: u64,
}

/// One layer's groups.
#[derive(Debug, Clone, Serialize)]
pub struct Layer {
    /// The layer.
    pub layer: usize,
    /// The threshold on output magnitudes.
    pub epsilon: f64,
    /// The mean share of units that are active.
    pub active: f64,
    /// How many communities, and the units of each.
    pub sizes: Vec<usize>,
    /// Modularity, beside units that fire independently at the same rates.
    pub modularity: NullTest,
    /// Agreement of the communities of even and of odd tokens.
    pub stability: Agreement,
    /// Agreement of the communities with experts built from weights alone.
    pub with_experts: Agreement,
    /// The modularity of those experts on the same graph.
    pub experts_modularity: f64,
    /// Which experts hold more of a function's units than chance allows.
    pub functional: Vec<Functional>,
    /// The community of every unit.
    #[serde(skip)]
    pub communities: Groups,
    /// The expert of every unit.
    #[serde(skip)]
    pub experts: Groups,
    /// The graph.
    #[serde(skip)]
    pub graph: Graph<f32>,
}

/// A function's units on a layer's experts.
#[derive(Debug, Clone, Serialize)]
pub struct Functional {
    /// The function.
    pub function: String,
    /// Experts that hold more than chance allows (α = 0.001).
    pub experts: FunctionalExperts,
    /// What random experts give.
    pub baseline: Baseline,
}

/// Random groupings behind a baseline.
const BASELINE: usize = 200;
const ALPHA: f64 = 0.001;

/// Groups the units of these layers. `bricks` are functions' units, whose place on the experts is tested.
pub fn partition(
    captured: &Captured,
    weights: &Weights,
    layers: &[usize],
    bricks: &[(String, UnitSet)],
    settings: &Settings,
    progress: Progress<'_>,
) -> Result<Vec<Layer>, MasonryError> {
    let threads = rayon::current_num_threads().max(1);
    let mut found = Vec::new();
    for some in layers.chunks(threads) {
        let these: Result<Vec<Layer>, MasonryError> = some
            .par_iter()
            .map(|&layer| one(captured.layer(layer), weights, layer, bricks, settings))
            .collect();
        found.extend(these?);
        progress(found.len(), layers.len());
    }
    Ok(found)
}

fn one(
    activations: &Matrix<f32>,
    weights: &Weights,
    layer: usize,
    bricks: &[(String, UnitSet)],
    settings: &Settings,
) -> Result<Layer, MasonryError> {
    let down = down(weights, layer)?;
    let norms = column_norms(&down);
    // The threshold needs few tokens; its cost is tokens × units × width.
    let few = Matrix::<f32>::from_fn(activations.rows().min(64), activations.columns(), |row, unit| {
        activations.at(row * activations.rows() / activations.rows().min(64), unit)
    });
    let tails = TailErrors::new(&few, &down, &norms)?;
    let target = tails
        .targets(&[settings.cett])
        .and_then(|targets| targets.first().copied());
    let epsilon = target.map_or(0.0, |target| target.before_first_violation.epsilon);
    let activity = Activity::strong(activations, &norms, epsilon)?;
    let count: u64 = (0..activity.units()).map(|unit| u64::from(activity.count(unit))).sum();
    let group = |graph: &Graph<f32>| -> Result<Groups, MasonryError> {
        Ok(communities(
            &graph.heaviest(settings.neighbours),
            settings.resolution,
            settings.seed,
        )?)
    };
    let seed = settings.seed.wrapping_add(layer as u64);
    let (communities, test) = against_null(&activity, settings.resolution, settings.draws, seed, group)?;
    let graph = Graph::coactivation(&activity);
    let half = |parity: usize| -> Result<Groups, MasonryError> {
        let rows = (activations.rows() + 1 - parity) / 2;
        let half = Matrix::<f32>::from_fn(rows, activations.columns(), |row, unit| {
            activations.at(2 * row + parity, unit)
        });
        group(&Graph::coactivation(&Activity::strong(&half, &norms, epsilon)?))
    };
    let experts = experts(weights, layer, settings)?;
    let functional = bricks.iter().map(|(function, units)| {
        let top: Vec<usize> = units.in_layer(layer).collect();
        Ok(Functional {
            function: function.clone(),
            experts: functional_experts(&experts, &top, Draw::Hypergeometric, ALPHA)?,
            baseline: expert_baseline(&experts, &top, Draw::Hypergeometric, ALPHA, BASELINE, seed)?,
        })
    });
    Ok(Layer {
        layer,
        epsilon,
        active: count as f64 / (activations.rows() * activations.columns()).max(1) as f64,
        sizes: communities.sizes().to_vec(),
        modularity: test,
        stability: agreement(&half(0)?, &half(1)?)?,
        with_experts: agreement(&communities, &experts)?,
        experts_modularity: modularity(&graph, &experts, settings.resolution)?,
        functional: functional.collect::<Result<_, MasonryError>>()?,
        communities,
        experts,
        graph,
    })
}

/// Experts of equal size from the directions of what units read: rows of the gate and of `ffn_up` together (spec §5.1).
fn experts(weights: &Weights, layer: usize, settings: &Settings) -> Result<Groups, MasonryError> {
    let units = weights.ffn()?.units;
    let matrix = |name: &str| -> Result<Matrix<f32>, MasonryError> {
        let name = format!("blk.{layer}.{name}.weight");
        let columns = weights.tensor(&name)?.columns();
        let values = weights.all(&name)?;
        Ok(Matrix::new(values.len() / columns.max(1), columns, values)?)
    };
    let up = unit_rows(&matrix("ffn_up")?);
    let gate = if weights.has(&format!("blk.{layer}.ffn_gate.weight")) {
        Some(unit_rows(&matrix("ffn_gate")?))
    } else {
        None
    };
    let rows: Vec<Vec<f64>> = (0..units)
        .map(|unit| {
            // Where they are fused, the gate's rows come first.
            let further = if up.rows() > units {
                Some(up.row(units + unit))
            } else {
                None
            };
            let other = gate.as_ref().map(|gate| gate.row(unit)).or(further);
            [up.row(unit), other.unwrap_or_default()].concat()
        })
        .collect();
    let settings = KMeans {
        seed: settings.seed,
        starts: 1,
        ..KMeans::new(settings.experts.clamp(1, units.max(1)))
    };
    Ok(balanced_k_means(&Matrix::from_rows(&rows)?, &settings)?)
}
