//! Counts in the layout of published data: a JSON header, and `[language][layer][unit]` as unsigned 32-bit little-endian integers with nothing else.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    counts::{Counts, CountsError, LanguageCounts},
    origin::Origin,
    unit::Shape,
};

/// The header of published counts: languages in the order of the array's first axis, its other two axes, and the tokens per language.
#[derive(Debug, Clone, Deserialize)]
pub struct Header {
    /// The model.
    #[serde(default)]
    pub model: String,
    /// The languages, in the order of the array.
    pub languages: Vec<String>,
    /// L.
    #[serde(rename = "num_layers")]
    pub layers: usize,
    /// W.
    #[serde(rename = "neurons_per_layer")]
    pub width: usize,
    /// How many tokens were counted per language.
    #[serde(rename = "response_tokens")]
    pub tokens: BTreeMap<String, u64>,
}

/// Why published counts cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PublishedError {
    /// The header cannot be read.
    #[error("failed to read `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The header is something else.
    #[error(
        "failed to read `{path}:{line}` as the header of published counts: {source}; it needs `languages`, `num_layers`, \
         `neurons_per_layer` and `response_tokens`"
    )]
    Header {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A language has no token total.
    #[error(
        "the header names language `{language}` but not how many of its tokens were counted: add it to `response_tokens`"
    )]
    NoTotal {
        /// The language.
        language: String,
    },
    /// The array cannot be read.
    #[error("failed to read the counts: {0}")]
    Array(std::io::Error),
    /// The array is compressed.
    #[error("the counts are compressed with zstd: decompress them first (`zstd -d FILE`)")]
    Compressed,
    /// The array has another size.
    #[error("the counts have {found} bytes, but the header calls for {expected}: the two files do not belong together")]
    Size {
        /// Bytes read.
        found: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// The counts contradict themselves.
    #[error("{0}")]
    Counts(#[from] CountsError),
}

impl Header {
    /// Reads a header from a JSON file; fields beyond the ones needed are ignored.
    pub fn read(path: &Path) -> Result<Self, PublishedError> {
        let text = std::fs::read_to_string(path).map_err(|source| PublishedError::Io {
            path: path.to_owned(),
            source,
        })?;
        serde_json::from_str(&text).map_err(|source| PublishedError::Header {
            path: path.to_owned(),
            line: source.line(),
            source,
        })
    }

    /// Reads the array that belongs to this header, already decompressed.
    pub fn counts(&self, mut array: impl Read) -> Result<Counts, PublishedError> {
        let mut bytes = Vec::new();
        array.read_to_end(&mut bytes).map_err(PublishedError::Array)?;
        if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Err(PublishedError::Compressed);
        }
        let shape = Shape {
            layers: self.layers,
            width: self.width,
        };
        let expected = 4 * shape.units() * self.languages.len();
        if bytes.len() != expected {
            let found = bytes.len();
            return Err(PublishedError::Size { found, expected });
        }
        let mut languages = Vec::new();
        for (nth, language) in self.languages.iter().enumerate() {
            let total = self.tokens.get(language);
            let tokens = *total.ok_or_else(|| PublishedError::NoTotal {
                language: language.clone(),
            })?;
            let own = &bytes[4 * shape.units() * nth..4 * shape.units() * (nth + 1)];
            let (values, _) = own.as_chunks::<4>();
            languages.push(LanguageCounts::new(
                language,
                tokens,
                values.iter().map(|&value| u32::from_le_bytes(value)).collect(),
            )?);
        }
        let origin = Origin {
            model: self.model.clone(),
            ..Origin::default()
        };
        Ok(Counts::new(shape, languages, origin)?)
    }
}
