//! Networks whose layers follow one another: fully connected, autoencoder, convolutional.

use thiserror::Error;

use super::flow::{Flow, NodeFlows};
use super::layer::Layer;
use super::nodes::{LinkSums, NodeLayer, side};
use super::summary::Summary;

/// Why layers do not make a network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StackError {
    /// No layers.
    #[error("a network needs at least one layer")]
    Empty,
    /// A layer that does not read what the one before it gives.
    #[error("layer {layer} (from 1) reads {reads} nodes, but the layer before it has {given}")]
    Mismatch {
        /// The layer that does not fit, from 1.
        layer: usize,
        /// How many nodes it reads.
        reads: usize,
        /// How many the layer before has.
        given: usize,
    },
}

/// An input of another size than the network reads.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("input {input} (from 0) has {found} numbers where the network reads {expected}")]
pub struct InputError {
    /// Which input.
    pub input: usize,
    /// What the network reads.
    pub expected: usize,
    /// What came.
    pub found: usize,
}

/// Link statistics of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Links {
    /// Weights and biases, as the authors count them.
    pub with_biases: Summary,
    /// Weights alone.
    pub weights: Summary,
}

impl Links {
    /// `None` without weights.
    pub(super) fn of(weights: &[f64], bias: Option<&[f64]>) -> Option<Self> {
        let all: Vec<f64> = weights.iter().chain(bias.unwrap_or_default()).copied().collect();
        Some(Self {
            with_biases: Summary::of(&all)?,
            weights: Summary::of(weights)?,
        })
    }
}

/// Layers that fit together. L layers of links have L + 1 layers of nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    layers: Vec<Layer>,
}

impl Stack {
    /// Checks that each layer reads what the one before it gives.
    pub fn new(layers: Vec<Layer>) -> Result<Self, StackError> {
        if layers.is_empty() {
            return Err(StackError::Empty);
        }
        for (before, pair) in layers.windows(2).enumerate() {
            let (given, reads) = (pair[0].outputs(), pair[1].inputs());
            if given != reads {
                let layer = before + 2;
                return Err(StackError::Mismatch { layer, reads, given });
            }
        }
        Ok(Self { layers })
    }

    /// The layers of links, first to last.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Link statistics per layer; `None` for layers without weights.
    #[must_use]
    pub fn links(&self) -> Vec<Option<Links>> {
        let stored = self.layers.iter().map(Layer::stored);
        stored
            .map(|stored| stored.and_then(|(weights, bias)| Links::of(weights, bias)))
            .collect()
    }

    /// Strengths of the layers of nodes, input first.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeLayer> {
        let mut incoming = None;
        let mut nodes = Vec::with_capacity(self.layers.len() + 1);
        for layer in &self.layers {
            let mut arriving = vec![LinkSums::default(); layer.outputs()];
            let mut leaving = vec![LinkSums::default(); layer.inputs()];
            layer.links(|target, source, weight| {
                arriving[target].add(weight);
                leaving[source].add(weight);
            });
            let (incoming, full_kernel) = incoming
                .replace((side(&arriving, Some(&layer.biases())), layer.full_kernel_strength()))
                .unzip();
            nodes.push(node_layer(
                layer.inputs(),
                incoming,
                Some(side(&leaving, None)),
                full_kernel.flatten(),
            ));
        }
        let (incoming, full_kernel) = incoming.unzip();
        let size = self.layers.last().map_or(0, Layer::outputs);
        nodes.push(node_layer(size, incoming, None, full_kernel.flatten()));
        nodes
    }

    /// Data-dependent metrics of the layers of nodes over a sample of inputs, input layer first.
    pub fn flows<'a>(
        &self,
        inputs: impl IntoIterator<Item = &'a [f64]>,
        flow: Flow,
    ) -> Result<Vec<NodeFlows>, InputError> {
        let nodes = self.nodes();
        let mut flows: Vec<NodeFlows> = nodes.iter().map(|layer| NodeFlows::new(layer.size())).collect();
        let expected = nodes[0].size();
        for (input, values) in inputs.into_iter().enumerate() {
            if values.len() != expected {
                let found = values.len();
                return Err(InputError { input, expected, found });
            }
            let (mut sums, mut activations) = (values.to_vec(), values.to_vec());
            for ((layer, nodes), flows) in self.layers.iter().zip(&nodes).zip(&mut flows) {
                let out = nodes.outgoing.as_ref().map_or(&[][..], |side| &side.strength);
                flows.add(&activations, &sums, &layer.out_flow(&activations, out), flow);
                sums = layer.sums(&activations);
                activations.clone_from(&sums);
                layer.activation().apply(&mut activations);
            }
            if let Some(last) = flows.last_mut() {
                last.add(&activations, &sums, &activations, flow);
            }
        }
        Ok(flows)
    }
}

/// A layer of nodes that keeps the full-kernel variant only where it differs from the strength of the links that exist.
fn node_layer(
    size: usize,
    incoming: Option<super::nodes::Side>,
    outgoing: Option<super::nodes::Side>,
    full_kernel: Option<Vec<f64>>,
) -> NodeLayer {
    let differs = |full: &Vec<f64>| {
        let strengths = incoming.iter().flat_map(|side| &side.strength);
        full.iter()
            .zip(strengths)
            .any(|(full, valid)| (full - valid).abs() > 1e-12 * (1.0 + valid.abs()))
    };
    let full_kernel = full_kernel.filter(differs);
    NodeLayer {
        full_kernel,
        ..NodeLayer::new(size, incoming, outgoing)
    }
}
