//! Texts to count: plain files, and JSON lines with or without a prefix that does not count.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::parallel;

/// A text to run through the model, of which only the end may count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    text: String,
    /// Bytes of the prefix.
    prefix: usize,
}

impl Sample {
    /// A text that counts from its beginning.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            prefix: 0,
        }
    }

    /// A response that counts, after a prefix that does not. They are put together with nothing between them, as the paper does.
    pub fn response(prefix: &str, response: &str) -> Self {
        Self {
            text: format!("{prefix}{response}"),
            prefix: prefix.len(),
        }
    }

    /// Prefix and response together.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The part that does not count; empty where everything does.
    pub fn prefix(&self) -> &str {
        &self.text[..self.prefix]
    }

    /// The part that counts.
    pub fn response_text(&self) -> &str {
        &self.text[self.prefix..]
    }

    /// Whether there is a part that does not count.
    pub fn has_prefix(&self) -> bool {
        self.prefix > 0
    }
}

/// Which part of texts with a prefix is counted or evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The response, after the prefix.
    #[default]
    Response,
    /// Prefix and response alike.
    Whole,
    /// The prefix alone; the response is not read.
    Prefix,
}

/// The samples of one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corpus {
    /// The language's name.
    pub language: String,
    /// Its samples, in the order of the file.
    pub samples: Vec<Sample>,
    /// BLAKE3 of the file.
    pub hash: String,
}

impl Corpus {
    /// The samples with another part counting. Samples without a prefix stay as they are, except that [`Part::Prefix`] leaves nothing of them.
    #[must_use]
    pub fn part(mut self, part: Part) -> Self {
        let name = match part {
            Part::Response => return self,
            Part::Whole => "whole",
            Part::Prefix => "prefix",
        };
        self.samples
            .retain(|sample| part != Part::Prefix || sample.has_prefix());
        for sample in &mut self.samples {
            *sample = Sample::plain(match part {
                Part::Prefix => sample.prefix(),
                Part::Response | Part::Whole => sample.text(),
            });
        }
        self.hash = format!("{}:{name}", self.hash);
        self
    }

    /// Two halves, of the samples with even and with odd numbers: what is found in both is what the text, not chance, says.
    pub fn halves(self) -> [Self; 2] {
        let mut halves = ["even", "odd"].map(|half| Self {
            language: self.language.clone(),
            samples: Vec::new(),
            hash: format!("{}:{half}", self.hash),
        });
        for (nth, sample) in self.samples.into_iter().enumerate() {
            halves[nth % 2].samples.push(sample);
        }
        halves
    }
}

/// How a plain file becomes samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// Every line that is not blank is a sample.
    #[default]
    Lines,
    /// The file is one sample.
    Whole,
}

/// Why a text cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The file cannot be read.
    #[error("failed to read `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not UTF-8.
    #[error("failed to read `{path}:{line}`: it is not UTF-8; convert the file first (`iconv -t UTF-8`)")]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The first line that is not.
        line: usize,
    },
    /// A line is not such an object.
    #[error(
        "failed to read `{path}:{line}`: {source}; a line is a JSON object with `text`, or with `prefix` and `response` \
         (or `question` and `answer`), and may name its `language`"
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A line does not say what counts.
    #[error(
        "failed to read `{path}:{line}`: a line has either `text`, or `prefix` and `response` (or `question` and `answer`), and no more \
         than that"
    )]
    Fields {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A `.json` file is no object by language.
    #[error(
        "failed to read `{path}:{line}`: {source}; a `.json` file is an object with a list of texts for each language (for one JSON object per line, \
         name it `.jsonl`)"
    )]
    Table {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A text in a `.json` file does not say what counts.
    #[error(
        "failed to read `{path}`: {place} is neither a text, nor an object with `text`, or with `prefix` and `response` (or `question` and \
         `answer`)"
    )]
    Entry {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: String,
    },
    /// There is nothing to count.
    #[error("`{path}` holds no text that counts: give it text, or leave it out")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Fields beyond these, such as ids, are ignored.
#[derive(Deserialize)]
pub(super) struct Line {
    language: Option<String>,
    text: Option<String>,
    #[serde(alias = "question")]
    prefix: Option<String>,
    #[serde(alias = "answer")]
    response: Option<String>,
}

impl Line {
    /// The language that is named, and the sample; no sample where it is not clear what counts.
    pub(super) fn sample(self) -> (Option<String>, Option<Sample>) {
        let sample = match (self.text, self.prefix, self.response) {
            (Some(text), None, None) if !text.is_empty() => Some(Sample::plain(text)),
            (None, Some(prefix), Some(response)) if !response.is_empty() => Some(Sample::response(&prefix, &response)),
            _ => None,
        };
        (self.language, sample)
    }
}

/// The language that a file's name stands for: `texts/sw.txt` is `sw`.
pub fn language_of(path: &Path) -> String {
    path.file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// Reads a file by its extension: `.jsonl` holds JSON lines, `.json` the texts of several languages (see [`super::parallel`]), any other name plain
/// text. Where neither `language` nor a line names the language, the
/// file's name does. A JSONL file may hold several languages; they come in the order of their first lines.
pub fn read(path: &Path, language: Option<&str>, reading: Reading) -> Result<Vec<Corpus>, TextError> {
    let bytes = std::fs::read(path).map_err(|source| TextError::Io {
        path: path.to_owned(),
        source,
    })?;
    let hash = blake3::hash(&bytes).to_hex().to_string();
    let text = std::str::from_utf8(&bytes).map_err(|error| TextError::NotUtf8 {
        path: path.to_owned(),
        line: bytes[..error.valid_up_to()].split(|&byte| byte == b'\n').count(),
    })?;
    // Editors on some systems put a mark before a file's first letter.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let language = language.map_or_else(|| language_of(path), str::to_owned);
    let is = |wanted: &str| {
        path.extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
    };
    let corpora = if is("jsonl") {
        json_lines(text, path, &language, &hash)?
    } else if is("json") {
        parallel::read(text, path, &hash)?
    } else {
        let samples: Vec<Sample> = match reading {
            Reading::Lines => text
                .lines()
                .filter(|line| !line.trim().is_empty())
                .map(Sample::plain)
                .collect(),
            Reading::Whole => Some(text)
                .filter(|text| !text.trim().is_empty())
                .map(Sample::plain)
                .into_iter()
                .collect(),
        };
        vec![Corpus {
            language,
            samples,
            hash,
        }]
    };
    if corpora.iter().all(|corpus| corpus.samples.is_empty()) {
        return Err(TextError::Empty { path: path.to_owned() });
    }
    Ok(corpora)
}

fn json_lines(text: &str, path: &Path, default: &str, hash: &str) -> Result<Vec<Corpus>, TextError> {
    let mut corpora: Vec<Corpus> = Vec::new();
    for (nth, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let (path, nth) = (path.to_owned(), nth + 1);
        let line: Line = match serde_json::from_str(line) {
            Ok(line) => line,
            Err(source) => {
                return Err(TextError::Line {
                    path,
                    line: nth,
                    source,
                });
            }
        };
        let (language, sample) = line.sample();
        let sample = sample.ok_or(TextError::Fields { path, line: nth })?;
        let language = language.unwrap_or_else(|| default.to_owned());
        match corpora.iter_mut().find(|corpus| corpus.language == language) {
            Some(corpus) => corpus.samples.push(sample),
            None => corpora.push(Corpus {
                language,
                samples: vec![sample],
                hash: hash.to_owned(),
            }),
        }
    }
    Ok(corpora)
}
