//! CETT: the share of a unit in what its layer writes.

use std::ops::Range;

use crate::llama::tap::{Block, Reducer};
use crate::llama::{DownNorms, Ffn};

/// Tokens of a text over which CETT is aggregated: one or several ranges of positions that do not overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region(Vec<Range<usize>>);

impl Region {
    /// One range.
    pub fn span(positions: Range<usize>) -> Self {
        Self(vec![positions])
    }

    /// All positions of `text` outside a span.
    pub fn outside(span: &Range<usize>, text: Range<usize>) -> Self {
        let before = text.start..span.start.min(text.end);
        let after = span.end.max(text.start)..text.end;
        Self([before, after].into_iter().filter(|range| !range.is_empty()).collect())
    }

    /// Whether a position is in it.
    pub fn contains(&self, position: usize) -> bool {
        self.0.iter().any(|range| range.contains(&position))
    }
}

/// `CETT[l][t][j] = |z_j| · ‖W_down[:, j]‖ / (‖h_t‖ + 1e-8)`, its mean and its maximum over the tokens of each region (spec h_neurons, section 2.8). Norms are taken in f64.
///
/// The mean is that of the ratios, not the ratio of means. Positions that are left out in reading are in no region.
#[derive(Debug, Clone)]
pub struct Cett<'n> {
    norms: &'n DownNorms,
    units: usize,
    regions: Vec<(Region, Totals)>,
}

#[derive(Debug, Clone)]
struct Totals {
    sums: Vec<f64>,
    maxima: Vec<f64>,
    tokens: Vec<usize>,
}

impl<'n> Cett<'n> {
    /// Added to ‖h‖ so that a layer that writes nothing gives 0 and no NaN (spec h_neurons, section 2.8).
    pub const EPSILON: f64 = 1e-8;

    /// CETT over regions, with the column norms of the model's down-projections.
    pub fn new(ffn: &Ffn, norms: &'n DownNorms, regions: Vec<Region>) -> Self {
        let totals = Totals {
            sums: vec![0.0; ffn.all_units()],
            maxima: vec![0.0; ffn.all_units()],
            tokens: vec![0; ffn.layers],
        };
        Self {
            norms,
            units: ffn.units,
            regions: regions.into_iter().map(|region| (region, totals.clone())).collect(),
        }
    }

    /// Tokens of a region that were read.
    ///
    /// # Panics
    ///
    /// If there is no such region.
    pub fn tokens(&self, region: usize) -> usize {
        self.regions[region].1.tokens.first().copied().unwrap_or(0)
    }

    /// Mean over a region's tokens for all units, layer by layer (index `layer · units + unit`); nothing if none was read.
    ///
    /// # Panics
    ///
    /// If there is no such region.
    pub fn mean(&self, region: usize) -> Option<Vec<f64>> {
        let tokens = self.tokens(region);
        let sums = &self.regions[region].1.sums;
        (tokens > 0).then(|| sums.iter().map(|sum| sum / tokens as f64).collect())
    }

    /// Maximum over a region's tokens for all units, layer by layer; nothing if none was read.
    ///
    /// # Panics
    ///
    /// If there is no such region.
    pub fn max(&self, region: usize) -> Option<&[f64]> {
        (self.tokens(region) > 0).then(|| self.regions[region].1.maxima.as_slice())
    }
}

impl Reducer for Cett<'_> {
    fn block(&mut self, block: &Block<'_>) {
        let norms = self.norms.layer(block.layer);
        let place = block.layer * self.units..(block.layer + 1) * self.units;
        for (position, z, h) in block.rows() {
            let written = norm(h) + Self::EPSILON;
            for (region, totals) in &mut self.regions {
                if !region.contains(position) {
                    continue;
                }
                totals.tokens[block.layer] += 1;
                let sums = totals.sums[place.clone()].iter_mut();
                let maxima = totals.maxima[place.clone()].iter_mut();
                for (((&z, &norm), sum), maximum) in z.iter().zip(norms).zip(sums).zip(maxima) {
                    let cett = f64::from(z.abs()) * norm / written;
                    *sum += cett;
                    if cett > *maximum {
                        *maximum = cett;
                    }
                }
            }
        }
    }
}

fn norm(vector: &[f32]) -> f64 {
    let squares: f64 = vector.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    squares.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_outside_a_span_has_what_is_before_and_after() {
        let region = Region::outside(&(3..5), 1..7);
        let inside: Vec<usize> = (0..9).filter(|&position| region.contains(position)).collect();
        assert_eq!(inside, [1, 2, 5, 6]);
        assert_eq!(Region::outside(&(0..9), 1..7), Region(vec![]));
        assert_eq!(Region::outside(&(8..9), 1..7), Region::span(1..7));
    }
}
