//! Two models or checkpoints side by side: divergences and two-sample tests per matrix and per set of nodes (specification section 6.4).

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use thiserror::Error;

use super::decoder::{Block, Decoder, Projection};
use super::divergence::{between_counts, jensen_shannon, jensen_shannon_noise, steps};
use super::histogram::Histogram;
use super::scan::in_order;
use super::strengths::{Measure, Mode, NodeValues, Set, Topology};
use super::summary::Summary;
use super::two_sample::{brown_forsythe, kolmogorov_smirnov};
use super::weights::{ReadError, Slab, Weights, rows};

/// Bins of the Jensen-Shannon divergence between weights.
pub const LINK_BINS: usize = 256;
/// Bins of the Jensen-Shannon divergence between nodes. A layer has some thousand nodes: with 256 bins the noise of so few values would be as large as the
/// differences between layers.
pub const NODE_BINS: usize = 32;
/// Weights of a tensor that its distribution functions are built from; larger tensors are sampled.
const SAMPLE: usize = 1 << 20;
/// Nodes named as those whose values moved most.
const MOVED: usize = 8;

/// How one measure of one set of nodes differs between two models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeDifference {
    /// The block, from 0.
    pub block: usize,
    /// The expert, from 0, where a block has several.
    pub expert: Option<usize>,
    /// The nodes.
    pub set: Set,
    /// What is measured.
    pub measure: Measure,
    /// Raw or folded.
    pub mode: Mode,
    /// Nodes in the first model.
    pub n_a: usize,
    /// Nodes in the second.
    pub n_b: usize,
    /// Standard deviation over nodes, first model: the layer fluctuation where the measure is strength.
    pub std_a: f64,
    /// The same of the second.
    pub std_b: f64,
    /// Over 32 bins of the joint range, in bits.
    pub jensen_shannon_bits: f64,
    /// What two samples of one distribution would come to ([`jensen_shannon_noise`]).
    pub jensen_shannon_noise_bits: f64,
    /// In the measure's unit.
    pub wasserstein: f64,
    /// The greatest distance of the distribution functions.
    pub kolmogorov_smirnov: f64,
    /// Its p-value. Nodes are not independent draws; correct for the number of rows looked at.
    pub kolmogorov_smirnov_p: f64,
    /// Do the spreads differ? `None` where it has no value.
    pub brown_forsythe: Option<f64>,
    /// Its p-value.
    pub brown_forsythe_p: Option<f64>,
    /// Node by node, where the sets have one size.
    pub paired: Option<Paired>,
}

/// Node by node: node i of the first model is node i of the second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paired {
    /// Mean of the differences, second minus first.
    pub shift_mean: f64,
    /// Their standard deviation.
    pub shift_std: f64,
    /// That divided by the first model's standard deviation, where it has one.
    pub shift_std_relative: Option<f64>,
    /// Pearson's correlation of the two models' values.
    pub correlation: Option<f64>,
    /// The nodes that moved most, with their differences, the most first.
    pub moved: Vec<(usize, f64)>,
}

/// Compares what both models have, in the first's order.
#[must_use]
pub fn compare_nodes(one: &Topology, other: &Topology) -> Vec<NodeDifference> {
    let key = |nodes: &NodeValues| (nodes.block, nodes.expert, nodes.set, nodes.measure, nodes.mode);
    let partner = |nodes: &NodeValues| other.nodes.iter().find(|other| key(other) == key(nodes));
    one.nodes
        .iter()
        .filter_map(|nodes| difference(nodes, partner(nodes)?))
        .collect()
}

fn difference(one: &NodeValues, other: &NodeValues) -> Option<NodeDifference> {
    let (a, b) = (&one.values, &other.values);
    let test = kolmogorov_smirnov(a, b)?;
    let spread = brown_forsythe(a, b);
    Some(NodeDifference {
        block: one.block,
        expert: one.expert,
        set: one.set,
        measure: one.measure,
        mode: one.mode,
        n_a: a.len(),
        n_b: b.len(),
        std_a: Summary::of(a)?.std,
        std_b: Summary::of(b)?.std,
        jensen_shannon_bits: jensen_shannon(a, b, NODE_BINS)?,
        jensen_shannon_noise_bits: jensen_shannon_noise(a, b, NODE_BINS)?,
        wasserstein: steps(a, b)?.wasserstein,
        kolmogorov_smirnov: test.statistic,
        kolmogorov_smirnov_p: test.p,
        brown_forsythe: spread.map(|test| test.statistic),
        brown_forsythe_p: spread.map(|test| test.p),
        paired: paired(a, b),
    })
}

fn paired(one: &[f64], other: &[f64]) -> Option<Paired> {
    if one.len() != other.len() {
        return None;
    }
    let shifts: Vec<f64> = one.iter().zip(other).map(|(one, other)| other - one).collect();
    let (first, second, shift) = (Summary::of(one)?, Summary::of(other)?, Summary::of(&shifts)?);
    let products = one
        .iter()
        .zip(other)
        .map(|(one, other)| (one - first.mean) * (other - second.mean));
    let covariance = products.sum::<f64>() / one.len() as f64;
    let both = first.std * second.std;
    let mut moved: Vec<(usize, f64)> = shifts.into_iter().enumerate().collect();
    moved.sort_by(|one, other| other.1.abs().total_cmp(&one.1.abs()));
    moved.truncate(MOVED);
    Some(Paired {
        shift_mean: shift.mean,
        shift_std: shift.std,
        shift_std_relative: (first.std > 0.0).then(|| shift.std / first.std),
        correlation: (both > 0.0).then(|| covariance / both),
        moved,
    })
}

/// How one matrix's weights differ between two models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkDifference {
    /// The block, from 0.
    pub block: usize,
    /// The expert, from 0, where a block has several.
    pub expert: Option<usize>,
    /// The matrix's role, such as `ffn_down`.
    pub tensor: String,
    /// Over 256 bins of the joint range, in bits; all weights counted.
    pub jensen_shannon_bits: f64,
    /// Over all weights, or a sample of about a million.
    pub wasserstein: f64,
    /// Over the same.
    pub kolmogorov_smirnov: f64,
    /// Root mean square difference, weight by weight, where the shapes are the same.
    pub rms_difference: Option<f64>,
}

/// Models that cannot be compared.
#[derive(Debug, Error)]
pub enum CompareError {
    /// Another number of blocks.
    #[error("the first model has {one} blocks and the second {other}: compare models of one architecture")]
    Blocks {
        /// Blocks of the first.
        one: usize,
        /// Blocks of the second.
        other: usize,
    },
    /// A model cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A model's weights with the places of its matrices.
#[derive(Debug)]
pub struct Model<'a, W: ?Sized> {
    /// Its tensors.
    pub weights: &'a W,
    /// Where they are.
    pub decoder: &'a Decoder,
}

impl<W: ?Sized> Clone for Model<'_, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W: ?Sized> Copy for Model<'_, W> {}

/// The matrices of a block, with their roles.
fn matrices(block: &Block) -> Vec<(&'static str, Option<usize>, &Projection)> {
    let mut found = Vec::new();
    if let Some(attention) = &block.attention {
        found.extend([
            ("attn_q", None, &attention.query),
            ("attn_k", None, &attention.key),
            ("attn_v", None, &attention.value),
            ("attn_output", None, &attention.output),
        ]);
    }
    if let Some(feed_forward) = &block.feed_forward {
        let several = feed_forward.experts.len() > 1;
        for (number, expert) in feed_forward.experts.iter().enumerate() {
            let number = several.then_some(number);
            found.push(("ffn_up", number, &expert.up));
            found.extend(expert.gate.as_ref().map(|gate| ("ffn_gate", number, gate)));
            found.push(("ffn_down", number, &expert.down));
        }
    }
    found
}

/// Compares the weights of matrices that both models have, reading both files. `seed` draws the samples of large tensors. `done` hears of each
/// block as it is finished.
pub fn compare_links<A: Weights + ?Sized, B: Weights + ?Sized>(
    one: Model<'_, A>,
    other: Model<'_, B>,
    seed: u64,
    mut done: impl FnMut(usize),
) -> Result<Vec<LinkDifference>, CompareError> {
    let (a, b) = (&one.decoder.blocks, &other.decoder.blocks);
    if a.len() != b.len() {
        return Err(CompareError::Blocks {
            one: a.len(),
            other: b.len(),
        });
    }
    let mut found = Vec::new();
    for (block, (a, b)) in a.iter().zip(b).enumerate() {
        let theirs = matrices(b);
        for (tensor, expert, projection) in matrices(a) {
            let same = theirs
                .iter()
                .find(|(name, number, _)| (*name, *number) == (tensor, expert));
            let Some((_, _, partner)) = same else { continue };
            let (first, second) = (
                Matrix::new(one.weights, projection),
                Matrix::new(other.weights, partner),
            );
            let (x, y) = (first.range()?, second.range()?);
            let low = if x.0 < y.0 { x.0 } else { y.0 };
            let high = if x.1 > y.1 { x.1 } else { y.1 };
            let bits = between_counts(&first.histogram(low, high)?, &second.histogram(low, high)?);
            let steps = steps(&first.sample(seed)?, &second.sample(seed)?);
            let (Some(jensen_shannon_bits), Some(steps)) = (bits, steps) else {
                continue;
            };
            found.push(LinkDifference {
                block,
                expert,
                tensor: tensor.to_owned(),
                jensen_shannon_bits,
                wasserstein: steps.wasserstein,
                kolmogorov_smirnov: steps.kolmogorov_smirnov,
                rms_difference: first.rms_difference(&second)?,
            });
        }
        done(block);
    }
    Ok(found)
}

struct Matrix<'a, W: ?Sized> {
    weights: &'a W,
    slab: &'a Slab,
    columns: usize,
}

impl<'a, W: Weights + ?Sized> Matrix<'a, W> {
    fn new(weights: &'a W, projection: &'a Projection) -> Self {
        Self {
            weights,
            slab: &projection.slab,
            columns: projection.columns,
        }
    }

    fn read(&self, block: &std::ops::Range<usize>) -> Result<Vec<f64>, ReadError> {
        let from = self.slab.rows.start;
        rows(
            self.weights,
            &self.slab.tensor,
            from + block.start..from + block.end,
            self.columns,
        )
    }

    fn each<T: Send>(&self, work: impl Fn(usize, Vec<f64>) -> T + Sync, take: impl FnMut(T)) -> Result<(), ReadError> {
        let read = |block: std::ops::Range<usize>| Ok(work(block.start, self.read(&block)?));
        in_order(self.slab.rows.len(), self.columns, read, take)
    }

    fn range(&self) -> Result<(f64, f64), ReadError> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        self.each(
            |_, values| super::histogram::range(&values),
            |range| {
                if let Some((least, greatest)) = range {
                    low = if least < low { least } else { low };
                    high = if greatest > high { greatest } else { high };
                }
            },
        )?;
        Ok((low, high))
    }

    fn histogram(&self, low: f64, high: f64) -> Result<Vec<u64>, ReadError> {
        let mut histogram = Histogram::new(low, high, LINK_BINS);
        let part = |_, values: Vec<f64>| {
            let mut part = Histogram::new(low, high, LINK_BINS);
            part.add(values.into_iter());
            part
        };
        self.each(part, |part| histogram.merge(&part))?;
        Ok(histogram.counts)
    }

    /// All values, or each with the same chance.
    fn sample(&self, seed: u64) -> Result<Vec<f64>, ReadError> {
        let share = SAMPLE as f64 / (self.slab.rows.len() * self.columns) as f64;
        let mut sample = Vec::new();
        let part = |start: usize, values: Vec<f64>| {
            if share >= 1.0 {
                return values;
            }
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(start as u64);
            values.into_iter().filter(|_| random.random::<f64>() < share).collect()
        };
        self.each(part, |part| sample.extend(part))?;
        Ok(sample)
    }

    fn rms_difference<V: Weights + ?Sized>(&self, other: &Matrix<'_, V>) -> Result<Option<f64>, ReadError> {
        if (self.slab.rows.len(), self.columns) != (other.slab.rows.len(), other.columns) {
            return Ok(None);
        }
        let mut squares = 0.0;
        let work = |block: std::ops::Range<usize>| {
            let (one, other) = (self.read(&block)?, other.read(&block)?);
            Ok(one
                .iter()
                .zip(other)
                .map(|(one, other)| (one - other).powi(2))
                .sum::<f64>())
        };
        in_order(self.slab.rows.len(), self.columns, work, |part| squares += part)?;
        Ok(Some((squares / (self.slab.rows.len() * self.columns) as f64).sqrt()))
    }
}

/// Jensen-Shannon divergence in bits of every sample against every other: blocks of one model, or checkpoints of a series. Cells of an empty
/// sample are NaN. `bins` as in [`jensen_shannon`]: [`NODE_BINS`] for strengths.
#[must_use]
pub fn divergence_matrix(samples: &[&[f64]], bins: usize) -> Vec<Vec<f64>> {
    let cell = |one: &[f64], other: &[f64]| jensen_shannon(one, other, bins).unwrap_or(f64::NAN);
    samples
        .iter()
        .map(|one| samples.iter().map(|other| cell(one, other)).collect())
        .collect()
}
