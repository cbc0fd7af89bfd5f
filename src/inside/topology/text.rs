//! Data-dependent metrics of a decoder over a text, gathered as activations come (specification section 6.3). A reconstruction and an
//! extension: neither the papers' equations nor transformers in them could be read.

use thiserror::Error;

use super::flow::{Flow, Gathered};
use super::sets::{Measure, Mode, Set, Topology};

/// What to do with the first position of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FirstPosition {
    /// Left out: attention sinks there, with activations tens of times the greatest elsewhere.
    #[default]
    Dropped,
    /// Counted like any other.
    Kept,
}

/// How the FFN's input is normalised, before the gain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Norm {
    /// `x / sqrt(mean(x^2) + eps)`.
    Rms {
        /// Added under the root.
        eps: f64,
    },
    /// `(x - mean) / sqrt(variance + eps)`.
    Layer {
        /// Added under the root.
        eps: f64,
    },
}

/// How to gather.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gathering {
    /// Which flows make up a node's strength.
    pub flow: Flow,
    /// What to do with position 0 of each text.
    pub first: FirstPosition,
    /// How the FFN's input is normalised.
    pub norm: Norm,
}

/// Activations of one block for consecutive positions of one text, each `[position][width]`, row-major. What was not captured is `None`, and is
/// left out of the metrics.
#[derive(Debug, Clone, Copy)]
pub struct Capture<'a, T> {
    /// The position of the first row in its text, from 0.
    pub position: usize,
    /// Input of `ffn_down`: the units' activations.
    pub hidden: Option<&'a [T]>,
    /// Output of `ffn_up`.
    pub up: Option<&'a [T]>,
    /// Output of `ffn_gate`, before its activation function.
    pub gate: Option<&'a [T]>,
    /// Input of `attn_output`.
    pub channels: Option<&'a [T]>,
    /// The stream that the FFN's norm reads.
    pub resid_mid: Option<&'a [T]>,
    /// The stream that leaves the block.
    pub resid_out: Option<&'a [T]>,
}

impl<T> Default for Capture<'_, T> {
    fn default() -> Self {
        Self {
            position: 0,
            hidden: None,
            up: None,
            gate: None,
            channels: None,
            resid_mid: None,
            resid_out: None,
        }
    }
}

/// A slice that is not a whole number of rows, or another number than the slice beside it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("block {block}: `{part}` came as {found} values, which are not {rows} rows of {width}")]
pub struct CaptureError {
    /// The block.
    pub block: usize,
    /// The slice.
    pub part: &'static str,
    /// Its length.
    pub found: usize,
    /// Rows that the first slice has.
    pub rows: usize,
    /// The set's number of nodes.
    pub width: usize,
}

/// Metrics of one set of nodes over a text.
#[derive(Debug, Clone, PartialEq)]
pub struct SetFlow {
    /// The nodes.
    pub set: Set,
    /// `a`.
    pub activation: Gathered,
    /// What arrives, where it was captured.
    pub in_flow: Option<Gathered>,
    /// For FFN units, what arrives through the up matrix alone.
    pub in_up: Option<Gathered>,
    /// For FFN units, what arrives through the gate matrix alone.
    pub in_gate: Option<Gathered>,
    /// `a` times the out-strength; none for the stream that leaves the block.
    pub out_flow: Option<Gathered>,
    /// Their sum, or the in-flow alone.
    pub strength: Option<Gathered>,
}

impl SetFlow {
    fn new(set: Set, nodes: usize) -> Self {
        Self {
            set,
            activation: Gathered::new(nodes),
            in_flow: None,
            in_up: None,
            in_gate: None,
            out_flow: None,
            strength: None,
        }
    }

    /// The metrics that were gathered, each with its name in files.
    pub fn metrics(&self) -> impl Iterator<Item = (&'static str, &Gathered)> {
        let optional = [
            ("in_flow", &self.in_flow),
            ("in_flow_up", &self.in_up),
            ("in_flow_gate", &self.in_gate),
            ("out_flow", &self.out_flow),
            ("neuron_strength", &self.strength),
        ];
        let gathered = optional
            .into_iter()
            .filter_map(|(name, gathered)| Some((name, gathered.as_ref()?)));
        std::iter::once(("activation", &self.activation)).chain(gathered)
    }
}

/// Gathers the metrics of one block.
#[derive(Debug, Clone)]
pub struct BlockFlow {
    block: usize,
    gathering: Gathering,
    out: Vec<(Set, Option<Vec<f64>>)>,
    sets: Vec<SetFlow>,
}

impl BlockFlow {
    /// Takes the out-strengths of a block, norms folded in: captured activations are those after normalising and before the gain. Blocks with
    /// experts have no units of which every token says something, so their FFN is left out.
    #[must_use]
    pub fn new(topology: &Topology, block: usize, gathering: Gathering) -> Self {
        let out = |set| {
            topology
                .values(block, set, Measure::Out, Mode::Folded)
                .map(<[f64]>::to_vec)
        };
        let experts = topology
            .nodes
            .iter()
            .any(|nodes| nodes.block == block && nodes.expert.is_some());
        let sets = [Set::FfnNeuron, Set::AttnChannel, Set::ResidMid].into_iter();
        let sets = sets.filter(|&set| !(experts && set == Set::FfnNeuron));
        let mut out: Vec<(Set, Option<Vec<f64>>)> = sets.filter_map(|set| Some((set, Some(out(set)?)))).collect();
        if topology
            .values(block, Set::ResidOut, Measure::In, Mode::Folded)
            .is_some()
        {
            out.push((Set::ResidOut, None));
        }
        Self {
            block,
            gathering,
            sets: Vec::new(),
            out,
        }
    }

    /// The block, from 0.
    #[must_use]
    pub fn block(&self) -> usize {
        self.block
    }

    /// What was gathered, one per set of nodes that was seen.
    #[must_use]
    pub fn sets(&self) -> &[SetFlow] {
        &self.sets
    }

    /// Takes activations in.
    pub fn observe<T: Copy + Into<f64>>(&mut self, capture: &Capture<'_, T>) -> Result<(), CaptureError> {
        let skipped = usize::from(self.gathering.first == FirstPosition::Dropped && capture.position == 0);
        for at in 0..self.out.len() {
            let set = self.out[at].0;
            let (part, activations) = match set {
                Set::FfnNeuron => ("hidden", capture.hidden),
                Set::AttnChannel => ("channels", capture.channels),
                Set::ResidMid => ("resid_mid", capture.resid_mid),
                _ => ("resid_out", capture.resid_out),
            };
            let Some(activations) = activations else { continue };
            let width = match &self.out[at].1 {
                Some(out) => out.len(),
                None => self.stream_width(),
            };
            let rows = activations.len().checked_div(width).unwrap_or(0);
            let check = |part, values: &[T]| {
                if values.len() == rows * width && rows > 0 {
                    return Ok(());
                }
                Err(CaptureError {
                    block: self.block,
                    part,
                    found: values.len(),
                    rows,
                    width,
                })
            };
            check(part, activations)?;
            let arriving = if set == Set::FfnNeuron {
                [capture.up, capture.gate]
            } else {
                [None; 2]
            };
            for (part, values) in ["up", "gate"].into_iter().zip(arriving) {
                values.map_or(Ok(()), |values| check(part, values))?;
            }
            for row in skipped..rows {
                let take = |values: &[T]| {
                    values[row * width..][..width]
                        .iter()
                        .map(|&value| value.into())
                        .collect()
                };
                self.observe_row(at, width, take(activations), arriving.map(|values| values.map(take)));
            }
        }
        Ok(())
    }

    /// The stream is as wide between attention and FFN as after them.
    fn stream_width(&self) -> usize {
        let mid = self.out.iter().find(|(set, _)| *set == Set::ResidMid);
        mid.and_then(|(_, out)| out.as_ref()).map_or(0, Vec::len)
    }

    /// One position of one set. `arriving` is from up and gate, for FFN units.
    fn observe_row(&mut self, at: usize, width: usize, mut activation: Vec<f64>, arriving: [Option<Vec<f64>>; 2]) {
        let (set, out) = (self.out[at].0, self.out[at].1.as_deref());
        if set == Set::ResidMid {
            normalise(&mut activation, self.gathering.norm);
        }
        let place = self.sets.iter().position(|flow| flow.set == set).unwrap_or_else(|| {
            self.sets.push(SetFlow::new(set, width));
            self.sets.len() - 1
        });
        let flow = &mut self.sets[place];
        flow.activation.add(activation.iter().copied());
        let leaves: Option<Vec<f64>> = out.map(|out| activation.iter().zip(out).map(|(a, out)| a * out).collect());
        let [up, gate] = arriving;
        let arrives = match set {
            // Values pass through attention with a total weight of 1: what arrives is what is there.
            Set::AttnChannel => Some(activation),
            Set::FfnNeuron => match (&up, &gate) {
                (Some(up), Some(gate)) => Some(up.iter().zip(gate).map(|(up, gate)| up + gate).collect()),
                (Some(up), None) => Some(up.clone()),
                (None, _) => None,
            },
            _ => None,
        };
        let strength = match (self.gathering.flow, &arrives, &leaves) {
            (Flow::Both, Some(arrives), Some(leaves)) => Some(
                arrives
                    .iter()
                    .zip(leaves)
                    .map(|(arrives, leaves)| arrives + leaves)
                    .collect(),
            ),
            (Flow::In, Some(arrives), _) => Some(arrives.clone()),
            _ => None,
        };
        let gathered = [
            (&mut flow.in_up, up),
            (&mut flow.in_gate, gate),
            (&mut flow.in_flow, arrives),
            (&mut flow.out_flow, leaves),
            (&mut flow.strength, strength),
        ];
        for (gathered, values) in gathered {
            if let Some(values) = values {
                gathered
                    .get_or_insert_with(|| Gathered::new(width))
                    .add(values.into_iter());
            }
        }
    }
}

fn normalise(values: &mut [f64], norm: Norm) {
    let n = values.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (centre, eps) = match norm {
        Norm::Rms { eps } => (0.0, eps),
        Norm::Layer { eps } => (mean(values), eps),
    };
    let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    let size = (squares / n + eps).sqrt();
    for value in values {
        *value = (*value - centre) / size;
    }
}
