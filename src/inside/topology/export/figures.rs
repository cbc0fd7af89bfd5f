//! The figures of a measurement.

use serde::Serialize;

use super::Comparison;
use crate::inside::topology::compare::{NODE_BINS, divergence_matrix};
use crate::inside::topology::divergence::{jeffreys, jensen_shannon};
use crate::inside::topology::figure::{Curve, Titles, curves, heat_map};
use crate::inside::topology::measure::{ModelMeasurement, NetworkMeasurement};
use crate::inside::topology::profile::ProfileRow;
use crate::inside::topology::samples::{DENSITY_SAMPLE, LINKS, Sample, thinned};
use crate::inside::topology::sets::{Measure, Mode, Set};
use crate::inside::topology::summary::Summary;

type Figures = Vec<(&'static str, Option<String>)>;

/// Blocks of which a figure of densities has curves.
const SHOWN: usize = 6;

/// Blocks spread evenly from first to last.
fn spread(blocks: usize) -> Vec<usize> {
    let shown = if blocks < SHOWN { blocks } else { SHOWN };
    let last = blocks.saturating_sub(1);
    let mut chosen: Vec<usize> = (0..shown)
        .map(|nth| nth * last / (if shown > 1 { shown - 1 } else { 1 }))
        .collect();
    chosen.dedup();
    chosen
}

/// Jensen-Shannon divergence in bits between the strengths of FFN units of every two blocks, norms folded in.
pub(super) fn block_divergences(measured: &ModelMeasurement) -> Vec<Vec<f64>> {
    let topology = &measured.topology;
    let strengths = |block| topology.values(block, Set::FfnNeuron, Measure::Strength, Mode::Folded);
    // Blocks without units (or with several experts') have no row of their own, but keep their place.
    let all: Vec<&[f64]> = (0..measured.decoder.blocks.len())
        .map(|block| strengths(block).unwrap_or_default())
        .collect();
    divergence_matrix(&all, NODE_BINS)
}

#[expect(clippy::too_many_lines, reason = "one figure after the other")]
pub(super) fn of_model(measured: &ModelMeasurement, divergences: &[Vec<f64>]) -> Figures {
    let blocks = measured.decoder.blocks.len();
    let topology = &measured.topology;
    let folded = |set| {
        let rows = measured.profile.iter();
        rows.filter(move |row: &&ProfileRow| row.set == set && row.mode == Mode::Folded)
    };
    let over_depth = |of: fn(&ProfileRow) -> f64| -> Vec<Curve> {
        let sets = [Set::FfnNeuron, Set::AttnChannel, Set::ResidMid];
        sets.iter()
            .map(|&set| Curve {
                name: set.name().to_owned(),
                points: folded(set).map(|row| (row.block as f64, of(row))).collect(),
            })
            .collect()
    };
    let strengths = |block| topology.values(block, Set::FfnNeuron, Measure::Strength, Mode::Folded);
    let densities: Vec<Curve> = spread(blocks)
        .into_iter()
        .filter_map(|block| Curve::of_sample(format!("block {block}"), &thinned(strengths(block)?, DENSITY_SAMPLE, 0)))
        .collect();
    let of_links = |tensor: &str| -> Vec<Curve> {
        let shown = spread(blocks);
        let rows = topology
            .links
            .iter()
            .filter(|links| links.tensor == tensor && links.expert.is_none_or(|expert| expert == 0));
        rows.filter(|links| links.block.is_some_and(|block| shown.contains(&block)))
            .map(|links| Curve::of_histogram(format!("block {}", links.block.unwrap_or(0)), &links.histogram))
            .collect()
    };
    let names: Vec<String> = (0..divergences.len()).map(|block| block.to_string()).collect();
    let title = |title, x, y| Titles { title, x, y };
    let mut figures = vec![
        (
            "fluctuation",
            curves(
                title("Layer fluctuation, norms folded in", "block", "F"),
                &over_depth(|row| row.fluctuation),
            ),
        ),
        (
            "fluctuation_per_link",
            curves(
                title(
                    "Layer fluctuation per link, norms folded in",
                    "block",
                    "F / sqrt(fan in + fan out)",
                ),
                &over_depth(|row| row.per_link),
            ),
        ),
        (
            "ffn_strength",
            curves(
                title("Strength of FFN units, norms folded in", "strength", "density"),
                &densities,
            ),
        ),
        (
            "ffn_down_links",
            curves(title("Weights of ffn_down", "weight", "density"), &of_links("ffn_down")),
        ),
        (
            "ffn_strength_divergence",
            heat_map(
                title(
                    "Jensen-Shannon divergence (bits) between blocks' FFN strengths",
                    "block",
                    "block",
                ),
                &names,
                divergences,
            ),
        ),
    ];
    if measured.read.is_some() {
        let dynamic = |metric: &str, set: &str, of: fn(&crate::inside::topology::FlowRow) -> f64| {
            let rows = measured.record.dynamic.iter();
            Curve {
                name: set.to_owned(),
                points: rows
                    .filter(|row| row.metric == metric && row.set == set)
                    .map(|row| (row.block as f64, of(row)))
                    .collect(),
            }
        };
        let sets = ["ffn_neuron", "attn_channel"];
        figures.push((
            "activation",
            curves(
                title("Mean size of activations over the text", "block", "E|a|"),
                &sets.map(|set| dynamic("activation", set, |row| row.abs_mean)),
            ),
        ));
        figures.push((
            "neuron_fluctuation",
            curves(
                title(
                    "Neuron fluctuation over the text (reconstruction)",
                    "block",
                    "std of E S over nodes",
                ),
                &sets.map(|set| dynamic("neuron_strength", set, |row| row.std)),
            ),
        ));
    }
    figures
}

/// How far apart two layers of one network are.
#[derive(Debug, Serialize)]
pub(super) struct LayerDivergence {
    what: String,
    layer_a: usize,
    layer_b: usize,
    /// The papers' divergence, as an integral in nats.
    jeffreys: Option<f64>,
    jensen_shannon_bits: Option<f64>,
}

/// The distributions that layers of a network are compared by.
fn layered(samples: &[Sample]) -> [(&'static str, Vec<&Sample>); 2] {
    let links = samples
        .iter()
        .filter(|sample| sample.set == LINKS && !sample.measure.contains("bias"));
    let strengths = samples
        .iter()
        .filter(|sample| ["layer", "hidden"].contains(&sample.set) && sample.measure == "strength");
    [("links", links.collect()), ("strength", strengths.collect())]
}

/// Every layer against every other (an autoencoder's mirror images among them).
pub(super) fn layer_divergences(samples: &[Sample], seed: u64) -> Vec<LayerDivergence> {
    let mut found = Vec::new();
    for (what, layers) in layered(samples) {
        for (a, one) in layers.iter().enumerate() {
            for (b, other) in layers.iter().enumerate() {
                let (x, y) = (
                    thinned(&one.values, DENSITY_SAMPLE, seed),
                    thinned(&other.values, DENSITY_SAMPLE, seed),
                );
                found.push(LayerDivergence {
                    what: what.to_owned(),
                    layer_a: a,
                    layer_b: b,
                    jeffreys: jeffreys(&x, &y).map(|jeffreys| jeffreys.integral),
                    jensen_shannon_bits: jensen_shannon(&one.values, &other.values, NODE_BINS),
                });
            }
        }
    }
    found
}

pub(super) fn of_network(measured: &NetworkMeasurement, divergences: &[LayerDivergence], seed: u64) -> Figures {
    let [(_, links), (_, strengths)] = layered(&measured.samples);
    let densities = |layers: &[&Sample], word: &str| -> Vec<Curve> {
        let curve = |(nth, sample): (usize, &&Sample)| {
            let name = if sample.block == 0 && sample.set == LINKS {
                sample.measure.to_owned()
            } else {
                format!("{word} {}", if sample.set == LINKS { sample.block } else { nth })
            };
            Curve::of_sample(name, &thinned(&sample.values, DENSITY_SAMPLE, seed))
        };
        layers.iter().enumerate().filter_map(curve).collect()
    };
    let fluctuation = strengths
        .iter()
        .filter_map(|sample| Summary::of(&sample.values))
        .map(|summary| summary.std);
    let map = |what: &str, layers: usize| -> Vec<Vec<f64>> {
        let rows = divergences.iter().filter(|row| row.what == what);
        let cells: Vec<f64> = rows.map(|row| row.jeffreys.unwrap_or(f64::NAN)).collect();
        if layers == 0 {
            Vec::new()
        } else {
            cells.chunks(layers).map(<[f64]>::to_vec).collect()
        }
    };
    let names = |layers: usize, first: usize| {
        (first..first + layers)
            .map(|layer| layer.to_string())
            .collect::<Vec<_>>()
    };
    let title = |title, x, y| Titles { title, x, y };
    vec![
        (
            "links",
            curves(title("Link weights", "weight", "density"), &densities(&links, "layer")),
        ),
        (
            "strength",
            curves(
                title("Node strength", "strength", "density"),
                &densities(&strengths, "layer"),
            ),
        ),
        (
            "fluctuation",
            curves(
                title("Layer fluctuation", "layer of nodes", "F"),
                &[Curve::over_depth("F", fluctuation)],
            ),
        ),
        (
            "links_divergence",
            heat_map(
                title("Jeffreys divergence (nats) between layers' weights", "layer", "layer"),
                &names(links.len(), 1),
                &map("links", links.len()),
            ),
        ),
        (
            "strength_divergence",
            heat_map(
                title(
                    "Jeffreys divergence (nats) between layers' strengths",
                    "layer of nodes",
                    "layer of nodes",
                ),
                &names(strengths.len(), 0),
                &map("strength", strengths.len()),
            ),
        ),
    ]
}

pub(super) fn of_comparison(comparison: &Comparison) -> Figures {
    let sets = [Set::FfnNeuron, Set::AttnChannel, Set::ResidMid];
    let profile = |file: &str, rows: &[ProfileRow]| -> Vec<Curve> {
        let last = rows.iter().map(|row| row.block).max().unwrap_or(0);
        let depth = |block: usize| if last > 0 { block as f64 / last as f64 } else { 0.0 };
        let curve = |set: Set| {
            let rows = rows.iter().filter(|row| row.set == set && row.mode == Mode::Folded);
            Curve {
                name: format!("{file}: {}", set.name()),
                points: rows.map(|row| (depth(row.block), row.per_link)).collect(),
            }
        };
        sets.map(curve).into()
    };
    let both = [
        profile(&format!("a {}", comparison.a.file), &comparison.profile_a),
        profile(&format!("b {}", comparison.b.file), &comparison.profile_b),
    ];
    let strengths: Vec<Curve> = sets
        .iter()
        .map(|&set| {
            let rows = comparison.nodes.iter();
            let rows = rows.filter(|row| (row.set, row.measure, row.mode) == (set, Measure::Strength, Mode::Folded));
            Curve {
                name: set.name().to_owned(),
                points: rows
                    .map(|row| (row.block as f64, row.difference.jensen_shannon_bits))
                    .collect(),
            }
        })
        .collect();
    let tensors = [
        "attn_q",
        "attn_k",
        "attn_v",
        "attn_output",
        "ffn_up",
        "ffn_gate",
        "ffn_down",
    ];
    let links = tensors.map(|tensor| {
        let rows = comparison
            .links
            .iter()
            .filter(|row| row.tensor == tensor && row.expert.is_none_or(|expert| expert == 0));
        Curve {
            name: tensor.to_owned(),
            points: rows.map(|row| (row.block as f64, row.jensen_shannon_bits)).collect(),
        }
    });
    let titles = |title, x, y| Titles { title, x, y };
    vec![
        (
            "fluctuation_per_link",
            curves(
                titles(
                    "Layer fluctuation per link, norms folded in",
                    "share of the depth",
                    "F / sqrt(fan in + fan out)",
                ),
                &both.concat(),
            ),
        ),
        (
            "strength_divergence",
            curves(
                titles(
                    "Divergence of strengths, norms folded in",
                    "block of a",
                    "Jensen-Shannon, bits",
                ),
                &strengths,
            ),
        ),
        (
            "links_divergence",
            curves(
                titles("Divergence of weights", "block of a", "Jensen-Shannon, bits"),
                &links,
            ),
        ),
    ]
}
