//! A network's weights as a graph: Complex Network Theory (CNT) metrics.
//!
//! Nodes are units, links are signed weights. *Link weights* are looked at as a distribution; a node's *strength* is the sum of its links, signs
//! kept; a layer's *fluctuation* is the spread of its nodes' strengths; a node's *disparity* says whether one link dominates. Two more metrics
//! depend on inputs: a node's *activation*, and its strength with each link multiplied by the signal it carries.
//!
//! [`Stack`] (fully connected, autoencoder, convolutional) and [`Elman`] (recurrent) follow the papers of La Malfa and others (arXiv 2110.02628,
//! 2404.11172).
//! The data-dependent metrics are a reconstruction, since the paper's equations could not be read. What is
//! done with transformers is an extension that is in no paper.
//!
//! Strengths describe a network as it is *stored*: a gated unit can be scaled up on one side and down on the other, and the residual stream
//! turned, without any change of the function. This holds for the papers as well.

mod activation;
mod archive;
mod baseline;
mod compare;
mod decoder;
mod divergence;
mod divergence_rows;
mod export;
mod figure;
mod flow;
mod histogram;
mod kde;
mod layer;
mod matrix;
mod measure;
mod model;
mod nodes;
mod order;
mod plan;
mod profile;
mod reading;
mod record;
mod recurrent;
mod samples;
mod scan;
mod sets;
mod stack;
mod strengths;
mod summary;
mod table;
mod text;
mod two_sample;
mod weights;

pub use activation::Activation;
pub use archive::{Archive, ArchiveError, Tensor};
pub use baseline::{Baseline, baselines};
pub use compare::{
    Difference, FlowDifference, LEVEL, LINK_BINS, LinkDifference, Model, NODE_BINS, NetworksError, NodeDifference,
    OverviewRow, Paired, SampleDifference, compare_flows, compare_links, compare_models, compare_networks,
    compare_nodes, divergence_matrix, overview, pair_blocks,
};
pub use decoder::{Attention, Block, Decoder, DecoderError, Expert, FeedForward, Heads, Projection, Wiring};
pub use divergence::{Jeffreys, Steps, between_counts, jeffreys, jensen_shannon, jensen_shannon_noise, steps};
pub use divergence_rows::Divergence;
pub use export::{Comparison, ExportError, export_comparison, export_model, export_network};
pub use figure::{Curve, Titles, curves, heat_map};
pub use flow::{Flow, Gathered, NodeFlows, Running};
pub use histogram::{Histogram, SignedLog};
pub use kde::{GRID, Kde, grid};
pub use layer::{Conv, Dense, Image, Kernel, Layer, LayerError, Pool, Pooling, Stride};
pub use matrix::{Matrix, ShapeError};
pub use measure::{
    BaselineBlocks, LayerFlows, MeasureError, ModelMeasurement, ModelPlan, NetworkMeasurement, Stage, Step,
    measure_model, measure_network,
};
pub use model::{Checkpoint, OpenError, Source};
pub use nodes::{Convention, NodeLayer, Side, disparity, legacy};
pub use plan::{Network, PlanError, PlanFault, Planned, read_network};
pub use profile::{ProfileRow, profile};
pub use reading::{FEW_TOKENS, Read, Reading, ReadingError, read_text};
pub use record::{FlowRow, LinkRow, NodeRow, Record, Subject, VERSION, flow_values, node_values};
pub use recurrent::{Elman, ElmanError, ElmanFlows, ElmanLinks, Outputs, Parts};
pub use samples::{DENSITY_SAMPLE, LINKS, Sample, samples};
pub use sets::{Measure, Mode, NodeValues, Set, Skip, TensorLinks, Topology};
pub use stack::{InputError, Links, Stack, StackError};
pub use strengths::{tensor_links, topology};
pub use summary::{SHARES, Summary, quantile};
pub use table::{Table, csv, flat_csv};
pub use text::{BlockFlow, Capture, CaptureError, FirstPosition, Gathering, Norm, SetFlow};
pub use two_sample::{Test, brown_forsythe, kolmogorov_smirnov};
pub use weights::{ReadError, Shape, Slab, Weights};
