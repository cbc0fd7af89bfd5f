//! The tokens that top-p leaves, without an exponential function call, a record and a comparison for each token of the vocabulary.
//!
//! [Holtzman et al. 2020](https://arxiv.org/abs/1904.09751): the fewest most probable tokens whose probabilities sum to p. What llama.cpp's sampler
//! does with sorted records of all tokens is done here with passes over plain numbers that compilers turn into vector instructions; only the
//! tokens that may belong to the nucleus are sorted.

/// Numbers that are summed side by side.
const LANES: usize = 16;

/// Finds nuclei; its lists are kept from token to token, for the room.
#[derive(Debug, Default)]
pub(super) struct Nucleus {
    /// Of every token, in proportion to its probability.
    weights: Vec<f32>,
    kept: Vec<usize>,
}

impl Nucleus {
    /// The nucleus of mass `top_p` of the distribution that logits stand for: positions, the most probable first and of equal ones the first. Never
    /// empty unless there are no logits; `best` is the position of the largest. A `top_p` of 1 leaves all.
    pub(super) fn of(&mut self, logits: &[f32], best: usize, top_p: f32) -> &[usize] {
        let Some(&most) = logits.get(best) else {
            return &[];
        };
        let Self { weights, kept } = self;
        weights.clear();
        weights.extend(logits.iter().map(|logit| exp(logit - most)));
        let wanted = top_p * mass(weights, 0.0);
        // Bounds from coarse to fine: mostly the first ones leave few tokens that have the mass.
        let enough = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6]
            .into_iter()
            .find(|&least| mass(weights, least) >= wanted);
        let least = enough.unwrap_or(0.0);
        kept.clear();
        kept.extend((0..weights.len()).filter(|&at| at == best || weights[at] >= least));
        kept.sort_unstable_by(|&one, &other| logits[other].total_cmp(&logits[one]).then(one.cmp(&other)));
        let mut sum = 0.0;
        let whole = kept.iter().position(|&at| {
            sum += weights[at];
            sum >= wanted
        });
        kept.truncate(whole.map_or(kept.len(), |last| last + 1));
        kept
    }
}

/// The sum of the weights that are not less than a bound.
fn mass(weights: &[f32], least: f32) -> f32 {
    let counted = |weight: f32| if weight >= least { weight } else { 0.0 };
    let mut sums = [0.0_f32; LANES];
    let chunks = weights.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (sum, &weight) in sums.iter_mut().zip(chunk) {
            *sum += counted(weight);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|&weight| counted(weight)).sum::<f32>()
}

/// e^x of a number that is not positive, within 4e-7 of it in proportion; below -80 that of -80, 2e-35, which no sum of a vocabulary notices.
/// Standard: x = n ln 2 + r, a polynomial for e^r, and n added to the exponent. No call and no branch, so that many are computed at once.
fn exp(x: f32) -> f32 {
    /// Added and taken away again it rounds to whole numbers, and its last bits are that number.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts (Cody and Waite): multiples of the first are exact.
    const LN_2: (f32, f32) = (355.0 / 512.0, -2.121_944_4e-4);
    let x = if x > -80.0 { x } else { -80.0 };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2.0) - n * LN_2.1;
    let e_r = 1.0 + r * (1.0 + r * (1.0 / 2.0 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r / 720.0)))));
    f32::from_bits(e_r.to_bits().wrapping_add(shifted.to_bits() << 23))
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::{Nucleus, exp};

    #[test]
    fn exponentials_are_as_near_as_they_say() {
        for step in 0..8000_u16 {
            let x = -f32::from(step) / 100.0;
            let (found, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((found / exact - 1.0).abs() < 4e-7, "{x}: {found} and not {exact}");
        }
        assert!((exp(0.0) - 1.0).abs() < 1e-12);
        assert!(exp(f32::NEG_INFINITY) < 1e-30 && exp(-1e30) < 1e-30);
    }

    #[test]
    fn it_is_the_shortest_head_of_the_sorted_distribution() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut nucleus = Nucleus::default();
        for (size, spread, top_p) in [
            (5, 1.0, 0.5),
            (1000, 3.0, 0.9),
            (50_000, 2.0, 0.95),
            (3000, 0.0, 0.3),
            (200, 8.0, 1.0),
        ] {
            let logits: Vec<f32> = (0..size)
                .map(|_| 7.0 + spread * rng.random_range(-4.0_f32..4.0))
                .collect();
            let mut order: Vec<usize> = (0..size).collect();
            order.sort_by(|&one, &other| logits[other].total_cmp(&logits[one]));
            let all: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
            let share = |kept: &[usize]| kept.iter().map(|&at| f64::from(logits[at]).exp()).sum::<f64>() / all;
            let kept = nucleus.of(&logits, order[0], top_p).to_vec();
            assert_eq!(kept, order[..kept.len()], "{size} {top_p}");
            // Up to the rounding of sums of 32-bit numbers.
            assert!(share(&kept) > f64::from(top_p) - 1e-5, "{size} {top_p}");
            assert!(
                share(&kept[..kept.len() - 1]) < f64::from(top_p) + 1e-5,
                "{size} {top_p}"
            );
        }
        assert_eq!(nucleus.of(&[1.0, 1.0, f32::NEG_INFINITY], 0, 0.9), [0, 1]);
        assert_eq!(nucleus.of(&[], 0, 0.9), [0; 0]);
        assert!(nucleus.of(&[f32::NAN, 1.0], 0, 0.9).contains(&0));
    }
}
