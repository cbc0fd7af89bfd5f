//! Strengths on a scale that models of different widths share (specification section 2.3).

use serde::Serialize;

use super::decoder::{Block, Decoder};
use super::sets::{Measure, Mode, Set, Topology};
use super::summary::Summary;

/// Fluctuation of one set of nodes of one block, as it is and beside what its width alone would give.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProfileRow {
    /// The block, from 0.
    pub block: usize,
    /// The nodes: `ffn_neuron`, `attn_channel` or `resid_mid`.
    pub set: Set,
    /// Raw or folded.
    pub mode: Mode,
    /// Nodes.
    pub n: u64,
    /// Links that arrive at a node.
    pub fan_in: usize,
    /// Links that leave it.
    pub fan_out: usize,
    /// Mean strength.
    pub mean: f64,
    /// Standard deviation of the in-strengths.
    pub in_std: f64,
    /// Standard deviation of the out-strengths.
    pub out_std: f64,
    /// Layer fluctuation F: standard deviation of the strengths.
    pub fluctuation: f64,
    /// `F / sqrt(fan_in + fan_out)`: for independent weights, their standard deviation.
    pub per_link: f64,
    /// `in_std^2 / (fan_in tau^2)` with tau the stored weights' standard deviation: 1 for independent weights, more where the links of a node share a
    /// sign. Raw alone: a norm's gains change the weights' spread.
    pub in_index: Option<f64>,
    /// The same of the links that leave.
    pub out_index: Option<f64>,
}

const SETS: [Set; 3] = [Set::FfnNeuron, Set::AttnChannel, Set::ResidMid];

/// Rows for every block, set and mode. Of blocks with experts, the residual stream and attention alone: experts have rows of their own in the record.
#[must_use]
pub fn profile(topology: &Topology, decoder: &Decoder) -> Vec<ProfileRow> {
    let mut rows = Vec::new();
    for mode in [Mode::Folded, Mode::Raw] {
        for (number, block) in decoder.blocks.iter().enumerate() {
            rows.extend(
                SETS.into_iter()
                    .filter_map(|set| row(topology, number, block, set, mode)),
            );
        }
    }
    rows
}

fn row(topology: &Topology, number: usize, block: &Block, set: Set, mode: Mode) -> Option<ProfileRow> {
    let (arriving, leaving) = links(block, set)?;
    let summary = |measure| Summary::of(topology.values(number, set, measure, mode)?);
    let strength = summary(Measure::Strength)?;
    let (in_std, out_std) = (summary(Measure::In)?.std, summary(Measure::Out)?.std);
    let fan = |links: &[Links]| links.iter().map(|links| links.fan).sum::<usize>();
    let (fan_in, fan_out) = (fan(&arriving), fan(&leaving));
    let index = |links: &[Links], std: f64| {
        let variances = links
            .iter()
            .map(|links| Some(links.fan as f64 * tau(topology, number, links.tensor)?.powi(2)));
        let expected: f64 = variances.sum::<Option<f64>>()?;
        (mode == Mode::Raw && expected > 0.0).then(|| std * std / expected)
    };
    Some(ProfileRow {
        block: number,
        set,
        mode,
        n: strength.n,
        fan_in,
        fan_out,
        mean: strength.mean,
        in_std,
        out_std,
        fluctuation: strength.std,
        per_link: strength.std / ((fan_in + fan_out) as f64).sqrt(),
        in_index: index(&arriving, in_std),
        out_index: index(&leaving, out_std),
    })
}

/// Links of one matrix at a node.
struct Links {
    tensor: &'static str,
    fan: usize,
}

/// What arrives at a node of a set, and what leaves it; `None` where the block has no such links, or one kind per expert.
fn links(block: &Block, set: Set) -> Option<(Vec<Links>, Vec<Links>)> {
    let of = |tensor, fan| Links { tensor, fan };
    let attention = block.attention.as_ref();
    let expert = match block
        .feed_forward
        .as_ref()
        .map(|feed_forward| &feed_forward.experts[..])
    {
        Some([expert]) => Some(expert),
        _ => None,
    };
    match set {
        Set::FfnNeuron => {
            let expert = expert?;
            let gate = expert.gate.as_ref().map(|gate| of("ffn_gate", gate.columns));
            let arriving = std::iter::once(of("ffn_up", expert.up.columns)).chain(gate);
            Some((arriving.collect(), vec![of("ffn_down", expert.down.slab.rows.len())]))
        }
        Set::AttnChannel => {
            let attention = attention?;
            let (value, output) = (attention.value.columns, attention.output.slab.rows.len());
            Some((vec![of("attn_v", value)], vec![of("attn_output", output)]))
        }
        Set::ResidMid => {
            let (attention, expert) = (attention?, expert?);
            let gate = expert.gate.as_ref().map(|gate| of("ffn_gate", gate.slab.rows.len()));
            let leaving = std::iter::once(of("ffn_up", expert.up.slab.rows.len())).chain(gate);
            Some((vec![of("attn_output", attention.output.columns)], leaving.collect()))
        }
        _ => None,
    }
}

fn tau(topology: &Topology, block: usize, tensor: &str) -> Option<f64> {
    let wanted = topology
        .links
        .iter()
        .find(|links| links.block == Some(block) && links.tensor == tensor);
    wanted.map(|links| links.summary.std)
}
