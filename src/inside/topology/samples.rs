//! The distributions that a small network has: weights and nodes of every layer, by name.

use std::borrow::Cow;

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::nodes::{Convention, NodeLayer};
use super::plan::Network;
use super::recurrent::Elman;
use super::stack::Stack;

/// Values that a kernel density is made of at most: its cost grows with their number times the grid's (specification section 5).
pub const DENSITY_SAMPLE: usize = 20_000;

/// What links are called among the sets.
pub const LINKS: &str = "links";

/// One distribution of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The layer of nodes from 0; of links from 1, so that links l lead to nodes l; of a recurrent network the step.
    pub block: usize,
    /// `links`, or the nodes: `layer`, and of recurrent networks `input`, `hidden`, `hidden_folded`, `output`.
    pub set: &'static str,
    /// `weights`, `weights_and_biases`, or `in`, `in_full_kernel`, `out`, `strength`, `disparity_in`, `disparity_out`.
    pub measure: &'static str,
    /// One value per link or node.
    pub values: Vec<f64>,
}

/// All distributions of a network.
#[must_use]
pub fn samples(network: &Network, convention: Convention) -> Vec<Sample> {
    match network {
        Network::Stack(stack) => of_stack(stack, convention),
        Network::Recurrent { elman, steps } => of_recurrent(elman, *steps, convention),
    }
}

fn of_stack(stack: &Stack, convention: Convention) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (before, layer) in stack.layers().iter().enumerate() {
        if let Some((weights, bias)) = layer.stored() {
            push_links(
                &mut samples,
                before + 1,
                ["weights", "weights_and_biases"],
                weights,
                bias,
            );
        }
    }
    for (layer, nodes) in stack.nodes().iter().enumerate() {
        push_nodes(&mut samples, layer, "layer", nodes, convention);
    }
    samples
}

fn of_recurrent(elman: &Elman, steps: usize, convention: Convention) -> Vec<Sample> {
    let mut samples = Vec::new();
    let parts = elman.parts();
    let matrices = [
        (
            ["input_weights", "input_weights_and_bias"],
            &parts.input_weights,
            parts.bias.as_deref(),
        ),
        (["state_weights", "state_weights"], &parts.state_weights, None),
        (
            ["output_weights", "output_weights_and_bias"],
            &parts.output_weights,
            parts.output_bias.as_deref(),
        ),
    ];
    for (names, matrix, bias) in matrices {
        push_links(&mut samples, 0, names, matrix.values(), bias);
    }
    push_nodes(&mut samples, 0, "input", &elman.input_nodes(), convention);
    for (step, nodes) in elman.unfolded(steps).iter().enumerate() {
        push_nodes(&mut samples, step, "hidden", nodes, convention);
    }
    push_nodes(&mut samples, 0, "hidden_folded", &elman.folded(), convention);
    push_nodes(&mut samples, 0, "output", &elman.output_nodes(), convention);
    samples
}

fn push_links(
    samples: &mut Vec<Sample>,
    block: usize,
    [plain, both]: [&'static str; 2],
    weights: &[f64],
    bias: Option<&[f64]>,
) {
    let mut push = |measure, values| {
        samples.push(Sample {
            block,
            set: LINKS,
            measure,
            values,
        });
    };
    push(plain, weights.to_vec());
    if let Some(bias) = bias {
        push(both, weights.iter().chain(bias).copied().collect());
    }
}

fn push_nodes(samples: &mut Vec<Sample>, block: usize, set: &'static str, nodes: &NodeLayer, convention: Convention) {
    let mut push = |measure, values: Vec<f64>| {
        samples.push(Sample {
            block,
            set,
            measure,
            values,
        });
    };
    if let Some(side) = &nodes.incoming {
        push("in", side.strength.clone());
        push("disparity_in", side.disparity.clone());
    }
    if let Some(full_kernel) = &nodes.full_kernel {
        push("in_full_kernel", full_kernel.clone());
    }
    if let Some(side) = &nodes.outgoing {
        push("out", side.strength.clone());
        push("disparity_out", side.disparity.clone());
    }
    push("strength", nodes.strength(convention));
}

/// At most so many of some values, each with the same chance, in their order.
pub(super) fn thinned(values: &[f64], most: usize, seed: u64) -> Cow<'_, [f64]> {
    if values.len() <= most {
        return Cow::Borrowed(values);
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut places = index::sample(&mut random, values.len(), most).into_vec();
    places.sort_unstable();
    Cow::Owned(places.into_iter().map(|place| values[place]).collect())
}
