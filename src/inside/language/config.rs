//! The two methods with every threshold as a setting, defaults as in the papers.

use serde::{Deserialize, Serialize};

use super::rate::{Bar, Rate};

/// How language units are identified.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Entropy less weighted maximum (arXiv 2505.21505; specification, section 4).
    Aligned(Aligned),
    /// Language activation probability entropy (arXiv 2402.16438; specification, section 5).
    Lape(Lape),
}

impl Default for Method {
    fn default() -> Self {
        Self::Aligned(Aligned::default())
    }
}

impl Method {
    /// The method's short name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aligned(_) => "aligned",
            Self::Lape(_) => "lape",
        }
    }
}

/// Settings of the alignment paper's method.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aligned {
    /// The share of units that is selected: 0.01.
    pub top: Rate,
    /// The probability above which a selected unit belongs to a language: the 95th percentile.
    pub bar: Bar,
    /// The weight of the largest probability, on the scale of the published code (`λ·max p·K/H_K` against an entropy divided by ln K).
    pub lambda: Lambda,
}

impl Default for Aligned {
    fn default() -> Self {
        Self {
            top: Rate::HUNDREDTH,
            bar: Bar::Quantile(Rate::NINETY_FIVE),
            lambda: Lambda::Search(Search::default()),
        }
    }
}

/// Where λ comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lambda {
    /// It is given.
    Fixed(f64),
    /// The largest value with which no selected unit is assigned to all languages.
    Search(Search),
}

/// The binary search for λ (section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The smallest value that is tried: 0.
    pub low: f64,
    /// The largest value that is tried: 0.2.
    pub high: f64,
    /// The search ends when the interval is no wider than this: 0.001.
    pub width: f64,
    /// The search ends after so many halvings: 64.
    pub rounds: usize,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            low: 0.0,
            high: 0.2,
            width: 1e-3,
            rounds: 64,
        }
    }
}

/// Settings of LAPE.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lape {
    /// The share of units that is selected: 0.01.
    pub top: Rate,
    /// A unit that is above this bar in no language is out: the 95th percentile.
    pub filter: Bar,
    /// The probability above which a selected unit belongs to a language: the 95th percentile.
    pub bar: Bar,
}

impl Default for Lape {
    fn default() -> Self {
        Self {
            top: Rate::HUNDREDTH,
            filter: Bar::Quantile(Rate::NINETY_FIVE),
            bar: Bar::Quantile(Rate::NINETY_FIVE),
        }
    }
}
