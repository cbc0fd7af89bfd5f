//! Networks that keep one thing of a sampled network and lose the others: what E must be compared with (spec 7 and 10).

use super::{
    sample::{Sample, SampledMatrix},
    sampler::SplitMix64,
};

/// What a control keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surrogate {
    /// Every sampled matrix's own weights, in random places: scale and tails stay, what distinguishes nodes goes.
    Shuffled,
    /// Every sampled matrix's root mean square alone: Gaussian weights about zero.
    Gaussian,
}

/// A control's sample. `draw` tells repeated controls of one sample apart; equal numbers give equal permutations at every checkpoint.
pub fn surrogate(sample: &Sample, kind: Surrogate, repetition: u64, draw: u64) -> Sample {
    // Seeds of repetitions are small integers: their generators are kept apart from the ones that drew the nodes.
    let mut sampler = SplitMix64::new((1 << 32) + (draw << 16) + repetition);
    let matrices = sample.matrices.iter().map(|matrix| match kind {
        Surrogate::Shuffled => {
            let mut weights = matrix.weights().to_vec();
            sampler.shuffle(&mut weights);
            matrix.with_weights(weights)
        }
        Surrogate::Gaussian => gaussian(matrix, &mut sampler),
    });
    Sample {
        matrices: matrices.collect(),
    }
}

fn gaussian(matrix: &SampledMatrix, sampler: &mut SplitMix64) -> SampledMatrix {
    let one = Sample {
        matrices: vec![matrix.clone()],
    };
    let rms = one.rms();
    matrix.with_weights(matrix.weights().iter().map(|_| rms * sampler.gaussian()).collect())
}

/// The sample with every weight multiplied by `factor`: growth of weights and nothing else.
pub fn rescaled(sample: &Sample, factor: f64) -> Sample {
    let scaled = |matrix: &SampledMatrix| matrix.with_weights(matrix.weights().iter().map(|w| w * factor).collect());
    Sample {
        matrices: sample.matrices.iter().map(scaled).collect(),
    }
}
