//! Two passes over a matrix in blocks of rows: link statistics, strengths and disparities, as stored and with norms folded in.
//!
//! Blocks have a fixed size and their sums are added in order, so that a result is the same to the last bit whatever the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::histogram::Histogram;
use super::nodes::disparity;
use super::order::{Lower, Upper};
use super::summary::{Powers, Summary, Sums};
use super::weights::{ReadError, Slab, Weights, rows};

/// Bins of a tensor's histogram.
pub(super) const BINS: usize = 64;
/// Values per block: few enough for the cache's larger levels, many enough that a block's tables cost little.
const BLOCK: usize = 1 << 18;

/// Factors that a norm puts on a matrix: on what it reads, or on what it writes.
#[derive(Debug, Clone, Default)]
pub(super) struct Gains {
    /// One per column: the norm before the matrix.
    pub(super) columns: Option<Vec<f64>>,
    /// What that norm adds, one per column (LayerNorm's bias).
    pub(super) shift: Option<Vec<f64>>,
    /// One per row: the norm after it.
    pub(super) rows: Option<Vec<f64>>,
}

impl Gains {
    fn is_none(&self) -> bool {
        self.columns.is_none() && self.shift.is_none() && self.rows.is_none()
    }
}

/// Both sides of a matrix.
#[derive(Debug, Clone, Default)]
pub(super) struct Sides {
    /// Per row: the sum of its links (and bias).
    pub(super) incoming: Vec<f64>,
    pub(super) disparity_in: Vec<f64>,
    /// Per column.
    pub(super) outgoing: Vec<f64>,
    pub(super) disparity_out: Vec<f64>,
}

/// What is known of a matrix after both passes.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    pub(super) links: Summary,
    pub(super) histogram: Histogram,
    pub(super) raw: Sides,
    pub(super) folded: Sides,
}

/// Sums of a set of links, each a vector over rows or over columns.
#[derive(Clone)]
struct Columns {
    signed: Vec<f64>,
    absolute: Vec<f64>,
    squares: Vec<f64>,
}

impl Columns {
    fn new(columns: usize) -> Self {
        let zeros = || vec![0.0; columns];
        Self {
            signed: zeros(),
            absolute: zeros(),
            squares: zeros(),
        }
    }

    fn add(&mut self, row: &[f64]) {
        let sums = self.signed.iter_mut().zip(&mut self.absolute).zip(&mut self.squares);
        for (((signed, absolute), square), value) in sums.zip(row) {
            *signed += value;
            *absolute += value.abs();
            *square += value * value;
        }
    }

    fn merge(&mut self, other: &Self) {
        let pairs = [
            (&mut self.signed, &other.signed),
            (&mut self.absolute, &other.absolute),
            (&mut self.squares, &other.squares),
        ];
        for (sums, more) in pairs {
            super::matrix::add(sums, more);
        }
    }

    fn disparities(&self) -> Vec<f64> {
        let sums = self.absolute.iter().zip(&self.squares);
        sums.map(|(&absolute, &squares)| disparity(absolute, squares)).collect()
    }
}

/// Strengths of rows as they are read, of columns as they add up.
struct Strengths {
    incoming: Vec<f64>,
    disparity_in: Vec<f64>,
    columns: Columns,
}

impl Strengths {
    fn new(columns: usize) -> Self {
        Self {
            incoming: Vec::new(),
            disparity_in: Vec::new(),
            columns: Columns::new(columns),
        }
    }

    fn add(&mut self, row: &[f64], bias: f64) {
        let (signed, absolute, squares) = row_sums(row);
        self.incoming.push(signed + bias);
        self.disparity_in.push(disparity(absolute, squares));
        self.columns.add(row);
    }

    fn append(&mut self, other: Self) {
        self.incoming.extend(other.incoming);
        self.disparity_in.extend(other.disparity_in);
        self.columns.merge(&other.columns);
    }

    fn sides(self) -> Sides {
        Sides {
            incoming: self.incoming,
            disparity_in: self.disparity_in,
            disparity_out: self.columns.disparities(),
            outgoing: self.columns.signed,
        }
    }
}

/// Sum, absolute sum and sum of squares, in eight lanes: a single running sum would keep the processor waiting for itself.
fn row_sums(row: &[f64]) -> (f64, f64, f64) {
    let mut lanes = [[0.0; 8]; 3];
    let (eights, rest) = row.as_chunks::<8>();
    for eight in eights {
        for lane in 0..8 {
            let value = eight[lane];
            lanes[0][lane] += value;
            lanes[1][lane] += value.abs();
            lanes[2][lane] += value * value;
        }
    }
    for value in rest {
        lanes[0][0] += value;
        lanes[1][0] += value.abs();
        lanes[2][0] += value * value;
    }
    let [signed, absolute, squares] = lanes.map(|lane| lane.iter().sum());
    (signed, absolute, squares)
}

struct First {
    sums: Sums,
    upper: Upper,
    raw: Strengths,
    folded: Option<Strengths>,
}

/// Scans some rows of a matrix. `bias` has one number per row of the slab; the gains, too, are of the slab's rows.
pub(super) fn scan<W: Weights + ?Sized>(
    weights: &W,
    slab: &Slab,
    columns: usize,
    gains: &Gains,
    bias: Option<&[f64]>,
) -> Result<Scan, ReadError> {
    let mut first = First {
        sums: Sums::default(),
        upper: Upper::new(),
        raw: Strengths::new(columns),
        folded: (!gains.is_none()).then(|| Strengths::new(columns)),
    };
    let read = |block: Range<usize>| -> Result<Vec<f64>, ReadError> {
        let from = slab.rows.start;
        rows(weights, &slab.tensor, from + block.start..from + block.end, columns)
    };
    in_order(
        slab.rows.len(),
        columns,
        |block| {
            let values = read(block.clone())?;
            Ok(first_pass(&values, columns, block.start, gains, bias))
        },
        |block| {
            first.sums.merge(&block.sums);
            first.upper.merge(&block.upper);
            first.raw.append(block.raw);
            if let (Some(folded), Some(more)) = (&mut first.folded, block.folded) {
                folded.append(more);
            }
        },
    )?;
    let mean = first.sums.mean().unwrap_or(0.0);
    let mut second = (
        Powers::about(mean),
        Histogram::new(first.sums.min, first.sums.max, BINS),
        first.upper.cells(),
    );
    let empty = second.clone();
    in_order(
        slab.rows.len(),
        columns,
        |block| {
            let values = read(block)?;
            let mut part: (Powers, Histogram, Lower) = empty.clone();
            part.0.add(values.iter().copied());
            part.1.add(values.iter().copied());
            part.2.add(&values);
            Ok(part)
        },
        |part| {
            second.0.merge(&part.0);
            second.1.merge(&part.1);
            second.2.merge(&part.2);
        },
    )?;
    let (powers, histogram, lower) = second;
    let raw = first.raw.sides();
    Ok(Scan {
        links: Summary::from_parts(&first.sums, &powers, lower.quantiles()),
        histogram,
        folded: first.folded.map_or_else(|| raw.clone(), Strengths::sides),
        raw,
    })
}

fn first_pass(values: &[f64], columns: usize, start: usize, gains: &Gains, bias: Option<&[f64]>) -> First {
    let mut first = First {
        sums: Sums::default(),
        upper: Upper::new(),
        raw: Strengths::new(columns),
        folded: (!gains.is_none()).then(|| Strengths::new(columns)),
    };
    first.sums.add(values.iter().copied());
    first.upper.add(values);
    let mut scaled = vec![0.0; columns];
    for (at, row) in values.chunks_exact(columns).enumerate() {
        let bias = bias.map_or(0.0, |bias| bias[start + at]);
        first.raw.add(row, bias);
        if let Some(folded) = &mut first.folded {
            let factor = gains.rows.as_ref().map_or(1.0, |gains| gains[start + at]);
            let shift = gains.shift.iter().flat_map(|shift| shift.iter().zip(row));
            let shift: f64 = shift.map(|(shift, weight)| shift * weight).sum();
            match &gains.columns {
                Some(gains) => {
                    for ((scaled, weight), gain) in scaled.iter_mut().zip(row).zip(gains) {
                        *scaled = weight * gain * factor;
                    }
                }
                None => scaled
                    .iter_mut()
                    .zip(row)
                    .for_each(|(scaled, weight)| *scaled = weight * factor),
            }
            folded.add(&scaled, (bias + shift) * factor);
        }
    }
    first
}

/// Works on blocks of rows in parallel, and hands the results on in the rows' order.
pub(super) fn in_order<T: Send>(
    rows: usize,
    columns: usize,
    work: impl Fn(Range<usize>) -> Result<T, ReadError> + Sync,
    mut take: impl FnMut(T),
) -> Result<(), ReadError> {
    let size = BLOCK.div_ceil(if columns > 0 { columns } else { 1 });
    let blocks: Vec<Range<usize>> = (0..rows)
        .step_by(size)
        .map(|start| start..(start + size).clamp(0, rows))
        .collect();
    // A wave at a time, so that no more blocks' tables are held than threads can work on.
    for wave in blocks.chunks(2 * rayon::current_num_threads()) {
        let done: Result<Vec<T>, ReadError> = wave.par_iter().map(|block| work(block.clone())).collect();
        done?.into_iter().for_each(&mut take);
    }
    Ok(())
}
