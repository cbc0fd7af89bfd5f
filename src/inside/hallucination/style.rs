//! How a question is put to the model (spec h_neurons, sections 2.2 and 10.3). A detector is good for the style that it was trained with.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::questions::{Kind, Question, official};
use super::span::{answer_span, overlapping};
use crate::llama::{Model, Speaker, TemplateError, Turn};

/// A token of a model's vocabulary.
pub(super) type Token = crate::llama::Token;

/// What stands around a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Style {
    /// The model's chat template with the instruction of the H-Neurons code after the question.
    #[serde(rename = "chat-1")]
    Chat,
    /// Five answered questions before it, and the answer ends with its line: for models that follow no instructions.
    #[serde(rename = "few-shot-1")]
    FewShot,
    /// The model's chat template with the question as it is.
    #[serde(rename = "verbatim-1")]
    Verbatim,
}

/// The examples of [`Style::FewShot`]: none of the sets at hand asks them.
const EXAMPLES: [(&str, &str); 5] = [
    ("Which colour is a ripe banana?", "Yellow"),
    ("How many days are in a week?", "7"),
    ("Who wrote the play Romeo and Juliet?", "William Shakespeare"),
    ("What do bees make?", "Honey"),
    ("Which season comes after spring?", "Summer"),
];

/// A prompt with a response, ready to be read.
#[derive(Debug, Clone)]
pub struct Text {
    /// All tokens.
    pub(super) tokens: Vec<Token>,
    /// What is where.
    pub layout: Layout,
    /// The bytes of the response that each of its tokens spells.
    pub pieces: Vec<Range<usize>>,
}

/// Why a response cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The model's chat template fails.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// There is no answer in the response.
    #[error("the response is empty, or the rule for spans finds no answer in it")]
    NoAnswer,
}

impl Style {
    /// All of them, by their versioned names.
    pub const ALL: [Self; 3] = [Self::Chat, Self::FewShot, Self::Verbatim];

    /// What files call it; the number counts up when the wording changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat-1",
            Self::FewShot => "few-shot-1",
            Self::Verbatim => "verbatim-1",
        }
    }

    /// By its name, with or without its version.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|style| style.name() == name || style.name().strip_suffix("-1") == Some(name))
    }

    /// The texts that end an answer.
    pub(super) fn stops(self) -> Vec<String> {
        match self {
            Self::FewShot => vec!["\n".to_owned()],
            Self::Chat | Self::Verbatim => Vec::new(),
        }
    }

    /// Tokens up to the place where the answer begins.
    pub(super) fn opening(self, model: &Model, asked: &str) -> Result<Vec<Token>, TemplateError> {
        match self {
            Self::FewShot => Ok(model.tokens(&few_shot(asked))),
            Self::Chat | Self::Verbatim => model.prompt(&[self.turn(asked)]),
        }
    }

    /// A question with a response that was given to it. The answer is where `answer` says within the response, or where the rule for spans finds it.
    pub fn text(
        self,
        model: &Model,
        asked: &str,
        response: &str,
        answer: Option<Range<usize>>,
    ) -> Result<Text, TextError> {
        let answer = answer.or_else(|| answer_span(response)).ok_or(TextError::NoAnswer)?;
        let (tokens, user, place, before) = match self {
            Self::FewShot => {
                let mut tokens = model.tokens(&few_shot(asked));
                let first = tokens.len();
                // The answer's first token carries the space that separates it.
                let before = usize::from(!response.starts_with(char::is_whitespace));
                let spaced = format!("{}{response}", &" "[..before]);
                tokens.extend(model.plain(&spaced));
                let place = first..tokens.len();
                tokens.extend(model.plain("\n"));
                (tokens, first, place, before)
            }
            Self::Chat | Self::Verbatim => {
                let turns = [
                    self.turn(asked),
                    Turn {
                        speaker: Speaker::Assistant,
                        content: response.to_owned(),
                    },
                ];
                let user = model.conversation(&turns[..1])?.tokens.len();
                let conversation = model.conversation(&turns)?;
                let place = conversation.places.last().cloned().unwrap_or(0..0);
                // Where a template closes the user's turn differently at the end, the response still comes after it.
                (conversation.tokens, user.min(place.start), place, 0)
            }
        };
        let pieces = pieces(model, &tokens[place.clone()], before, response);
        let lengths: Vec<usize> = pieces.iter().map(ExactSizeIterator::len).collect();
        let answer = overlapping(&lengths, &answer).ok_or(TextError::NoAnswer)?;
        let layout = Layout {
            user,
            answer: place.start + answer.start..place.start + answer.end,
            response: place,
            length: tokens.len(),
        };
        Ok(Text { tokens, layout, pieces })
    }

    fn turn(self, asked: &str) -> Turn {
        let content = match self {
            Self::Chat => format!("{} {}", asked.trim(), official::SUFFIX),
            Self::Verbatim | Self::FewShot => asked.to_owned(),
        };
        Turn {
            speaker: Speaker::User,
            content,
        }
    }
}

/// The bytes of the response that each token spells. `before` bytes of the tokens come before it; a tokeniser may put one more space there, or merge white space.
fn pieces(model: &Model, tokens: &[Token], before: usize, response: &str) -> Vec<Range<usize>> {
    let lengths: Vec<usize> = tokens.iter().map(|&token| model.bytes(token).len()).collect();
    let spelled: usize = lengths.iter().sum();
    let mut skip = spelled.saturating_sub(response.len()).max(before);
    let mut at = 0;
    lengths
        .into_iter()
        .map(|length| {
            let skipped = skip.min(length);
            skip -= skipped;
            let start = at;
            at = (at + length - skipped).min(response.len());
            start..at
        })
        .collect()
}

impl Question {
    /// The words that the question is put in.
    pub fn asked(&self) -> String {
        match self.kind {
            Kind::Completion => format!("Complete the sentence: {}", self.text),
            Kind::Answerable | Kind::Invented | Kind::FalsePremise => self.text.clone(),
        }
    }
}

fn few_shot(asked: &str) -> String {
    let examples = EXAMPLES.map(|(question, answer)| format!("Question: {question}\nAnswer: {answer}\n\n"));
    // One line: a question with line breaks would end its own block.
    let asked = asked.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{}Question: {asked}\nAnswer:", examples.concat())
}
