//! From texts and the counting rule to sequences of tokens that the model reads.

use super::{
    material::Material,
    rule::{Border, Cutting, Prefix, Rule, RuleError, border},
    text::Sample,
};
use crate::llama::{Model, Token};

/// Tokens that are read together, of which those from a position on count.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub(crate) tokens: Vec<Token>,
    pub(crate) from: usize,
}

impl Sequence {
    fn counted(&self) -> usize {
        self.tokens.len() - self.from
    }
}

/// What is read for one text: the text, and its prefix alone where counts of that are taken away.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) full: Sequence,
    pub(crate) prefix: Option<Sequence>,
}

/// A language's sequences.
#[derive(Debug, Clone)]
pub struct Sequences {
    language: String,
    items: Vec<Item>,
    straddled: usize,
    dropped: usize,
}

/// Why texts do not become sequences.
#[derive(Debug, thiserror::Error)]
pub enum SequenceError {
    /// The rule cannot be applied to a text.
    #[error("text {text} of language `{language}`: {source}")]
    Rule {
        /// The language.
        language: String,
        /// Which of its texts, from 1.
        text: usize,
        /// Why not.
        source: RuleError,
    },
    /// The stream of a language cannot be cut so.
    #[error("language `{language}`: {source}")]
    Cut {
        /// The language.
        language: String,
        /// Why not.
        source: RuleError,
    },
    /// A text has more tokens than the model sees.
    #[error(
        "text {text} of language `{language}` has {tokens} tokens, but the model sees {most} at once: cut texts into blocks (`--blocks 1024`) \
         or windows"
    )]
    TooLong {
        /// The language.
        language: String,
        /// Which of its texts, from 1.
        text: usize,
        /// Its tokens.
        tokens: usize,
        /// The model's context.
        most: usize,
    },
    /// A prefix inside a stream.
    #[error(
        "text {text} of language `{language}` has a prefix, which does not count, but texts that are cut into blocks or windows run into each \
         other: leave them uncut, or let the whole text count (`--part whole`)"
    )]
    PrefixInStream {
        /// The language.
        language: String,
        /// Which of its texts, from 1.
        text: usize,
    },
    /// Nothing is left to count.
    #[error("the texts of language `{language}` are too short for anything to count: give longer ones")]
    Nothing {
        /// The language.
        language: String,
    },
}

impl Sequences {
    /// The sequences of a language under a rule: whole ones in order, until `budget` tokens count.
    pub fn new(model: &Model, material: &Material, rule: Rule, budget: Option<usize>) -> Result<Self, SequenceError> {
        let mut sequences = match rule.cutting {
            Cutting::Samples => samples(model, material, rule, budget)?,
            Cutting::Blocks { .. } | Cutting::Windows { .. } => stream(model, material, rule)?,
        };
        sequences.cut(budget);
        if sequences.tokens() == 0 {
            let language = material.language.clone();
            return Err(SequenceError::Nothing { language });
        }
        let most = model.trained_context();
        if let Some(long) = sequences.items.iter().position(|item| item.full.tokens.len() > most) {
            return Err(SequenceError::TooLong {
                language: material.language.clone(),
                text: long + 1,
                tokens: sequences.items[long].full.tokens.len(),
                most,
            });
        }
        Ok(sequences)
    }

    /// The language.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// Tokens that count.
    pub fn tokens(&self) -> usize {
        self.items.iter().map(Item::counted).sum()
    }

    /// Tokens that are read.
    pub fn read(&self) -> usize {
        self.items.iter().map(Item::read).sum()
    }

    /// Tokens of the longest sequence.
    pub fn longest(&self) -> usize {
        self.items.iter().map(|item| item.full.tokens.len()).max().unwrap_or(0)
    }

    /// Texts in which a token holds the end of the prefix and the beginning of the response at once; it does not count.
    pub fn straddled(&self) -> usize {
        self.straddled
    }

    /// Sequences beyond the budget, which are not read.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    /// Drops the sequences that begin when the budget is used up.
    fn cut(&mut self, budget: Option<usize>) {
        let Some(budget) = budget else { return };
        let mut sum = 0;
        let kept = self.items.iter().take_while(|item| {
            let fits = sum < budget;
            sum += item.counted();
            fits
        });
        let kept = kept.count();
        self.dropped += self.items.len() - kept;
        self.items.truncate(kept);
    }
}

impl Item {
    fn counted(&self) -> usize {
        self.full
            .counted()
            .saturating_sub(self.prefix.as_ref().map_or(0, Sequence::counted))
    }

    pub(crate) fn read(&self) -> usize {
        self.full.tokens.len() + self.prefix.as_ref().map_or(0, |prefix| prefix.tokens.len())
    }
}

fn samples(model: &Model, material: &Material, rule: Rule, budget: Option<usize>) -> Result<Sequences, SequenceError> {
    let mut sequences = Sequences {
        language: material.language.clone(),
        items: Vec::new(),
        straddled: 0,
        dropped: 0,
    };
    let mut counted = 0;
    for (nth, sample) in material.samples.iter().enumerate() {
        // Not all of a long file needs to be tokenised.
        if budget.is_some_and(|budget| counted >= budget) {
            sequences.dropped += material.samples.len() - nth;
            break;
        }
        let (item, border) = item(model, sample, rule).map_err(|source| SequenceError::Rule {
            language: material.language.clone(),
            text: nth + 1,
            source,
        })?;
        counted += item.counted();
        sequences.straddled += usize::from(border.straddled);
        sequences.items.push(item);
    }
    Ok(sequences)
}

fn item(model: &Model, sample: &Sample, rule: Rule) -> Result<(Item, Border), RuleError> {
    let tokens = model.tokens(sample.text());
    let (text, prefix) = (sample.text().len(), sample.prefix().len());
    let border = match rule.prefix {
        Prefix::Position if prefix > 0 => {
            let bytes: Vec<usize> = tokens.iter().map(|&token| model.bytes(token).len()).collect();
            border(&bytes, text, prefix)?
        }
        Prefix::Position | Prefix::Subtraction => Border {
            token: 0,
            straddled: false,
        },
    };
    let from = rule.counted(tokens.len(), prefix, border).start;
    let alone = (rule.prefix == Prefix::Subtraction && prefix > 0).then(|| {
        let tokens = model.tokens(sample.prefix());
        let from = rule.counted(tokens.len(), prefix, border).start;
        Sequence { tokens, from }
    });
    let full = Sequence { tokens, from };
    Ok((Item { full, prefix: alone }, border))
}

/// The samples as lines of one text, cut as the rule says. No token is added at the beginning of a piece but the first.
fn stream(model: &Model, material: &Material, rule: Rule) -> Result<Sequences, SequenceError> {
    let language = material.language.clone();
    if let Some(nth) = material.samples.iter().position(Sample::has_prefix) {
        let text = nth + 1;
        return Err(SequenceError::PrefixInStream { language, text });
    }
    let lines: Vec<&str> = material.samples.iter().map(Sample::text).collect();
    let tokens = model.tokens(&lines.join("\n"));
    let windows = rule.windows(tokens.len()).map_err(|source| SequenceError::Cut {
        language: language.clone(),
        source,
    })?;
    let items = windows.into_iter().map(|window| Item {
        full: Sequence {
            from: window.counted.start - window.fed.start,
            tokens: tokens[window.fed].to_vec(),
        },
        prefix: None,
    });
    Ok(Sequences {
        language,
        items: items.collect(),
        straddled: 0,
        dropped: 0,
    })
}
