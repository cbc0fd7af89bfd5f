//! How well each token was predicted.

use crate::llama::tap::softmax::{Perplexity, Softmax};
use crate::llama::tap::{Block, Predicted, Reads, Reducer};

/// What the model said after a token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NextToken {
    /// The token's position.
    pub position: usize,
    /// Log-probability of the token that follows, in nats; none after the last.
    pub log_probability: Option<f64>,
    /// Entropy of the prediction, in nats.
    pub entropy: f64,
}

/// Log-probability of the next token and entropy at every position.
#[derive(Debug, Clone, Default)]
pub struct NextTokens {
    tokens: Vec<NextToken>,
}

impl NextTokens {
    /// One entry per token, in the order in which they were read.
    pub fn tokens(&self) -> &[NextToken] {
        &self.tokens
    }

    /// Over all tokens that were predicted; nothing if there was none.
    pub fn perplexity(&self) -> Option<Perplexity> {
        let predicted = || self.tokens.iter().filter_map(|token| token.log_probability);
        let tokens = predicted().count();
        (tokens > 0).then(|| Perplexity {
            tokens,
            nats: -predicted().sum::<f64>() / tokens as f64,
        })
    }
}

impl Reducer for NextTokens {
    fn reads(&self) -> Reads {
        Reads::PREDICTIONS
    }

    fn block(&mut self, _: &Block<'_>) {}

    fn predicted(&mut self, predicted: &Predicted<'_>) {
        let softmax = Softmax::new(predicted.logits);
        let logit = predicted.next.and_then(|next| predicted.logits.get(next));
        self.tokens.push(NextToken {
            position: predicted.position,
            log_probability: logit.map(|&logit| softmax.log_probability(logit)),
            entropy: softmax.entropy,
        });
    }
}
