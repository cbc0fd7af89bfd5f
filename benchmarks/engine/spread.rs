//! Medians, with the least and the most beside them.

use std::fmt;

/// Several measurements of one thing.
#[derive(Debug, Clone)]
pub struct Spread(Vec<f64>);

impl Spread {
    /// # Panics
    /// Without measurements.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        assert!(!values.is_empty(), "nothing was measured");
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    pub fn median(&self) -> f64 {
        let (n, middle) = (self.0.len(), self.0.len() / 2);
        if n.is_multiple_of(2) {
            f64::midpoint(self.0[middle - 1], self.0[middle])
        } else {
            self.0[middle]
        }
    }

    pub fn least(&self) -> f64 {
        self.0[0]
    }

    pub fn most(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let (median, least, most) = (self.median(), self.least(), self.most());
        write!(f, "{median:.digits$} [{least:.digits$}, {most:.digits$}]")
    }
}
