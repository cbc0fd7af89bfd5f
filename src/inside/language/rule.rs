//! Which positions of a tokenised text count, as rules over numbers of tokens. The rules know no tokenizer: they take how many bytes of text each
//! token stands for.
//!
//! Counting by position is the same quantity as counting question with answer and taking the question away, because attention is causal; it needs
//! one pass instead of two and has no noise between passes (specification, section 3.3).

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Everything that decides which positions are counted. Stored with the counts; runs under different rules do not add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Whether the first position of a sequence counts.
    pub first: First,
    /// How the prefix is left out.
    pub prefix: Prefix,
    /// How text is cut into sequences.
    pub cutting: Cutting,
}

impl Rule {
    /// As the paper on alignment counts: one sample is one sequence, the first position counts, prefixes are taken away afterwards.
    pub const PAPER: Self = Self {
        first: First::Count,
        prefix: Prefix::Subtraction,
        cutting: Cutting::Samples,
    };
}

/// What becomes of position 0. It is the token on which attention rests where it has nowhere else to go: the same units with massive values in every
/// language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum First {
    /// It is not counted (ours).
    #[default]
    Leave,
    /// It is counted (both papers).
    Count,
}

/// How the tokens of a question are kept out of the counts of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Prefix {
    /// One pass; positions from the border on count.
    #[default]
    Position,
    /// Two passes, with and without the answer; their difference counts (the paper).
    Subtraction,
}

/// How text becomes sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Cutting {
    /// Every sample is a sequence.
    #[default]
    Samples,
    /// The samples of a language are one stream, cut into blocks of `length` tokens.
    Blocks {
        /// Tokens per block.
        length: usize,
        /// What becomes of the last, shorter block. LAPE drops it.
        remainder: Remainder,
    },
    /// The samples of a language are one stream, cut into windows of `length` tokens, each of which repeats the last `overlap` tokens of the window
    /// before as context that does not count.
    Windows {
        /// Tokens per window.
        length: usize,
        /// Tokens repeated.
        overlap: usize,
    },
}

/// What becomes of a last block that is not full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Remainder {
    /// It is counted.
    #[default]
    Keep,
    /// It is dropped.
    Drop,
}

/// Why a rule cannot be applied.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RuleError {
    /// Tokens and text do not have the same bytes.
    #[error(
        "the tokens stand for {tokens} bytes of a text of {text}, so the tokenizer rewrites text and the border between prefix and \
         response cannot be found: count by subtraction instead"
    )]
    Rewritten {
        /// Bytes of all tokens.
        tokens: usize,
        /// Bytes of the text.
        text: usize,
    },
    /// A window that moves nowhere.
    #[error("a window of {length} tokens that repeats {overlap} has no new token: let it repeat fewer")]
    Stuck {
        /// Tokens per window.
        length: usize,
        /// Tokens repeated.
        overlap: usize,
    },
}

/// Where the response begins among the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Border {
    /// The first token of which every byte belongs to the response; the number of tokens where there is none.
    pub token: usize,
    /// Whether the token before it holds the end of the prefix and the beginning of the response at once. Subtraction is then not exact either.
    pub straddled: bool,
}

/// Finds the first token of the response. `bytes[i]` is how many bytes of text token `i` stands for, 0 for special tokens such as the one that begins
/// a sequence; `text` is the length of prefix and response together, `prefix` of the prefix alone. Tokenizers that put a space before a text are
/// taken into account.
pub fn border(bytes: &[usize], text: usize, prefix: usize) -> Result<Border, RuleError> {
    let tokens: usize = bytes.iter().sum();
    // SentencePiece begins with a space that the text does not have.
    let Some(added @ 0..=1) = tokens.checked_sub(text) else {
        return Err(RuleError::Rewritten { tokens, text });
    };
    if prefix == 0 {
        let token = bytes.iter().position(|&length| length > 0).unwrap_or(bytes.len());
        return Ok(Border {
            token,
            straddled: false,
        });
    }
    let border = prefix + added;
    let mut start = 0;
    for (token, &length) in bytes.iter().enumerate() {
        if start >= border && length > 0 {
            return Ok(Border {
                token,
                straddled: start > border,
            });
        }
        start += length;
    }
    Ok(Border {
        token: bytes.len(),
        straddled: start > border,
    })
}

impl Rule {
    /// The positions of a sample of `tokens` tokens that count in one pass, where its response begins at `border`. Without a prefix special tokens
    /// at the beginning count as the rule for position 0 says, and the border does not matter.
    pub fn counted(&self, tokens: usize, prefix: usize, border: Border) -> Range<usize> {
        let first = match self.first {
            First::Leave => 1,
            First::Count => 0,
        };
        let from = if prefix == 0 || self.prefix == Prefix::Subtraction {
            first
        } else {
            border.token.max(first)
        };
        from.min(tokens)..tokens
    }

    /// The sequences of a stream of `tokens` tokens, in order; a single one where samples are sequences.
    pub fn windows(&self, tokens: usize) -> Result<Vec<Window>, RuleError> {
        let (length, overlap) = match self.cutting {
            Cutting::Samples => (tokens.max(1), 0),
            Cutting::Blocks { length, .. } => (length, 0),
            Cutting::Windows { length, overlap } => (length, overlap),
        };
        if overlap >= length {
            return Err(RuleError::Stuck { length, overlap });
        }
        let mut windows = Vec::new();
        // The first token that no window has counted yet.
        let mut next = 0;
        while next < tokens {
            let start = if next == 0 { 0 } else { next - overlap };
            let end = (start + length).min(tokens);
            let dropped = matches!(
                self.cutting,
                Cutting::Blocks {
                    remainder: Remainder::Drop,
                    ..
                }
            ) && end - start < length;
            if dropped {
                break;
            }
            let unseen = match self.first {
                First::Leave => next.max(start + 1),
                First::Count => next,
            };
            windows.push(Window {
                fed: start..end,
                counted: unseen.min(end)..end,
            });
            next = end;
        }
        Ok(windows)
    }
}

/// A piece of a stream of tokens that is one sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The tokens that run through the model.
    pub fed: Range<usize>,
    /// The tokens among them that count, as positions in the stream.
    pub counted: Range<usize>,
}
