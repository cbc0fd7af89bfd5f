//! How well a part of a text is predicted, as a sum.

use crate::llama::tap::softmax::Perplexity;
use crate::llama::tap::{Block, Predicted, Reads, Reducer};

/// Sum of the negative log-probabilities of a text's tokens, from a position on; adds up over texts. Half the work of
/// [`NextTokens`](super::NextTokens), which keeps every token and the entropies too.
#[derive(Debug, Clone, Default)]
pub struct Likelihood {
    from: usize,
    nats: f64,
    tokens: usize,
}

impl Likelihood {
    /// From now on, only tokens at this position of a text and later count. The first token is never predicted.
    pub fn from(&mut self, position: usize) {
        self.from = position;
    }

    /// The sum, in nats, and the number of tokens that were predicted.
    pub fn sum(&self) -> (f64, usize) {
        (self.nats, self.tokens)
    }

    /// The mean; nothing where no token was predicted.
    pub fn perplexity(&self) -> Option<Perplexity> {
        (self.tokens > 0).then(|| Perplexity {
            tokens: self.tokens,
            nats: self.nats / self.tokens as f64,
        })
    }
}

impl Reducer for Likelihood {
    fn reads(&self) -> Reads {
        Reads::PREDICTIONS
    }

    fn block(&mut self, _: &Block<'_>) {}

    fn predicted(&mut self, predicted: &Predicted<'_>) {
        let logits = predicted.logits;
        let Some(&next) = predicted.next.and_then(|next| logits.get(next)) else {
            return;
        };
        if predicted.position + 1 < self.from {
            return;
        }
        let highest = logits
            .iter()
            .copied()
            .max_by(f32::total_cmp)
            .unwrap_or(f32::NEG_INFINITY);
        // Single precision per term, double for their sum: the error is below 1e-6 nats.
        let sum: f64 = logits.iter().map(|logit| f64::from((logit - highest).exp())).sum();
        self.nats += f64::from(highest) + sum.ln() - f64::from(next);
        self.tokens += 1;
    }
}
