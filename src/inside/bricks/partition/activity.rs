//! On which tokens units are active.

use rand_chacha::ChaCha8Rng;

use crate::inside::bricks::{Element, Matrix, ShapeError};

/// One bit per unit and token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    tokens: usize,
    /// A unit's bits lie together, `[units][words]`.
    words: usize,
    bits: Vec<u64>,
    units: usize,
}

impl Activity {
    /// A unit is active where its activation is above 0, as in a ReLU model; `[tokens][units]`.
    pub fn positive<T: Element>(activations: &Matrix<T>) -> Self {
        Self::of(activations.rows(), activations.columns(), |token, unit| {
            activations.at(token, unit) > 0.0
        })
    }

    /// A unit is active where its output magnitude `|a_i|·norms[i]` reaches ε, for models whose activations are never 0 (spec §5.1: ε of a CETT of 0.2).
    pub fn strong<T: Element>(activations: &Matrix<T>, norms: &[f64], epsilon: f64) -> Result<Self, ShapeError> {
        ShapeError::check("column norms", norms.len(), activations.columns())?;
        Ok(Self::of(activations.rows(), activations.columns(), |token, unit| {
            activations.at(token, unit).abs() * norms[unit] >= epsilon
        }))
    }

    fn of(tokens: usize, units: usize, active: impl Fn(usize, usize) -> bool) -> Self {
        let words = tokens.div_ceil(64);
        let mut bits = vec![0; units * words];
        for token in 0..tokens {
            for unit in 0..units {
                bits[unit * words + token / 64] |= u64::from(active(token, unit)) << (token % 64);
            }
        }
        Self {
            tokens,
            words,
            bits,
            units,
        }
    }

    /// How many units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// On how many tokens the unit is active.
    pub fn count(&self, unit: usize) -> u32 {
        self.of_unit(unit).iter().map(|word| word.count_ones()).sum()
    }

    /// On how many tokens both are active.
    pub fn together(&self, left: usize, right: usize) -> u32 {
        let words = self.of_unit(left).iter().zip(self.of_unit(right));
        words.map(|(left, right)| (left & right).count_ones()).sum()
    }

    /// Every unit active on as many tokens as before, chosen at random and independently of the other units.
    pub(super) fn shuffled(&self, rng: &mut ChaCha8Rng) -> Self {
        let mut shuffled = Self {
            bits: vec![0; self.bits.len()],
            ..self.clone()
        };
        for unit in 0..self.units {
            for token in rand::seq::index::sample(rng, self.tokens, self.count(unit) as usize) {
                shuffled.bits[unit * self.words + token / 64] |= 1 << (token % 64);
            }
        }
        shuffled
    }

    fn of_unit(&self, unit: usize) -> &[u64] {
        &self.bits[unit * self.words..][..self.words]
    }
}
