//! Weights of two models, matrix by matrix.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::LINK_BINS;
use crate::inside::topology::decoder::{Block, Decoder, Projection};
use crate::inside::topology::divergence::{between_counts, steps};
use crate::inside::topology::histogram::{self, Histogram};
use crate::inside::topology::scan::in_order;
use crate::inside::topology::weights::{ReadError, Slab, Weights, rows};

/// Weights of a tensor that its distribution functions are built from; larger tensors are sampled.
const SAMPLE: usize = 1 << 20;

/// How one matrix's weights differ between two models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkDifference {
    /// The block, from 0.
    pub block: usize,
    /// The second model's block.
    pub block_b: usize,
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

/// Compares the weights of matrices that both models have, block by block as `pairs` says ([`pair_blocks`](super::pair_blocks)), reading both files.
/// `seed` draws the samples of large tensors. `done` hears of each pair as it is finished.
pub fn compare_links<A: Weights + ?Sized, B: Weights + ?Sized>(
    one: Model<'_, A>,
    other: Model<'_, B>,
    pairs: &[(usize, usize)],
    seed: u64,
    mut done: impl FnMut(usize),
) -> Result<Vec<LinkDifference>, ReadError> {
    let mut found = Vec::new();
    for (number, &(block, block_b)) in pairs.iter().enumerate() {
        let blocks = (one.decoder.blocks.get(block), other.decoder.blocks.get(block_b));
        let (Some(a), Some(b)) = blocks else { continue };
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
                block_b,
                expert,
                tensor: tensor.to_owned(),
                jensen_shannon_bits,
                wasserstein: steps.wasserstein,
                kolmogorov_smirnov: steps.kolmogorov_smirnov,
                rms_difference: first.rms_difference(&second)?,
            });
        }
        done(number);
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
            |_, values| histogram::range(&values),
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
