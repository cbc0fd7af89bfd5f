//! The texts of each language, out of all the files that hold some of them.

use super::{
    text::{Corpus, Sample},
    unit::Shape,
};
use crate::llama::Ffn;

/// One language's texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Material {
    /// The language.
    pub language: String,
    /// Its samples, file after file.
    pub samples: Vec<Sample>,
    /// Hashes of what they come from.
    pub hashes: Vec<String>,
}

/// Why texts are not material.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MaterialError {
    /// A language is asked for of which there is no text.
    #[error("no text of language `{language}` was given, only of {}: give a file named after it, or write `{language}=FILE`", known.join(", "))]
    NoText {
        /// The language.
        language: String,
        /// Languages with text.
        known: Vec<String>,
    },
    /// A language's name cannot be a file's.
    #[error("`{language}` is no name for a language: use letters, digits, `-` and `_`, such as `sw` or `zh-Hans`")]
    Name {
        /// The name.
        language: String,
    },
}

/// Puts texts of the same language together; languages come in the order given, or else in that of their first texts.
pub fn gather(corpora: impl IntoIterator<Item = Corpus>, languages: &[String]) -> Result<Vec<Material>, MaterialError> {
    let mut all: Vec<Material> = Vec::new();
    for corpus in corpora {
        if corpus.samples.is_empty() {
            continue;
        }
        let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_');
        if corpus.language.is_empty() || !corpus.language.chars().all(plain) {
            let language = corpus.language;
            return Err(MaterialError::Name { language });
        }
        match all.iter_mut().find(|material| material.language == corpus.language) {
            Some(material) => {
                material.samples.extend(corpus.samples);
                material.hashes.push(corpus.hash);
            }
            None => all.push(Material {
                language: corpus.language,
                samples: corpus.samples,
                hashes: vec![corpus.hash],
            }),
        }
    }
    if languages.is_empty() {
        return Ok(all);
    }
    let find = |language: &String| {
        let found = all.iter().find(|material| material.language == *language);
        found.cloned().ok_or_else(|| MaterialError::NoText {
            language: language.clone(),
            known: all.iter().map(|material| material.language.clone()).collect(),
        })
    };
    languages.iter().map(find).collect()
}

impl From<&Ffn> for Shape {
    fn from(ffn: &Ffn) -> Self {
        Self {
            layers: ffn.layers,
            width: ffn.units,
        }
    }
}
