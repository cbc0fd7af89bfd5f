//! Resampling rows by their counts.
//!
//! Drawing n rows with replacement and counting them per category is one multinomial draw over the categories, so a resample of
//! 2,553 rows costs at most a few dozen random numbers, not 2,553 (binomials, category by category, of what is left).

use rand::Rng;
use rand_distr::{Binomial, Distribution};

/// Draws resamples of rows that fall in `K` categories.
pub(super) struct Resampler<const K: usize> {
    counts: [u64; K],
    n: u64,
}

impl<const K: usize> Resampler<K> {
    /// `counts[k]` rows are of category k.
    pub(super) fn new(counts: [u64; K]) -> Self {
        Self {
            counts,
            n: counts.iter().sum(),
        }
    }

    /// The category counts of as many rows, drawn with replacement.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> [u64; K] {
        // Rows still to draw, and rows of the categories still to come.
        let (mut left, mut mass) = (self.n, self.n);
        self.counts.map(|count| {
            let drawn = if count == mass {
                left
            } else {
                binomial(left, count as f64 / mass as f64, rng)
            };
            left -= drawn;
            mass -= count;
            drawn
        })
    }
}

fn binomial(n: u64, p: f64, rng: &mut impl Rng) -> u64 {
    if n == 0 || p == 0.0 {
        return 0;
    }
    Binomial::new(n, p)
        .expect("a ratio of a part to the whole is a probability")
        .sample(rng)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn a_resample_has_as_many_rows_and_only_categories_that_occur() {
        let resampler = Resampler::new([5, 0, 20, 1, 0]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..1000 {
            let counts = resampler.draw(&mut rng);
            assert_eq!(counts.iter().sum::<u64>(), 26);
            assert_eq!((counts[1], counts[4]), (0, 0));
        }
        assert_eq!(Resampler::new([0, 0]).draw(&mut rng), [0, 0]);
    }

    #[test]
    fn means_and_covariances_are_those_of_a_multinomial() {
        let (counts, draws) = ([300_u64, 500, 200], 20_000_u32);
        let resampler = Resampler::new(counts);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut sums = [0.0; 3];
        let mut products = [[0.0; 3]; 3];
        for _ in 0..draws {
            let drawn = resampler.draw(&mut rng);
            let away: [f64; 3] = std::array::from_fn(|k| drawn[k] as f64 - counts[k] as f64);
            for i in 0..3 {
                sums[i] += away[i];
                for j in 0..3 {
                    products[i][j] += away[i] * away[j];
                }
            }
        }
        for i in 0..3 {
            // The standard error of a mean is at most √(250/20000) = 0.11; of a covariance, 250·√2/√20000 = 2.5.
            assert!((sums[i] / f64::from(draws)).abs() < 0.5, "mean {i}: {}", sums[i]);
            for j in 0..3 {
                let (p, q) = (counts[i] as f64 / 1000.0, counts[j] as f64 / 1000.0);
                let expected = if i == j {
                    1000.0 * p * (1.0 - p)
                } else {
                    -1000.0 * p * q
                };
                let found = products[i][j] / f64::from(draws);
                assert!(
                    (found - expected).abs() < 11.0,
                    "covariance {i} {j}: {found}, not {expected}"
                );
            }
        }
    }
}
