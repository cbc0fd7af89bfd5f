//! Which tokens of a text belong to which region (spec h_neurons, section 2.7).

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Where the parts of a prompt with its response are, in token positions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// A region of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// Positions 0 to U − 2: the last token of the user's part is left out, as the H-Neurons code does.
    Input,
    /// Positions U to N − 2: what introduces the response and the mark that ends it are in it.
    Output,
    /// The tokens that carry the answer.
    AnswerTokens,
    /// The tokens of the response.
    Response,
    /// Everything outside the answer: prompt, mark-up and the first token included.
    AllExceptAnswerTokens,
    /// The same without position 0, whose activations are outliers.
    ExceptAnswerAndFirst,
    /// The tokens of the response outside the answer; empty for most short answers.
    RestOfResponse,
}

impl Region {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Input,
        Self::Output,
        Self::AnswerTokens,
        Self::Response,
        Self::AllExceptAnswerTokens,
        Self::ExceptAnswerAndFirst,
        Self::RestOfResponse,
    ];

    /// What files call it; the first five words are those of the H-Neurons repository where it has the region.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::AnswerTokens => "answer_tokens",
            Self::Response => "response",
            Self::AllExceptAnswerTokens => "all_except_answer_tokens",
            Self::ExceptAnswerAndFirst => "except_answer_and_first",
            Self::RestOfResponse => "rest_of_response",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|region| region.name() == name)
    }

    /// Its positions: ranges that do not overlap and are not empty.
    pub fn positions(self, layout: &Layout) -> Vec<Range<usize>> {
        let Layout {
            user,
            response,
            answer,
            length,
        } = layout;
        let outside = |text: Range<usize>| {
            vec![
                text.start..answer.start.min(text.end),
                answer.end.max(text.start)..text.end,
            ]
        };
        let ranges = match self {
            Self::Input => vec![0..user.saturating_sub(1)],
            Self::Output => vec![*user..length.saturating_sub(1)],
            Self::AnswerTokens => vec![answer.clone()],
            Self::Response => vec![response.clone()],
            Self::AllExceptAnswerTokens => outside(0..*length),
            Self::ExceptAnswerAndFirst => outside(1..*length),
            Self::RestOfResponse => outside(response.clone()),
        };
        ranges.into_iter().filter(|range| !range.is_empty()).collect()
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
        let positions = |region: Region| -> Vec<usize> { region.positions(&layout).into_iter().flatten().collect() };
        assert_eq!(positions(Region::Input), [0, 1, 2]);
        assert_eq!(positions(Region::Output), [4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(positions(Region::AnswerTokens), [7, 8]);
        assert_eq!(
            positions(Region::AllExceptAnswerTokens),
            [0, 1, 2, 3, 4, 5, 6, 9, 10, 11]
        );
        assert_eq!(positions(Region::ExceptAnswerAndFirst), [1, 2, 3, 4, 5, 6, 9, 10, 11]);
        assert_eq!(positions(Region::RestOfResponse), [6, 9]);
        assert_eq!(positions(Region::Response), [6, 7, 8, 9]);
        for region in Region::ALL {
            assert_eq!(Region::named(region.name()), Some(region));
        }
    }
}
