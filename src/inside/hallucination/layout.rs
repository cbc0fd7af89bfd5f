//! A prompt with its response in tokens, and which of them belong to which region (spec h_neurons, section 2.7).

use std::ops::Range;

use super::rule::{OtherScope, Region};
use crate::llama;

/// Where the parts of a prompt with its response are, in token positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// U: the tokens of the user's part; what introduces the response comes after it.
    pub user: usize,
    /// The tokens of the response.
    pub response: Range<usize>,
    /// The tokens that carry the answer.
    pub answer: Range<usize>,
    /// N: all tokens, those that end the turn included.
    pub length: usize,
}

impl Layout {
    /// The tokens that a response is scored by. The output is that of the H-Neurons code, positions U to N − 2: what introduces the response and, with some
    /// templates, the mark that ends it are in it.
    pub fn scored(&self, region: Region) -> Range<usize> {
        match region {
            Region::AnswerTokens => self.answer.clone(),
            Region::Output => self.user..self.length.saturating_sub(1).max(self.user),
        }
    }

    /// The tokens that a response is scored by, then those outside.
    pub fn regions(&self, region: Region, scope: OtherScope) -> [llama::Region; 2] {
        let scored = self.scored(region);
        let text = match scope {
            OtherScope::Full => 0..self.length,
            OtherScope::NoBos => 1..self.length,
            OtherScope::Response => self.response.clone(),
        };
        [
            llama::Region::span(scored.clone()),
            llama::Region::outside(&scored, text),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_those_of_the_published_code() {
        // user 0..4 | header 4..6 | response 6..10, answer 7..9 | end 10..12
        let layout = Layout {
            user: 4,
            response: 6..10,
            answer: 7..9,
            length: 12,
        };
        let others = |scope| -> Vec<usize> {
            let [_, others] = layout.regions(Region::AnswerTokens, scope);
            (0..20).filter(|&position| others.contains(position)).collect()
        };
        assert_eq!(layout.scored(Region::AnswerTokens), 7..9);
        assert_eq!(layout.scored(Region::Output), 4..11);
        assert_eq!(others(OtherScope::Full), [0, 1, 2, 3, 4, 5, 6, 9, 10, 11]);
        assert_eq!(others(OtherScope::NoBos), [1, 2, 3, 4, 5, 6, 9, 10, 11]);
        assert_eq!(others(OtherScope::Response), [6, 9]);
    }
}
