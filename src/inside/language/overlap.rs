//! How much the sets of languages share, within one model and between two.

use serde::Serialize;

use super::{identified::Identified, unit::Unit};

/// Numbers of shared units: a row per language of the first result, a column per language of the second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// The rows' languages.
    pub rows: Vec<String>,
    /// The columns' languages.
    pub columns: Vec<String>,
    /// Units in the set of each row's language.
    pub sizes: Vec<usize>,
    /// `shared[row][column]`: units in both sets.
    pub shared: Vec<Vec<usize>>,
}

impl Overlap {
    /// The languages of one model with each other; the diagonal holds the sizes of their sets.
    pub fn within(identified: &Identified) -> Self {
        Self::between(identified, identified)
    }

    /// The languages of one model with those of another of the same shape.
    pub fn between(first: &Identified, second: &Identified) -> Self {
        let names = |identified: &Identified| {
            identified
                .languages()
                .iter()
                .map(|language| language.name.clone())
                .collect()
        };
        let sets = |identified: &Identified| {
            (0..identified.languages().len())
                .map(|k| identified.set(k))
                .collect::<Vec<_>>()
        };
        let (own, other) = (sets(first), sets(second));
        Self {
            rows: names(first),
            columns: names(second),
            sizes: own.iter().map(Vec::len).collect(),
            shared: own
                .iter()
                .map(|own| other.iter().map(|other| shared(own, other)).collect())
                .collect(),
        }
    }

    /// `|A ∩ B| / |A|`, A the row's set; `None` where A is empty.
    pub fn share(&self, row: usize, column: usize) -> Option<f64> {
        (self.sizes[row] > 0).then(|| self.shared[row][column] as f64 / self.sizes[row] as f64)
    }
}

/// The Jaccard index of the language-unit pairs of two results: of halves of the same text it is the honest figure of how far the sets can be
/// relied on (section 11). Languages are matched by name; `None` where neither has any pair.
pub fn jaccard(first: &Identified, second: &Identified) -> Option<f64> {
    let mut both = 0;
    for (k, language) in first.languages().iter().enumerate() {
        if let Some(other) = second.position(&language.name) {
            both += shared(&first.set(k), &second.set(other));
        }
    }
    let either = first.pairs() + second.pairs() - both;
    (either > 0).then(|| both as f64 / either as f64)
}

/// Units in both of two ascending lists.
fn shared(one: &[Unit], other: &[Unit]) -> usize {
    one.iter().filter(|unit| other.binary_search(unit).is_ok()).count()
}
