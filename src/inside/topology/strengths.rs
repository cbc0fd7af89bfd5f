//! Node sets of a decoder's blocks with their strengths (specification section 6.2). An extension that is in no paper.

use super::decoder::{Attention, Block, Decoder, FeedForward, Projection, Wiring};
use super::scan::{Gains, Scan, Sides, scan};
use super::sets::{Measure, Mode, NodeValues, Set, Skip, TensorLinks, Topology};
use super::weights::{ReadError, Weights, vector};

impl Topology {
    fn push(&mut self, at: Place, set: Set, measure: Measure, values: Vec<f64>) {
        self.nodes.push(NodeValues {
            block: at.block,
            expert: at.expert,
            set,
            measure,
            mode: at.mode,
            values,
        });
    }

    /// Pushes a side where there is one, and the strength where there are both.
    fn push_both(&mut self, at: Place, set: Set, arriving: Option<Vec<f64>>, leaving: Option<Vec<f64>>) {
        let strength = arriving
            .as_ref()
            .zip(leaving.as_ref())
            .map(|(one, other)| sum(one, other));
        let measures = [
            (Measure::In, arriving),
            (Measure::Out, leaving),
            (Measure::Strength, strength),
        ];
        for (measure, values) in measures {
            if let Some(values) = values {
                self.push(at, set, measure, values);
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Place {
    block: usize,
    expert: Option<usize>,
    mode: Mode,
}

/// The scans of one block.
struct Scanned {
    attention: Option<AttentionScans>,
    experts: Vec<ExpertScans>,
    router: Option<Scan>,
}

struct AttentionScans {
    query: Scan,
    key: Scan,
    value: Scan,
    output: Scan,
    width: usize,
}

struct ExpertScans {
    up: Scan,
    gate: Option<Scan>,
    down: Scan,
}

/// Scans a decoder block by block; `done` hears of each block as it is finished.
pub fn topology<W: Weights + ?Sized>(
    weights: &W,
    decoder: &Decoder,
    skip: Skip,
    mut done: impl FnMut(usize),
) -> Result<Topology, ReadError> {
    let mut topology = Topology::default();
    let mut scanned = Vec::with_capacity(decoder.blocks.len());
    for (index, block) in decoder.blocks.iter().enumerate() {
        scanned.push(scan_block(weights, index, block, &mut topology.links)?);
        done(index);
    }
    for mode in [Mode::Raw, Mode::Folded] {
        for (index, block) in scanned.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| &scanned[before]);
            let neighbours = (before, scanned.get(index + 1));
            push_block(
                &mut topology,
                decoder,
                skip,
                Place {
                    block: index,
                    expert: None,
                    mode,
                },
                block,
                neighbours,
            );
        }
    }
    Ok(topology)
}

/// Link statistics of a matrix outside the blocks, such as `token_embd.weight`; `None` where the model has none of that name.
pub fn tensor_links<W: Weights + ?Sized>(weights: &W, tensor: &str) -> Result<Option<TensorLinks>, ReadError> {
    let Some(shape) = weights.shape(tensor) else {
        return Ok(None);
    };
    let slab = super::weights::Slab {
        tensor: tensor.to_owned(),
        rows: 0..shape.rows,
    };
    let scan = scan(weights, &slab, shape.columns, &Gains::default(), None)?;
    Ok(Some(TensorLinks {
        block: None,
        expert: None,
        tensor: tensor.trim_end_matches(".weight").to_owned(),
        summary: scan.links,
        histogram: scan.histogram,
    }))
}

fn scan_block<W: Weights + ?Sized>(
    weights: &W,
    index: usize,
    block: &Block,
    links: &mut Vec<TensorLinks>,
) -> Result<Scanned, ReadError> {
    let mut scan_one = |name: &str, projection: &Projection, gains: &Gains, expert: Option<usize>| {
        let bias = match &projection.bias {
            Some(name) => vector(weights, name)?,
            None => None,
        };
        let bias = bias.as_ref().map(|bias| &bias[projection.slab.rows.clone()]);
        let scan = scan(weights, &projection.slab, projection.columns, gains, bias)?;
        links.push(TensorLinks {
            block: Some(index),
            expert,
            tensor: name.to_owned(),
            summary: scan.links.clone(),
            histogram: scan.histogram.clone(),
        });
        Ok(scan)
    };
    let attention = match &block.attention {
        None => None,
        Some(attention) => {
            let Attention { norm, post_norm, .. } = attention;
            let (before, after) = (before(weights, norm.as_deref())?, after(weights, post_norm.as_deref())?);
            Some(AttentionScans {
                query: scan_one("attn_q", &attention.query, &before, None)?,
                key: scan_one("attn_k", &attention.key, &before, None)?,
                value: scan_one("attn_v", &attention.value, &before, None)?,
                output: scan_one("attn_output", &attention.output, &after, None)?,
                width: attention.width,
            })
        }
    };
    let (mut experts, mut router) = (Vec::new(), None);
    if let Some(feed_forward) = &block.feed_forward {
        let FeedForward { norm, post_norm, .. } = feed_forward;
        let (before, after) = (before(weights, norm.as_deref())?, after(weights, post_norm.as_deref())?);
        let several = feed_forward.experts.len() > 1;
        for (number, expert) in feed_forward.experts.iter().enumerate() {
            let number = several.then_some(number);
            let gate = expert.gate.as_ref();
            experts.push(ExpertScans {
                up: scan_one("ffn_up", &expert.up, &before, number)?,
                gate: gate
                    .map(|gate| scan_one("ffn_gate", gate, &before, number))
                    .transpose()?,
                down: scan_one("ffn_down", &expert.down, &after, number)?,
            });
        }
        if let Some(projection) = &feed_forward.router {
            router = Some(scan_one("ffn_gate_inp", projection, &before, None)?);
        }
    }
    Ok(Scanned {
        attention,
        experts,
        router,
    })
}

/// The norm before a matrix scales what it reads, and LayerNorm's bias adds to what arrives.
fn before<W: Weights + ?Sized>(weights: &W, norm: Option<&str>) -> Result<Gains, ReadError> {
    let Some(norm) = norm else {
        return Ok(Gains::default());
    };
    Ok(Gains {
        columns: vector(weights, &format!("{norm}.weight"))?,
        shift: vector(weights, &format!("{norm}.bias"))?,
        rows: None,
    })
}

/// A norm after a matrix (Gemma) scales what it writes.
fn after<W: Weights + ?Sized>(weights: &W, norm: Option<&str>) -> Result<Gains, ReadError> {
    let rows = match norm {
        Some(norm) => vector(weights, &format!("{norm}.weight"))?,
        None => None,
    };
    Ok(Gains {
        rows,
        ..Gains::default()
    })
}

fn sides(scan: &Scan, mode: Mode) -> &Sides {
    match mode {
        Mode::Raw => &scan.raw,
        Mode::Folded => &scan.folded,
    }
}

/// Sums of vectors of one length; `None` of none.
fn total<'a>(vectors: impl IntoIterator<Item = &'a Vec<f64>>) -> Option<Vec<f64>> {
    let mut vectors = vectors.into_iter();
    let first = vectors.next()?.clone();
    Some(vectors.fold(first, |total, more| sum(&total, more)))
}

fn sum(one: &[f64], other: &[f64]) -> Vec<f64> {
    one.iter().zip(other).map(|(one, other)| one + other).collect()
}

impl Scanned {
    /// What the FFN reads from the stream: up and gate of all experts. The router chooses, and carries no signal.
    fn read_by_ffn(&self, mode: Mode) -> Option<Vec<f64>> {
        let matrices = self
            .experts
            .iter()
            .flat_map(|expert| [Some(&expert.up), expert.gate.as_ref()]);
        total(matrices.flatten().map(|scan| &sides(scan, mode).outgoing))
    }

    fn read_by_attention(&self, mode: Mode) -> Option<Vec<f64>> {
        let attention = self.attention.as_ref()?;
        total([&attention.query, &attention.key, &attention.value].map(|scan| &sides(scan, mode).outgoing))
    }

    fn written_by_ffn(&self, mode: Mode) -> Option<Vec<f64>> {
        total(self.experts.iter().map(|expert| &sides(&expert.down, mode).incoming))
    }

    fn written_by_attention(&self, mode: Mode) -> Option<Vec<f64>> {
        self.attention
            .as_ref()
            .map(|attention| sides(&attention.output, mode).incoming.clone())
    }

    /// What reads the stream that enters the block.
    fn read(&self, mode: Mode, wiring: Wiring) -> Option<Vec<f64>> {
        let both = match wiring {
            Wiring::Sequential => [self.read_by_attention(mode), None],
            Wiring::Parallel => [self.read_by_attention(mode), self.read_by_ffn(mode)],
        };
        total(both.iter().flatten())
    }

    /// What writes the stream that leaves it.
    fn written(&self, mode: Mode, wiring: Wiring) -> Option<Vec<f64>> {
        let both = match wiring {
            Wiring::Sequential => [self.written_by_ffn(mode), None],
            Wiring::Parallel => [self.written_by_ffn(mode), self.written_by_attention(mode)],
        };
        total(both.iter().flatten())
    }
}

fn push_block(
    topology: &mut Topology,
    decoder: &Decoder,
    skip: Skip,
    at: Place,
    block: &Scanned,
    (previous, next): (Option<&Scanned>, Option<&Scanned>),
) {
    let (mode, wiring) = (at.mode, decoder.wiring);
    let stream = |values: Option<Vec<f64>>| match skip {
        Skip::Left => values,
        Skip::Counted => values.map(|values| values.iter().map(|value| value + 1.0).collect()),
    };
    let arriving = previous.and_then(|previous| previous.written(mode, wiring));
    topology.push_both(at, Set::ResidIn, stream(arriving), stream(block.read(mode, wiring)));
    if let Some(attention) = &block.attention {
        push_attention(topology, decoder, at, attention);
    }
    if wiring == Wiring::Sequential {
        let (arriving, leaving) = (block.written_by_attention(mode), block.read_by_ffn(mode));
        topology.push_both(at, Set::ResidMid, stream(arriving), stream(leaving));
    }
    for (number, expert) in block.experts.iter().enumerate() {
        let expert_number = (block.experts.len() > 1).then_some(number);
        push_expert(
            topology,
            Place {
                expert: expert_number,
                ..at
            },
            expert,
        );
    }
    if let Some(router) = &block.router {
        topology.push(at, Set::Router, Measure::In, sides(router, mode).incoming.clone());
    }
    let leaving = next.and_then(|next| next.read(mode, wiring));
    topology.push_both(at, Set::ResidOut, stream(block.written(mode, wiring)), stream(leaving));
}

fn push_attention(topology: &mut Topology, decoder: &Decoder, at: Place, attention: &AttentionScans) {
    let side = |scan| sides(scan, at.mode);
    let matrices = [
        (Measure::OutQ, &attention.query),
        (Measure::OutK, &attention.key),
        (Measure::OutV, &attention.value),
    ];
    for (measure, scan) in matrices {
        topology.push(at, Set::ResidIn, measure, side(scan).outgoing.clone());
    }
    topology.push(at, Set::QNode, Measure::In, side(&attention.query).incoming.clone());
    topology.push(at, Set::KNode, Measure::In, side(&attention.key).incoming.clone());
    let (values, heads) = (&side(&attention.value).incoming, &side(&attention.output).outgoing);
    let (width, group) = (attention.width, decoder.heads.query / decoder.heads.key_value);
    // Query head h reads the value head h / group.
    let value_of = |channel: usize| channel / width / group * width + channel % width;
    let mut leaving = vec![0.0; values.len()];
    for (channel, out) in heads.iter().enumerate() {
        leaving[value_of(channel)] += out;
    }
    topology.push_both(at, Set::VNode, Some(values.clone()), Some(leaving));
    let arriving = (0..heads.len()).map(|channel| values[value_of(channel)]).collect();
    topology.push_both(at, Set::AttnChannel, Some(arriving), Some(heads.clone()));
}

fn push_expert(topology: &mut Topology, at: Place, expert: &ExpertScans) {
    let side = |scan| sides(scan, at.mode);
    let (up, down) = (side(&expert.up), side(&expert.down));
    let gate = expert.gate.as_ref().map(side);
    let arriving = gate.map_or_else(|| up.incoming.clone(), |gate| sum(&up.incoming, &gate.incoming));
    topology.push_both(at, Set::FfnNeuron, Some(arriving), Some(down.outgoing.clone()));
    topology.push(at, Set::FfnNeuron, Measure::InUp, up.incoming.clone());
    topology.push(at, Set::FfnNeuron, Measure::DisparityInUp, up.disparity_in.clone());
    if let Some(gate) = gate {
        topology.push(at, Set::FfnNeuron, Measure::InGate, gate.incoming.clone());
        topology.push(at, Set::FfnNeuron, Measure::DisparityInGate, gate.disparity_in.clone());
    }
    topology.push(at, Set::FfnNeuron, Measure::DisparityOut, down.disparity_out.clone());
}
