//! The sampled network: the weights between sampled neighbours, read once for all repetitions.

use rayon::prelude::*;
use serde::Serialize;

use super::{
    config::{Config, GatedMlp, Measure},
    error::EmergenceError,
    lengths::Lengths,
    network::{LayerEdges, forward_paths},
    plan::{Nodes, Plan, Wiring, value_row},
    shape::{Projection, Shape},
    weights::{ReadError, Weights},
};

/// The place of source nodes in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// X: the block's input, leading to queries, keys and values.
    BlockInput,
    /// O: the attention's output before its projection, leading to the residual stream.
    AttentionOutput,
    /// M: the MLP's input, leading to gate and up.
    MlpInput,
    /// F: the MLP's hidden units, leading to the next block's input.
    MlpHidden,
}

impl Group {
    /// All groups, in the order of a block.
    pub const ALL: [Self; 4] = [Self::BlockInput, Self::AttentionOutput, Self::MlpInput, Self::MlpHidden];

    /// A short name for tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::BlockInput => "block input",
            Self::AttentionOutput => "attention output",
            Self::MlpInput => "MLP input",
            Self::MlpHidden => "MLP hidden",
        }
    }
}

/// The weights from the sampled nodes of one group to the sampled nodes that they lead to.
#[derive(Clone, Debug, PartialEq)]
pub struct SampledMatrix {
    block: usize,
    group: Group,
    /// How many targets each part (query, key, value; gate, up) gives.
    parts: Vec<usize>,
    /// `sources × targets`, source by source. In f64, for what is computed from them; files give f32.
    weights: Vec<f64>,
}

impl SampledMatrix {
    /// A matrix from its weights, source by source; `None` where they do not fill whole sources. `parts` are the numbers of targets per part.
    pub fn new(block: usize, group: Group, parts: Vec<usize>, weights: Vec<f64>) -> Option<Self> {
        let targets: usize = parts.iter().sum();
        let whole = targets > 0 && weights.len().is_multiple_of(targets);
        whole.then_some(Self {
            block,
            group,
            parts,
            weights,
        })
    }

    /// The block.
    pub fn block(&self) -> usize {
        self.block
    }

    /// The place in the block.
    pub fn group(&self) -> Group {
        self.group
    }

    /// How many targets each source has.
    pub fn targets(&self) -> usize {
        self.parts.iter().sum()
    }

    /// The weights of each source: `targets` each.
    pub fn sources(&self) -> std::slice::ChunksExact<'_, f64> {
        self.weights.chunks_exact(self.targets())
    }

    /// All weights, source by source.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The same places with other weights.
    pub(super) fn with_weights(&self, weights: Vec<f64>) -> Self {
        Self {
            weights,
            parts: self.parts.clone(),
            ..*self
        }
    }

    /// Edges of the chain: parallel projections to the same units keep the shorter edge.
    fn edges(&self, measure: &Measure, factor: f64) -> LayerEdges {
        let targets = self.parts.first().copied().unwrap_or(0);
        let part = |nth: usize| -> LayerEdges {
            let place = nth * targets..(nth + 1) * targets;
            let weights: Vec<f64> = self
                .sources()
                .flat_map(|row| row[place.clone()].iter().copied())
                .collect();
            LayerEdges::of_weights(measure, factor, targets, &weights)
        };
        (1..self.parts.len()).fold(part(0), |edges, nth| edges.shorter(&part(nth)))
    }
}

/// The sampled network of one repetition.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Block by block: block input, attention output, MLP input, hidden units (one matrix per expert).
    pub matrices: Vec<SampledMatrix>,
}

impl Sample {
    /// The root mean square of all weights that are numbers, zeros included.
    pub fn rms(&self) -> f64 {
        let (mut squares, mut count) = (0.0, 0_u64);
        for matrix in &self.matrices {
            for weight in matrix.weights.iter().filter(|weight| weight.is_finite()) {
                squares += weight * weight;
                count += 1;
            }
        }
        if count == 0 {
            0.0
        } else {
            (squares / count as f64).sqrt()
        }
    }

    /// The lengths of every matrix's sources, weights multiplied by `factor`.
    pub(super) fn lengths(&self, config: &Config, factor: f64) -> Vec<Lengths> {
        let measure = &config.measure;
        match Wiring::from(config.hops) {
            Wiring::Direct => {
                let direct = |matrix: &SampledMatrix| Lengths::of_weights(measure, factor, matrix.sources());
                self.matrices.par_iter().map(direct).collect()
            }
            Wiring::Chain => {
                let edges: Vec<LayerEdges> = self
                    .matrices
                    .par_iter()
                    .map(|matrix| matrix.edges(measure, factor))
                    .collect();
                let paths = |layer: usize| forward_paths(&edges, layer, config.hops.count(), measure);
                (0..edges.len()).into_par_iter().map(paths).collect()
            }
        }
    }
}

/// Reads the sampled networks of all repetitions of `plan`. Every row is read once, by whichever core is free.
pub fn sample(weights: &dyn Weights, plan: &Plan, config: &Config) -> Result<Vec<Sample>, EmergenceError> {
    let shape = weights.shape();
    let wiring = Wiring::from(config.hops);
    check_chain(shape, wiring)?;
    let pieces: Vec<Piece> = (0..shape.blocks().len())
        .flat_map(|block| pieces(shape, block, wiring, config))
        .collect();
    let read: Vec<Vec<Vec<f64>>> = pieces
        .par_iter()
        .map(|piece| piece.read(weights, &plan.repetitions))
        .collect::<Result<_, ReadError>>()?;
    let assembled = (0..plan.repetitions.len()).into_par_iter().map(|repetition| {
        let parts = pieces
            .iter()
            .zip(&read)
            .map(|(piece, read)| (piece, read[repetition].as_slice()));
        Sample {
            matrices: assemble(parts, &plan.repetitions[repetition]),
        }
    });
    Ok(assembled.collect())
}

fn check_chain(shape: &Shape, wiring: Wiring) -> Result<(), EmergenceError> {
    if wiring == Wiring::Direct {
        return Ok(());
    }
    for (nth, block) in shape.blocks().iter().enumerate() {
        if block.experts() > 1 {
            return Err(EmergenceError::PathsThroughExperts { block: nth });
        }
        if value_row(block, 0).is_none() {
            return Err(EmergenceError::UnknownHeads { block: nth });
        }
    }
    Ok(())
}

/// One linear map's part of the sampled network.
struct Piece<'a> {
    shape: &'a Shape,
    block: usize,
    group: Group,
    projection: Projection,
    wiring: Wiring,
}

fn pieces<'a>(
    shape: &'a Shape,
    block: usize,
    wiring: Wiring,
    config: &Config,
) -> impl Iterator<Item = Piece<'a>> + use<'a> {
    group_maps(shape, block, config.gated)
        .into_iter()
        .filter(move |(_, projection)| {
            wiring == Wiring::Direct || !matches!(projection, Projection::Query | Projection::Key)
        })
        .map(move |(group, projection)| Piece {
            shape,
            block,
            group,
            projection,
            wiring,
        })
}

/// The maps that each group's edges run through, in order.
pub(super) fn group_maps(shape: &Shape, block: usize, gated: GatedMlp) -> Vec<(Group, Projection)> {
    let of = &shape.blocks()[block];
    let mut maps: Vec<(Group, Projection)> = [Projection::Query, Projection::Key, Projection::Value]
        .map(|map| (Group::BlockInput, map))
        .to_vec();
    maps.push((Group::AttentionOutput, Projection::Output));
    for expert in 0..of.experts() {
        if of.is_gated() && gated == GatedMlp::GateAndUp {
            maps.push((Group::MlpInput, Projection::Gate(expert)));
        }
        maps.push((Group::MlpInput, Projection::Up(expert)));
    }
    maps.extend((0..of.experts()).map(|expert| (Group::MlpHidden, Projection::Down(expert))));
    maps
}

impl Piece<'_> {
    /// The sampled rows and columns of the map.
    fn places<'n>(&self, nodes: &'n Nodes) -> (Vec<usize>, &'n [usize]) {
        let own = &nodes.blocks[self.block];
        match self.projection {
            Projection::Query => (own.query.clone(), &own.input),
            Projection::Value if self.wiring == Wiring::Chain => {
                let block = &self.shape.blocks()[self.block];
                let rows = own
                    .output
                    .iter()
                    .map(|column| value_row(block, *column).unwrap_or(*column));
                (rows.collect(), &own.input)
            }
            Projection::Key | Projection::Value => (own.key_value.clone(), &own.input),
            Projection::Output => (own.mlp.clone(), &own.output),
            Projection::Gate(expert) | Projection::Up(expert) => (own.hidden[expert].clone(), &own.mlp),
            Projection::Down(expert) => (nodes.after(self.block).to_vec(), &own.hidden[expert]),
        }
    }

    /// The sampled weights per repetition, row by row: `rows × columns`.
    fn read(&self, weights: &dyn Weights, repetitions: &[Nodes]) -> Result<Vec<Vec<f64>>, ReadError> {
        let places: Vec<(Vec<usize>, &[usize])> = repetitions.iter().map(|nodes| self.places(nodes)).collect();
        // Where each row of the map goes: (row, repetition, place in the repetition).
        let mut wanted: Vec<(usize, usize, usize)> = Vec::new();
        for (repetition, (rows, _)) in places.iter().enumerate() {
            wanted.extend(rows.iter().enumerate().map(|(place, row)| (*row, repetition, place)));
        }
        wanted.sort_unstable();
        let mut rows: Vec<usize> = wanted.iter().map(|(row, ..)| *row).collect();
        rows.dedup();
        let mut picked: Vec<Vec<f64>> = places
            .iter()
            .map(|(rows, columns)| vec![0.0; rows.len() * columns.len()])
            .collect();
        let mut next = 0;
        weights.visit_rows(self.block, self.projection, &rows, &mut |row, values| {
            while let Some(&(of, repetition, place)) = wanted.get(next)
                && of == row
            {
                let columns = places[repetition].1;
                let into = &mut picked[repetition][place * columns.len()..(place + 1) * columns.len()];
                for (weight, column) in into.iter_mut().zip(columns) {
                    *weight = f64::from(values[*column]);
                }
                next += 1;
            }
        })?;
        Ok(picked)
    }
}

/// Turns the pieces of one repetition into matrices with the sources first.
fn assemble<'a>(parts: impl Iterator<Item = (&'a Piece<'a>, &'a [f64])>, nodes: &Nodes) -> Vec<SampledMatrix> {
    let mut matrices: Vec<(SampledMatrix, usize)> = Vec::new();
    let mut blocks: Vec<Vec<f64>> = Vec::new();
    let finish = |(mut matrix, sources): (SampledMatrix, usize), blocks: &[Vec<f64>]| {
        for source in 0..sources {
            for rows in blocks {
                matrix.weights.extend(rows.iter().skip(source).step_by(sources));
            }
        }
        matrix
    };
    let mut done = Vec::new();
    for (piece, rows) in parts {
        let (targets, columns) = piece.places(nodes);
        // Each expert's hidden units are a group of their own; all other maps of a group lead from the same sources.
        let joins = matrices.last().is_some_and(|(last, _)| {
            last.block == piece.block && last.group == piece.group && piece.group != Group::MlpHidden
        });
        if !joins {
            done.extend(matrices.pop().map(|last| finish(last, &std::mem::take(&mut blocks))));
            let matrix = SampledMatrix {
                block: piece.block,
                group: piece.group,
                parts: Vec::new(),
                weights: Vec::new(),
            };
            matrices.push((matrix, columns.len()));
        }
        if let Some((matrix, _)) = matrices.last_mut() {
            matrix.parts.push(targets.len());
        }
        blocks.push(rows.to_vec());
    }
    done.extend(matrices.pop().map(|last| finish(last, &blocks)));
    done
}
