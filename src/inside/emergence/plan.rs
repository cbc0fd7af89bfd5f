//! Which nodes are sampled: from the shape and the repetition alone, so that all checkpoints of a series share them (spec 3.3 and 3.4).

use super::{
    config::Hops,
    sampler::SplitMix64,
    shape::{BlockShape, KeyValueIndices, Projection, Shape},
};

/// The sampled nodes of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockNodes {
    /// Block input (X).
    pub input: Vec<usize>,
    /// Rows of the query map.
    pub query: Vec<usize>,
    /// Columns of the output map: the query's rows, where the two have one width (O).
    pub output: Vec<usize>,
    /// Rows of the key map and of the value map.
    pub key_value: Vec<usize>,
    /// Input of the MLP (M).
    pub mlp: Vec<usize>,
    /// Hidden units of each expert; one list for a dense MLP (F).
    pub hidden: Vec<Vec<usize>>,
}

/// The sampled nodes of one repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nodes {
    /// Block by block.
    pub blocks: Vec<BlockNodes>,
    /// The residual stream after the last block.
    pub last: Vec<usize>,
}

/// The fewest hidden units drawn per expert: below it, no node has more than ten lengths.
const LEAST_PER_EXPERT: usize = 11;

impl Nodes {
    /// Draws the nodes of one repetition: per block input, query and output, key and value where separate, MLP input, hidden units; then the end.
    /// Groups smaller than asked for are taken whole.
    pub fn draw(shape: &Shape, size: usize, repetition: u64) -> Self {
        let mut sampler = SplitMix64::new(repetition);
        let blocks: Vec<BlockNodes> = shape
            .blocks()
            .iter()
            .map(|block| draw_block(block, size, &mut sampler))
            .collect();
        let width = shape.blocks().last().map_or(0, |block| block.rows(Projection::Output));
        let last = sampler.draw(width, size);
        Self { blocks, last }
    }

    /// The nodes that the block's hidden units lead to.
    pub(super) fn after(&self, block: usize) -> &[usize] {
        self.blocks.get(block + 1).map_or(&self.last, |next| &next.input)
    }
}

fn draw_block(block: &BlockShape, size: usize, sampler: &mut SplitMix64) -> BlockNodes {
    let input = sampler.draw(block.columns(Projection::Query), size);
    let query = sampler.draw(block.rows(Projection::Query), size);
    let output = if block.columns(Projection::Output) == block.rows(Projection::Query) {
        query.clone()
    } else {
        sampler.draw(block.columns(Projection::Output), size)
    };
    let key_value = match block.key_value_indices {
        KeyValueIndices::Query => query.clone(),
        KeyValueIndices::Own => sampler.draw(block.rows(Projection::Key), size),
    };
    let mlp = sampler.draw(block.rows(Projection::Output), size);
    let experts = block.experts();
    let share = 2 * size / experts.max(1);
    let per_expert = if experts > 1 && share < LEAST_PER_EXPERT {
        LEAST_PER_EXPERT
    } else {
        share
    };
    let hidden = (0..experts)
        .map(|expert| sampler.draw(block.columns(Projection::Down(expert)), per_expert))
        .collect();
    BlockNodes {
        input,
        query,
        output,
        key_value,
        mlp,
        hidden,
    }
}

/// The nodes of all repetitions, with the sample size that the model allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Nodes per group that were asked for.
    pub asked: usize,
    /// Nodes per group that are drawn: lower where a population holds fewer than twice as many.
    pub size: usize,
    /// Repetition by repetition.
    pub repetitions: Vec<Nodes>,
}

impl Plan {
    /// Draws the nodes of `repetitions` repetitions with the seeds 0, 1, …
    pub fn new(shape: &Shape, size: usize, repetitions: usize) -> Self {
        Self::seeded(shape, size, repetitions, 0)
    }

    /// The same with the seeds `seed`, `seed + 1`, …
    pub fn seeded(shape: &Shape, size: usize, repetitions: usize, seed: u64) -> Self {
        let populations = shape.blocks().iter().flat_map(|block| {
            let hidden = if block.experts() == 1 {
                block.columns(Projection::Down(0))
            } else {
                usize::MAX
            };
            [block.columns(Projection::Query), block.rows(Projection::Query), hidden]
        });
        let allowed = populations.min().map_or(size, |least| size.min(least / 2));
        Self {
            asked: size,
            size: allowed,
            repetitions: (0..repetitions as u64)
                .map(|nth| Nodes::draw(shape, allowed, seed.wrapping_add(nth)))
                .collect(),
        }
    }
}

/// The row of the value map that feeds a column of the output map: heads share values in groups. `None` where the head size is unknown and the two
/// maps differ in width.
pub(super) fn value_row(block: &BlockShape, column: usize) -> Option<usize> {
    let (columns, rows) = (block.columns(Projection::Output), block.rows(Projection::Value));
    if columns == rows {
        return Some(column);
    }
    let size = block
        .head_size
        .filter(|size| *size > 0 && rows % size == 0 && columns % size == 0)?;
    let (heads, value_heads) = (columns / size, rows / size);
    if value_heads == 0 || heads % value_heads != 0 {
        return None;
    }
    Some(column / size / (heads / value_heads) * size + column % size)
}

/// Whether sampled matrices stand for direct edges, or for the chain that longer paths run along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wiring {
    /// Block input to queries, keys and values.
    Direct,
    /// Block input through values to the attention output, without queries and keys.
    Chain,
}

impl From<Hops> for Wiring {
    fn from(hops: Hops) -> Self {
        match hops {
            Hops::One => Self::Direct,
            Hops::Two | Hops::Three => Self::Chain,
        }
    }
}
