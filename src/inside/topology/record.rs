//! What a measurement is written as: JSON of everything, CSV per kind of row, and node values in a file of their own.

use serde::Serialize;
use serde_json::json;

use super::divergence_rows::Divergence;
use super::flow::{Gathered, NodeFlows, Running};
use super::histogram::Histogram;
use super::nodes::{Convention, NodeLayer};
use super::recurrent::Elman;
use super::sets::{Mode, TensorLinks, Topology};
use super::stack::Stack;
use super::summary::Summary;
use super::text::BlockFlow;

/// The version of the layout of records.
pub const VERSION: u32 = 1;

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Subject {
    /// The file's name, without its folder.
    pub file: String,
    /// The file's SHA-256.
    pub file_sha256: Option<String>,
    /// The architecture, such as `llama` or `recurrent`.
    pub architecture: Option<String>,
}

/// Link statistics of one matrix.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkRow {
    /// The block or layer; `None` for what is in no block.
    pub block: Option<usize>,
    /// The expert.
    pub expert: Option<usize>,
    /// The matrix.
    pub tensor: String,
    /// Figures over its weights.
    #[serde(flatten)]
    pub summary: Summary,
    /// Counts between its extremes.
    pub hist: Option<Histogram>,
}

/// One measure of one set of nodes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeRow {
    /// The block, layer or step.
    pub block: usize,
    /// The expert.
    pub expert: Option<usize>,
    /// The nodes.
    pub set: String,
    /// The measure: `in`, `out`, `strength` and others.
    pub side: String,
    /// Raw or folded, for transformers.
    pub mode: Option<Mode>,
    /// Figures over the nodes; of strength, `std` is the layer fluctuation.
    #[serde(flatten)]
    pub summary: Summary,
    /// The node with the least value.
    pub argmin: usize,
    /// The node with the greatest.
    pub argmax: usize,
}

/// One data-dependent metric of one set of nodes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FlowRow {
    /// The block, layer or step.
    pub block: usize,
    /// The nodes.
    pub set: String,
    /// The metric.
    pub metric: String,
    /// Always: the papers' equations could not be read.
    pub reconstruction: bool,
    /// Inputs or tokens.
    pub n_inputs: u64,
    /// Over nodes, the mean of each node's mean over inputs.
    pub mean: f64,
    /// Over nodes, the spread of these means: of strength, the neuron fluctuation.
    pub std: f64,
    /// Over nodes, the mean of each node's standard error.
    pub sem: f64,
    /// Over nodes, the mean of each node's spread over inputs.
    pub std_over_inputs: f64,
    /// Over nodes, the mean size.
    pub abs_mean: f64,
    /// Root mean square over nodes and inputs.
    pub rms: f64,
    /// Share of values above zero.
    pub positive: f64,
    /// The least value of any node and input.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Counts of all values in 255 bins of both signs ([`SignedLog`](super::SignedLog)).
    pub counts: Vec<u64>,
}

/// A measurement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// [`VERSION`].
    pub version: u32,
    /// What was measured.
    pub model: Subject,
    /// What stands for sides that first and last layers do not have.
    pub convention: Convention,
    /// Per matrix.
    pub links: Vec<LinkRow>,
    /// Per set and measure.
    pub nodes: Vec<NodeRow>,
    /// Per set and metric, where inputs were given.
    pub dynamic: Vec<FlowRow>,
    /// Against another model.
    pub divergences: Vec<Divergence>,
}

impl Record {
    pub(super) fn new(model: Subject, convention: Convention) -> Self {
        Self {
            version: VERSION,
            model,
            convention,
            links: Vec::new(),
            nodes: Vec::new(),
            dynamic: Vec::new(),
            divergences: Vec::new(),
        }
    }

    /// Of a transformer. First and last blocks' missing sides are left out, so the convention is the strict one.
    #[must_use]
    pub fn of_topology(model: Subject, topology: &Topology) -> Self {
        let mut record = Self::new(model, Convention::Strict);
        record
            .links
            .extend(topology.links.iter().map(|links: &TensorLinks| LinkRow {
                block: links.block,
                expert: links.expert,
                tensor: links.tensor.clone(),
                summary: links.summary.clone(),
                hist: Some(links.histogram.clone()),
            }));
        for nodes in &topology.nodes {
            let (set, side) = (nodes.set.name(), nodes.measure.name());
            record.push_nodes((nodes.block, nodes.expert), set, side, Some(nodes.mode), &nodes.values);
        }
        record
    }

    /// Of layers one after another. `block` of links counts layers of links from 1, and of nodes layers of nodes from 0, so that links l lead to nodes l.
    #[must_use]
    pub fn of_stack(model: Subject, stack: &Stack, convention: Convention) -> Self {
        let mut record = Self::new(model, convention);
        for (layer, links) in stack.links().into_iter().enumerate() {
            if let Some(links) = links {
                record.push_links(Some(layer + 1), "weights_and_biases", links.with_biases);
                record.push_links(Some(layer + 1), "weights", links.weights);
            }
        }
        for (layer, nodes) in stack.nodes().iter().enumerate() {
            record.push_layer(layer, "layer", nodes);
        }
        record
    }

    /// Of a recurrent network, unfolded over some steps, and folded. `block` is the step, from 0.
    #[must_use]
    pub fn of_recurrent(model: Subject, elman: &Elman, steps: usize, convention: Convention) -> Self {
        let mut record = Self::new(model, convention);
        if let Some(links) = elman.links() {
            record.push_links(None, "input_weights_and_bias", links.input.with_biases);
            record.push_links(None, "state_weights", links.state.weights);
            record.push_links(None, "output_weights_and_bias", links.output.with_biases);
        }
        record.push_layer(0, "input", &elman.input_nodes());
        for (step, nodes) in elman.unfolded(steps).iter().enumerate() {
            record.push_layer(step, "hidden", nodes);
        }
        record.push_layer(0, "hidden_folded", &elman.folded());
        record.push_layer(0, "output", &elman.output_nodes());
        record
    }

    /// Adds the data-dependent metrics of one layer of nodes.
    pub fn add_flows(&mut self, block: usize, set: &str, flows: &NodeFlows) {
        let metrics = [
            ("activation", &flows.activation),
            ("in_flow", &flows.in_flow),
            ("out_flow", &flows.out_flow),
            ("neuron_strength", &flows.strength),
        ];
        let rows = metrics.into_iter();
        self.dynamic
            .extend(rows.filter_map(|(metric, gathered)| flow_row(block, set, metric, gathered)));
    }

    /// Adds the data-dependent metrics of a block over a text.
    pub fn add_block_flow(&mut self, flow: &BlockFlow) {
        for set in flow.sets() {
            let rows = set
                .metrics()
                .filter_map(|(metric, gathered)| flow_row(flow.block(), set.set.name(), metric, gathered));
            self.dynamic.extend(rows);
        }
    }

    fn push_links(&mut self, block: Option<usize>, tensor: &str, summary: Summary) {
        self.links.push(LinkRow {
            block,
            expert: None,
            tensor: tensor.to_owned(),
            summary,
            hist: None,
        });
    }

    fn push_layer(&mut self, block: usize, set: &str, nodes: &NodeLayer) {
        let strength = nodes.strength(self.convention);
        let sides = [("in", &nodes.incoming), ("out", &nodes.outgoing)];
        for (name, side) in sides {
            if let Some(side) = side {
                self.push_nodes((block, None), set, name, None, &side.strength);
                self.push_nodes((block, None), set, &format!("disparity_{name}"), None, &side.disparity);
                self.push_nodes(
                    (block, None),
                    set,
                    &format!("disparity_legacy_{name}"),
                    None,
                    &side.disparity_legacy,
                );
            }
        }
        if let Some(full_kernel) = &nodes.full_kernel {
            self.push_nodes((block, None), set, "in_full_kernel", None, full_kernel);
        }
        self.push_nodes((block, None), set, "strength", None, &strength);
    }

    fn push_nodes(
        &mut self,
        (block, expert): (usize, Option<usize>),
        set: &str,
        side: &str,
        mode: Option<Mode>,
        values: &[f64],
    ) {
        let by_value = |one: &usize, other: &usize| values[*one].total_cmp(&values[*other]);
        let (argmin, argmax) = ((0..values.len()).min_by(by_value), (0..values.len()).max_by(by_value));
        if let (Some(summary), Some(argmin), Some(argmax)) = (Summary::of(values), argmin, argmax) {
            self.nodes.push(NodeRow {
                block,
                expert,
                set: set.to_owned(),
                side: side.to_owned(),
                mode,
                summary,
                argmin,
                argmax,
            });
        }
    }
}

fn flow_row(block: usize, set: &str, metric: &str, gathered: &Gathered) -> Option<FlowRow> {
    let over = gathered.over_nodes()?;
    let n = gathered.nodes.len() as f64;
    let mean = |of: fn(&Running) -> f64| gathered.nodes.iter().map(of).sum::<f64>() / n;
    let ranges = gathered.nodes.iter().map(Running::range);
    Some(FlowRow {
        block,
        set: set.to_owned(),
        metric: metric.to_owned(),
        reconstruction: true,
        n_inputs: gathered.nodes.iter().map(Running::n).max()?,
        mean: over.mean,
        std: over.std,
        sem: mean(Running::sem),
        std_over_inputs: mean(Running::std),
        abs_mean: mean(Running::abs_mean),
        rms: mean(|node| node.rms().powi(2)).sqrt(),
        positive: mean(Running::positive),
        min: ranges.clone().map(|range| range.0).min_by(f64::total_cmp)?,
        max: ranges.map(|range| range.1).max_by(f64::total_cmp)?,
        counts: gathered.values.counts.clone(),
    })
}

/// A figure of what was accumulated.
type Figure = fn(&Running) -> f64;

/// What [`flow_values`] gives of each metric at each node.
const FLOW_FIGURES: [(&str, Figure); 3] = [
    ("mean", Running::mean),
    ("std", Running::std),
    ("abs_mean", Running::abs_mean),
];

/// Data-dependent metrics of every node as raw little-endian f32, with the JSON header that says what lies where.
#[must_use]
pub fn flow_values(flows: &[BlockFlow]) -> (serde_json::Value, Vec<u8>) {
    let (mut bytes, mut entries) = (Vec::new(), Vec::new());
    for flow in flows {
        for set in flow.sets() {
            for (metric, gathered) in set.metrics() {
                for (figure, of) in FLOW_FIGURES {
                    entries.push(json!({
                        "block": flow.block(),
                        "set": set.set,
                        "metric": metric,
                        "figure": figure,
                        "reconstruction": true,
                        "offset": bytes.len(),
                        "n": gathered.nodes.len(),
                    }));
                    append(&mut bytes, gathered.nodes.iter().map(of));
                }
            }
        }
    }
    (header(&entries), bytes)
}

fn append(bytes: &mut Vec<u8>, values: impl Iterator<Item = f64>) {
    #[expect(clippy::cast_possible_truncation, reason = "the file holds f32")]
    bytes.extend(values.flat_map(|value| (value as f32).to_le_bytes()));
}

fn header(entries: &[serde_json::Value]) -> serde_json::Value {
    json!({ "version": VERSION, "type": "f32", "order": "little-endian", "entries": entries })
}

/// Node values as raw little-endian f32, with the JSON header that says what lies where.
#[must_use]
pub fn node_values(topology: &Topology) -> (serde_json::Value, Vec<u8>) {
    let (mut bytes, mut entries) = (Vec::new(), Vec::new());
    for nodes in &topology.nodes {
        entries.push(json!({
            "block": nodes.block,
            "expert": nodes.expert,
            "set": nodes.set,
            "side": nodes.measure,
            "mode": nodes.mode,
            "offset": bytes.len(),
            "n": nodes.values.len(),
        }));
        append(&mut bytes, nodes.values.iter().copied());
    }
    (header(&entries), bytes)
}
