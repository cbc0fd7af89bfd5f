//! Probabilities from logits, in f64.

/// How well a text was predicted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Perplexity {
    /// Tokens that were predicted.
    pub tokens: usize,
    /// Mean negative log-probability of a token, in nats.
    pub nats: f64,
}

impl Perplexity {
    /// `exp` of the mean negative log-probability.
    pub fn value(&self) -> f64 {
        self.nats.exp()
    }
}

/// The distribution that logits stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Softmax {
    /// ln Σ exp.
    normaliser: f64,
    /// In nats.
    pub(super) entropy: f64,
}

impl Softmax {
    pub(super) fn new(logits: &[f32]) -> Self {
        let mut highest = f32::NEG_INFINITY;
        for &logit in logits {
            if logit > highest {
                highest = logit;
            }
        }
        let highest = f64::from(highest);
        let (mut sum, mut weighted) = (0f64, 0f64);
        for &logit in logits {
            let below = f64::from(logit) - highest;
            let weight = below.exp();
            sum += weight;
            // A token that is ruled out has the logit −∞ and adds nothing.
            if weight > 0.0 {
                weighted += weight * below;
            }
        }
        Self {
            normaliser: highest + sum.ln(),
            entropy: sum.ln() - weighted / sum,
        }
    }

    pub(super) fn log_probability(&self, logit: f32) -> f64 {
        f64::from(logit) - self.normaliser
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_are_uniform() {
        let uniform = Softmax::new(&[3.5; 8]);
        assert!((uniform.entropy - 8f64.ln()).abs() < 1e-12);
        assert!((uniform.log_probability(3.5) + 8f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn large_and_ruled_out_logits_do_no_harm() {
        let sure = Softmax::new(&[1000.0, f32::NEG_INFINITY, 999.0]);
        let p = 1.0 / (1.0 + (-1f64).exp());
        assert!((sure.log_probability(1000.0) - p.ln()).abs() < 1e-12);
        let entropy = -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
        assert!((sure.entropy - entropy).abs() < 1e-12, "{sure:?}");
    }
}
