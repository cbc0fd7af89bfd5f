//! What a matrix's strengths would be without structure: a raw fluctuation says nothing until it stands beside this (specification 6.4, 6).

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};

use super::decoder::{Decoder, Projection};
use super::divergence::between_shares;
use super::histogram::Histogram;
use super::scan::BINS;
use super::summary::Summary;
use super::weights::{ReadError, Weights, rows};

/// A matrix beside its own weights in random places. Stored weights; no norms, no biases.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Baseline {
    /// The block, from 0.
    pub block: usize,
    /// The expert, from 0, where a block has several.
    pub expert: Option<usize>,
    /// The matrix's role.
    pub tensor: &'static str,
    /// Standard deviation of its weights.
    pub link_std: f64,
    /// Fluctuation of the row sums.
    pub in_std: f64,
    /// The same after the weights were shuffled over the whole matrix: link weights kept, strengths destroyed.
    pub in_std_shuffled: f64,
    /// `link_std sqrt(columns)`: of independent weights.
    pub in_std_independent: f64,
    /// Fluctuation of the column sums.
    pub out_std: f64,
    /// The same after shuffling.
    pub out_std_shuffled: f64,
    /// `link_std sqrt(rows)`.
    pub out_std_independent: f64,
    /// Jensen-Shannon divergence, over 64 bins, from a normal distribution of the same mean and spread.
    pub normal_bits: f64,
}

/// Baselines of the FFN matrices and the attention output of one block. Holds one matrix in memory at a time.
pub fn baselines<W: Weights + ?Sized>(
    weights: &W,
    decoder: &Decoder,
    block: usize,
    seed: u64,
) -> Result<Vec<Baseline>, ReadError> {
    let mut found = Vec::new();
    let Some(parts) = decoder.blocks.get(block) else {
        return Ok(found);
    };
    let mut push = |tensor, expert, projection| -> Result<(), ReadError> {
        found.extend(baseline(weights, (block, expert, tensor), projection, seed)?);
        Ok(())
    };
    if let Some(attention) = &parts.attention {
        push("attn_output", None, &attention.output)?;
    }
    if let Some(feed_forward) = &parts.feed_forward {
        let several = feed_forward.experts.len() > 1;
        for (number, expert) in feed_forward.experts.iter().enumerate() {
            let number = several.then_some(number);
            push("ffn_up", number, &expert.up)?;
            if let Some(gate) = &expert.gate {
                push("ffn_gate", number, gate)?;
            }
            push("ffn_down", number, &expert.down)?;
        }
    }
    Ok(found)
}

fn baseline<W: Weights + ?Sized>(
    weights: &W,
    (block, expert, tensor): (usize, Option<usize>, &'static str),
    projection: &Projection,
    seed: u64,
) -> Result<Option<Baseline>, ReadError> {
    let (slab, columns) = (&projection.slab, projection.columns);
    let mut values = rows(weights, &slab.tensor, slab.rows.clone(), columns)?;
    let Some(links) = Summary::of(&values) else {
        return Ok(None);
    };
    let normal_bits = normal_bits(&values, &links);
    let (in_std, out_std) = spreads(&values, columns);
    values.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let (in_std_shuffled, out_std_shuffled) = spreads(&values, columns);
    Ok(Some(Baseline {
        block,
        expert,
        tensor,
        link_std: links.std,
        in_std,
        in_std_shuffled,
        in_std_independent: links.std * (columns as f64).sqrt(),
        out_std,
        out_std_shuffled,
        out_std_independent: links.std * (slab.rows.len() as f64).sqrt(),
        normal_bits,
    }))
}

/// Spread of the row sums and of the column sums.
fn spreads(values: &[f64], columns: usize) -> (f64, f64) {
    let mut leaving = vec![0.0; columns];
    let mut arriving = Vec::with_capacity(values.len() / columns);
    for row in values.chunks_exact(columns) {
        arriving.push(row.iter().sum());
        super::matrix::add(&mut leaving, row);
    }
    let spread = |sums: &[f64]| Summary::of(sums).map_or(0.0, |summary| summary.std);
    (spread(&arriving), spread(&leaving))
}

fn normal_bits(values: &[f64], links: &Summary) -> f64 {
    let Ok(normal) = Normal::new(links.mean, links.std) else {
        return 1.0;
    };
    let mut histogram = Histogram::new(links.min, links.max, BINS);
    histogram.add(values.iter().copied());
    let width = (links.max - links.min) / BINS as f64;
    let edge = |bin: usize| links.min + bin as f64 * width;
    let shares = histogram.counts.iter().map(|&count| count as f64 / links.n as f64);
    let expected = (0..BINS).map(|bin| {
        // The outermost bins take the tails, as they do for values.
        let below = if bin == 0 { 0.0 } else { normal.cdf(edge(bin)) };
        let above = if bin + 1 == BINS {
            1.0
        } else {
            normal.cdf(edge(bin + 1))
        };
        above - below
    });
    between_shares(shares, expected)
}
