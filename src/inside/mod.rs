//! Analyses of the model itself, from its activations and weights. A *unit* here is an FFN neuron of the model: a layer and an index.

pub mod bricks;
pub mod edit;
pub mod emergence;
pub mod hallucination;
pub mod language;
pub mod masonry;
pub mod topology;
