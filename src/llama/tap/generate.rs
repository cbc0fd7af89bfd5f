//! Text that the model writes while its units are scaled.

use super::reading::Scratch;
use super::{Block, Reads, Reducer, Tap, TapError};
use crate::llama::Token;

/// How text is written: the most probable token each time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Greedy {
    /// Tokens at most.
    pub tokens: usize,
    /// Logits of tokens that the text has already are divided by this where positive and multiplied where negative (arXiv 1909.05858, section 4.1); 1 changes
    /// nothing. Small models repeat themselves without it.
    pub repetition: f32,
}

/// Asks for nothing: only the logits after the last token matter.
struct Nothing;

impl Reducer for Nothing {
    fn reads(&self) -> Reads {
        // Without predictions the tap would stop before the logits.
        Reads::PREDICTIONS
    }

    fn block(&mut self, _: &Block<'_>) {}
}

impl Tap<'_> {
    /// Goes on with a text under the edits in force; what is returned follows the prompt, and ends where the model ends it, where the context is full, or
    /// after as many tokens as are wanted.
    pub fn generate(&mut self, prompt: &[Token], how: Greedy) -> Result<Vec<Token>, TapError> {
        if prompt.is_empty() {
            return Err(TapError::NoTokens);
        }
        if prompt.len() > self.context {
            return Err(TapError::TooLong {
                tokens: prompt.len(),
                context: self.context,
            });
        }
        self.watched.clear();
        let mut scratch = Scratch::default();
        let mut rows = 0;
        for (number, chunk) in prompt.chunks(self.chunk).enumerate() {
            let first = number * self.chunk;
            self.evaluate(chunk, first, usize::MAX, &mut scratch, &mut Nothing)?;
            rows = chunk.len();
        }
        let mut text = prompt.to_vec();
        while text.len() - prompt.len() < how.tokens && text.len() < self.context {
            let Some(token) = most_probable(self.watched.logits(rows - 1), &text, how.repetition) else {
                break;
            };
            if self.model.is_control(token) {
                break;
            }
            self.evaluate(&[token], text.len(), usize::MAX, &mut scratch, &mut Nothing)?;
            rows = 1;
            text.push(token);
        }
        Ok(text.split_off(prompt.len()))
    }
}

/// The token with the highest logit, the first of equal ones; nothing where no logit is a number.
fn most_probable(logits: &[f32], text: &[Token], repetition: f32) -> Option<Token> {
    let mut logits = logits.to_vec();
    let mut seen: Vec<usize> = text.iter().filter_map(|token| usize::try_from(token.0).ok()).collect();
    seen.sort_unstable();
    seen.dedup();
    for token in seen {
        if let Some(logit) = logits.get_mut(token) {
            *logit = if *logit > 0.0 {
                *logit / repetition
            } else {
                *logit * repetition
            };
        }
    }
    let mut best: Option<(usize, f32)> = None;
    for (token, &logit) in logits.iter().enumerate() {
        if !logit.is_nan() && best.is_none_or(|(_, highest)| logit > highest) {
            best = Some((token, logit));
        }
    }
    best.and_then(|(token, _)| i32::try_from(token).ok())
        .map(llama_cpp_2::token::LlamaToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(logits: &[f32], text: &[i32], repetition: f32) -> Option<i32> {
        let text: Vec<Token> = text.iter().copied().map(llama_cpp_2::token::LlamaToken).collect();
        most_probable(logits, &text, repetition).map(|token| token.0)
    }

    #[test]
    fn repeated_tokens_lose_and_the_first_of_equal_ones_wins() {
        assert_eq!(chosen(&[1.0, 3.0, 3.0, f32::NAN], &[], 1.0), Some(1));
        assert_eq!(chosen(&[2.9, 3.0, -1.0], &[1, 1], 1.1), Some(0));
        assert_eq!(chosen(&[-2.0, -1.9], &[1], 1.1), Some(0));
        assert_eq!(chosen(&[f32::NAN], &[], 1.0), None);
    }
}
