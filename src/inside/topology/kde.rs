//! Gaussian kernel density with Scott's bandwidth, as the papers draw it.

/// Points of the grid on which the papers compare densities.
pub const GRID: usize = 1000;

/// A density of which any point can be asked.
#[derive(Debug, Clone)]
pub struct Kde<'a> {
    values: &'a [f64],
    /// Standard deviation of each value's bell.
    bandwidth: f64,
}

impl<'a> Kde<'a> {
    /// `n^(-1/5)` times the sample standard deviation (divided by n - 1). `None` for fewer than two values, or values that are all equal: their
    /// bells would have no width.
    #[must_use]
    pub fn scott(values: &'a [f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let bandwidth = n.powf(-0.2) * (squares / (n - 1.0)).sqrt();
        (values.len() > 1 && bandwidth > 0.0).then_some(Self { values, bandwidth })
    }

    /// Standard deviation of each value's bell.
    #[must_use]
    pub fn bandwidth(&self) -> f64 {
        self.bandwidth
    }

    /// The density at `x`. Time grows with the number of values.
    #[must_use]
    pub fn at(&self, x: f64) -> f64 {
        let narrow = 1.0 / self.bandwidth;
        let bells: f64 = self
            .values
            .iter()
            .map(|value| (-0.5 * ((x - value) * narrow).powi(2)).exp())
            .sum();
        bells * narrow / (self.values.len() as f64 * std::f64::consts::TAU.sqrt())
    }
}

/// The papers' grid: `low + k (high - low) / 1000` for k = 0 to 999, so that `high` itself is not on it.
pub fn grid(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let step = (high - low) / GRID as f64;
    (0..GRID).map(move |k| low + k as f64 * step)
}
