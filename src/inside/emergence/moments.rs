//! Logarithms of sums of powers at a series of scales, and the lines laid through them.

use super::{
    config::{Line, Window},
    grid::QGrid,
};

/// ln Z_q at every scale: what a spectrum is fitted to.
#[derive(Clone, Debug)]
pub struct Moments {
    /// The exponents.
    pub q: QGrid,
    /// The scales r, ascending, at least two.
    pub radii: Vec<f64>,
    /// ln Z_q(r): one list over the scales per q.
    pub ln_z: Vec<Vec<f64>>,
    /// d ln Z_q(r) / dq, likewise; `None` where no exact derivative was asked for.
    pub d_ln_z: Option<Vec<Vec<f64>>>,
    /// The mean over nodes of ln u(r), per scale; `None` for measures that are not node-centred.
    pub mean_ln_u: Option<Vec<f64>>,
    /// Its variance over nodes, per scale.
    pub variance_ln_u: Option<Vec<f64>>,
    /// How many nodes the sums go over.
    pub nodes: usize,
}

impl Moments {
    /// The part between two radii.
    pub(super) fn within(&self, window: Option<Window>) -> Self {
        let Some(Window { low, high }) = window else {
            return self.clone();
        };
        let places: Vec<usize> = (0..self.radii.len())
            .filter(|place| (low..=high).contains(&self.radii[*place]))
            .collect();
        let pick = |values: &Vec<f64>| places.iter().map(|place| values[*place]).collect::<Vec<f64>>();
        let pick_each = |lists: &Vec<Vec<f64>>| lists.iter().map(pick).collect::<Vec<_>>();
        Self {
            q: self.q,
            radii: pick(&self.radii),
            ln_z: pick_each(&self.ln_z),
            d_ln_z: self.d_ln_z.as_ref().map(pick_each),
            mean_ln_u: self.mean_ln_u.as_ref().map(pick),
            variance_ln_u: self.variance_ln_u.as_ref().map(pick),
            nodes: self.nodes,
        }
    }
}

/// Unweighted least squares on ln(r / `r_max`): the coefficients depend on the radii alone, so the slope is a sum of products.
pub(super) struct Fit {
    coefficients: Vec<f64>,
    /// Whether the residuals are taken about the mean.
    line: Line,
    /// Σ (x − x̄)², or Σ x² through the origin.
    spread: f64,
}

impl Fit {
    /// For at least two different radii.
    pub(super) fn on(radii: &[f64], line: Line) -> Self {
        let last = radii.last().copied().unwrap_or(1.0);
        let x: Vec<f64> = radii.iter().map(|radius| (radius / last).ln()).collect();
        let centre = match line {
            Line::FreeIntercept => mean(&x),
            Line::ThroughOrigin => 0.0,
        };
        let spread: f64 = x.iter().map(|x| (x - centre) * (x - centre)).sum();
        Self {
            coefficients: x.iter().map(|x| (x - centre) / spread).collect(),
            line,
            spread,
        }
    }

    pub(super) fn slope(&self, y: &[f64]) -> f64 {
        self.coefficients.iter().zip(y).map(|(c, y)| c * y).sum()
    }

    /// The share of the spread of `y` that the line explains; `None` where `y` does not vary.
    pub(super) fn r2(&self, y: &[f64], slope: f64) -> Option<f64> {
        let centre = match self.line {
            Line::FreeIntercept => mean(y),
            Line::ThroughOrigin => 0.0,
        };
        let total: f64 = y.iter().map(|y| (y - centre) * (y - centre)).sum();
        let noise = 1e-12 * (1.0 + centre.abs());
        let varies = total > noise * noise * y.len() as f64;
        // By Pythagoras, what is left over is the total less this.
        varies.then(|| slope * slope * self.spread / total)
    }
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
