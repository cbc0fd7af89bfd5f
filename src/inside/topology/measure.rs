//! From a file to all that is measured of it.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::baseline::{Baseline, baselines};
use super::decoder::Decoder;
use super::flow::{Flow, NodeFlows};
use super::layer::Layer;
use super::model::{OpenError, Source, file_name, sha256};
use super::nodes::Convention;
use super::plan::{Network, PlanError, Planned, read_network};
use super::profile::{ProfileRow, profile};
use super::reading::{Read, Reading, ReadingError, read_text};
use super::record::{Record, Subject};
use super::samples::{Sample, samples};
use super::sets::{Skip, Topology};
use super::stack::InputError;
use super::strengths::{tensor_links, topology};
use super::text::BlockFlow;
use super::weights::ReadError;

/// Of which blocks the shuffled baselines are made. A matrix is held in memory for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BaselineBlocks {
    /// None.
    None,
    /// The first, the middle and the last.
    #[default]
    Some,
    /// All.
    All,
}

impl BaselineBlocks {
    fn of(self, blocks: usize) -> Vec<usize> {
        let last = blocks.saturating_sub(1);
        let mut chosen = match self {
            Self::None => Vec::new(),
            Self::Some => vec![0, last / 2, last],
            Self::All => (0..blocks).collect(),
        };
        chosen.dedup();
        chosen
    }
}

/// How a model is measured.
#[derive(Debug, Clone)]
pub struct ModelPlan {
    /// Whether the identity links of the residual stream count.
    pub skip: Skip,
    /// Of which blocks baselines are made.
    pub baselines: BaselineBlocks,
    /// Of the baselines' shuffles.
    pub seed: u64,
    /// The text for the data-dependent metrics, where they are wanted.
    pub reading: Option<Reading>,
}

/// How far a measurement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What is being done.
    pub stage: Stage,
    /// How many are done.
    pub done: usize,
    /// How many there are.
    pub total: usize,
}

/// What a measurement is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Weights are scanned; counted in blocks.
    Weights,
    /// Baselines are made; counted in blocks.
    Baselines,
    /// The text is read; counted in tokens.
    Text,
    /// Two models' weights are compared; counted in blocks.
    Links,
}

/// All that was measured of a model.
#[derive(Debug)]
pub struct ModelMeasurement {
    /// The rows.
    pub record: Record,
    /// Node values.
    pub topology: Topology,
    /// Where the matrices are.
    pub decoder: Decoder,
    /// Fluctuations on a scale that models share.
    pub profile: Vec<ProfileRow>,
    /// Beside shuffled weights.
    pub baselines: Vec<Baseline>,
    /// What was read.
    pub read: Option<Read>,
    /// What the nodes did meanwhile.
    pub flows: Vec<BlockFlow>,
}

/// Measurements that failed.
#[derive(Debug, Error)]
pub enum MeasureError {
    /// The model cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Weights cannot be read.
    #[error("`{path}`: {cause}")]
    Weights {
        /// The model.
        path: PathBuf,
        /// Why.
        #[source]
        cause: ReadError,
    },
    /// The text cannot be read with it.
    #[error(transparent)]
    Reading(#[from] ReadingError),
    /// The network's file is wrong.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Inputs of another size.
    #[error("`{path}`: the tensor that `inputs` names does not fit: {cause}")]
    Inputs {
        /// The network's file.
        path: PathBuf,
        /// Why.
        cause: InputError,
    },
}

/// Matrices outside the blocks.
const OUTSIDE: [&str; 2] = ["token_embd.weight", "output.weight"];

/// Measures a GGUF model or a checkpoint.
pub fn measure_model(
    path: &Path,
    plan: &ModelPlan,
    hear: &mut dyn FnMut(Step),
) -> Result<(Source, ModelMeasurement), MeasureError> {
    let source = Source::open(path)?;
    let weights = |cause| MeasureError::Weights {
        path: path.to_owned(),
        cause,
    };
    if plan.reading.is_some() {
        // A model that is not run is refused before its weights are read.
        source.norm()?;
    }
    let decoder = source.decoder()?;
    let blocks = decoder.blocks.len();
    let mut step = |stage, done, total| hear(Step { stage, done, total });
    let mut found = topology(&source, &decoder, plan.skip, |block| {
        step(Stage::Weights, block + 1, blocks);
    })
    .map_err(weights)?;
    for tensor in OUTSIDE {
        found.links.extend(tensor_links(&source, tensor).map_err(weights)?);
    }
    let mut made = Vec::new();
    let chosen = plan.baselines.of(blocks);
    for (number, block) in chosen.iter().enumerate() {
        made.extend(baselines(&source, &decoder, *block, plan.seed).map_err(weights)?);
        step(Stage::Baselines, number + 1, chosen.len());
    }
    let mut record = Record::of_topology(source.subject()?, &found);
    let (mut read, mut flows) = (None, Vec::new());
    if let Some(reading) = &plan.reading {
        let (done, gathered) = read_text(&source, &found, reading, |done, total| step(Stage::Text, done, total))?;
        (read, flows) = (Some(done), gathered);
    }
    for flow in &flows {
        record.add_block_flow(flow);
    }
    let measurement = ModelMeasurement {
        record,
        profile: profile(&found, &decoder),
        topology: found,
        decoder,
        baselines: made,
        read,
        flows,
    };
    Ok((source, measurement))
}

/// Activations of one layer or step.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerFlows {
    /// The layer of nodes, or the step.
    pub block: usize,
    /// `layer`, or of recurrent networks `hidden`, `hidden_all_steps`, `output`.
    pub set: &'static str,
    /// The metrics.
    pub flows: NodeFlows,
}

/// All that was measured of a small network.
#[derive(Debug)]
pub struct NetworkMeasurement {
    /// The rows.
    pub record: Record,
    /// What kind of network it is, in words.
    pub kind: String,
    /// Its distributions.
    pub samples: Vec<Sample>,
    /// What its nodes do over its inputs; empty where the file names none.
    pub flows: Vec<LayerFlows>,
}

/// Measures a small network that a TOML file describes ([`read_network`]).
pub fn measure_network(path: &Path, convention: Convention, flow: Flow) -> Result<NetworkMeasurement, MeasureError> {
    let planned = read_network(path)?;
    let subject = Subject {
        file: file_name(path),
        file_sha256: Some(hash(&planned.weights)?),
        architecture: Some(family(&planned.network).to_owned()),
    };
    let mut record = match &planned.network {
        Network::Stack(stack) => Record::of_stack(subject, stack, convention),
        Network::Recurrent { elman, steps } => Record::of_recurrent(subject, elman, *steps, convention),
    };
    let flows = flows(&planned, flow).map_err(|cause| MeasureError::Inputs {
        path: path.to_owned(),
        cause,
    })?;
    for layer in &flows {
        record.add_flows(layer.block, layer.set, &layer.flows);
    }
    Ok(NetworkMeasurement {
        record,
        kind: kind(&planned.network),
        samples: samples(&planned.network, convention),
        flows,
    })
}

fn hash(path: &Path) -> Result<String, OpenError> {
    let bytes = std::fs::read(path).map_err(|cause| OpenError::Io {
        path: path.to_owned(),
        cause,
    })?;
    Ok(sha256(&bytes))
}

fn flows(planned: &Planned, flow: Flow) -> Result<Vec<LayerFlows>, InputError> {
    let Some(inputs) = &planned.inputs else {
        return Ok(Vec::new());
    };
    let size = inputs.shape.iter().skip(1).product::<usize>();
    // `chunks` refuses 0; an input without numbers is told to be too small.
    let each = inputs.values.chunks(if size > 0 { size } else { 1 });
    let at = |set| move |(block, flows)| LayerFlows { block, set, flows };
    match &planned.network {
        Network::Stack(stack) => {
            let layers = stack.flows(each, flow)?;
            Ok(layers.into_iter().enumerate().map(at("layer")).collect())
        }
        Network::Recurrent { elman, steps } => {
            let found = elman.flows(*steps, each, flow)?;
            let mut layers: Vec<LayerFlows> = found.steps.into_iter().enumerate().map(at("hidden")).collect();
            layers.push(at("hidden_all_steps")((0, found.hidden)));
            layers.push(at("output")((0, found.output)));
            Ok(layers)
        }
    }
}

/// What the papers would call it.
fn family(network: &Network) -> &'static str {
    let Network::Stack(stack) = network else {
        return "recurrent";
    };
    let layers = stack.layers();
    let conv = layers.iter().any(|layer| matches!(layer, Layer::Conv(_)));
    let (first, last) = (layers.first().map(Layer::inputs), layers.last().map(Layer::outputs));
    let narrowest = layers.iter().map(Layer::outputs).min();
    if conv {
        "convolutional"
    } else if first == last && narrowest < last {
        "autoencoder"
    } else {
        "fully-connected"
    }
}

fn kind(network: &Network) -> String {
    match network {
        Network::Stack(stack) => {
            let layers = stack.layers();
            let first = layers.first().map(Layer::inputs);
            let sizes = first.into_iter().chain(layers.iter().map(Layer::outputs));
            let sizes: Vec<String> = sizes.map(|size| size.to_string()).collect();
            format!("{}, nodes {}", family(network), sizes.join(" → "))
        }
        Network::Recurrent { elman, steps } => format!(
            "recurrent, {} inputs, {} hidden units, {} outputs, {steps} steps",
            elman.inputs(),
            elman.parts().input_weights.rows(),
            elman.parts().output_weights.rows()
        ),
    }
}
