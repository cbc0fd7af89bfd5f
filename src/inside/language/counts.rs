//! How often each unit was active in each language.
//!
//! A unit is active on a token where the gate's output after the non-linearity is greater than zero. SiLU, GELU and ReLU keep the sign of their
//! input, so the pre-activation is compared (specification, section 3.1). Counts of runs add up; a run over questions can be taken away from a
//! run over questions with answers.

use super::{
    origin::Origin,
    unit::{Shape, Unit},
};

/// Counts of one language: on how many of `tokens` tokens each unit was active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanguageCounts {
    name: String,
    tokens: u64,
    /// `[layer][unit]`, flat.
    active: Vec<u32>,
}

impl LanguageCounts {
    /// The language's name, usually its ISO 639-1 code.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many tokens were counted.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// On how many tokens each unit was active: `[layer][unit]`, flat.
    pub fn active(&self) -> &[u32] {
        &self.active
    }
}

/// Counts of a model in several languages, in a fixed order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    shape: Shape,
    languages: Vec<LanguageCounts>,
    origin: Origin,
}

/// Why counts do not fit together.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CountsError {
    /// An array has the wrong length.
    #[error(
        "the counts of language `{language}` hold {found} units, but the model has {shape}: count again with this model"
    )]
    Length {
        /// The language.
        language: String,
        /// How many units were given.
        found: usize,
        /// The model.
        shape: Shape,
    },
    /// A language appears twice.
    #[error("language `{language}` appears twice: give each language one name and one set of texts")]
    Repeated {
        /// The language.
        language: String,
    },
    /// No token was counted.
    #[error("no token of language `{language}` was counted: give it text, or leave it out")]
    NoTokens {
        /// The language.
        language: String,
    },
    /// Two sets of counts differ in something that forbids combining them.
    #[error("these counts cannot be combined: they differ in `{field}`; count both with the same settings")]
    Differ {
        /// What differs.
        field: &'static str,
    },
    /// The same text would be counted twice.
    #[error(
        "these counts share a text of language `{language}` (hash `{hash}`), which would count twice: leave it out of one"
    )]
    Twice {
        /// The language.
        language: String,
        /// The text's hash.
        hash: String,
    },
    /// More tokens than a count can hold.
    #[error("the counts of language `{language}` pass 4,294,967,295: use less text")]
    Overflow {
        /// The language.
        language: String,
    },
    /// Layers saw different numbers of tokens.
    #[error(
        "while counting language `{language}`, layer 0 saw {first} tokens but layer {layer} saw {other}: request the outputs of every \
         token, or the last layers see only some"
    )]
    Uneven {
        /// The language.
        language: String,
        /// Tokens in layer 0.
        first: u64,
        /// The layer that differs.
        layer: usize,
        /// Tokens there.
        other: u64,
    },
    /// A batch names a layer or has a width that the model lacks.
    #[error("a batch of layer {layer} with {width} units does not fit a model of {shape}")]
    Batch {
        /// The layer named.
        layer: usize,
        /// Units in the batch.
        width: usize,
        /// The model.
        shape: Shape,
    },
}

/// What was clamped when a prefix run was taken away from a full run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clamped {
    /// Entries (language, unit) where the prefix run counted more than the full run. They are small numeric differences between the runs.
    pub entries: usize,
}

impl Counts {
    /// Puts the counts of several languages together; their order is kept.
    pub fn new(shape: Shape, languages: Vec<LanguageCounts>, origin: Origin) -> Result<Self, CountsError> {
        for (nth, language) in languages.iter().enumerate() {
            let name = || language.name.clone();
            if language.active.len() != shape.units() {
                let found = language.active.len();
                return Err(CountsError::Length {
                    language: name(),
                    found,
                    shape,
                });
            }
            if language.tokens == 0 {
                return Err(CountsError::NoTokens { language: name() });
            }
            if languages.iter().take(nth).any(|before| before.name == language.name) {
                return Err(CountsError::Repeated { language: name() });
            }
        }
        Ok(Self {
            shape,
            languages,
            origin,
        })
    }

    /// Number of layers and units.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The languages in their order.
    pub fn languages(&self) -> &[LanguageCounts] {
        &self.languages
    }

    /// What was counted.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The same counts with the languages named, in that order; `None` where one is missing. Comparisons need equal sets of languages.
    pub fn only<S: AsRef<str>>(&self, names: &[S]) -> Option<Self> {
        let find = |name: &S| {
            self.languages
                .iter()
                .find(|language| language.name == name.as_ref())
                .cloned()
        };
        Some(Self {
            shape: self.shape,
            languages: names.iter().map(find).collect::<Option<Vec<_>>>()?,
            origin: self.origin.clone(),
        })
    }

    /// Adds another run of the same model under the same rule: counts and tokens add up (section 10). Languages of either run are kept, the
    /// first run's first.
    pub fn plus(mut self, other: &Self) -> Result<Self, CountsError> {
        self.same_model(other)?;
        if let Some((language, hash)) = self.origin.common_text(&other.origin) {
            let (language, hash) = (language.to_owned(), hash.to_owned());
            return Err(CountsError::Twice { language, hash });
        }
        for added in &other.languages {
            let Some(own) = self.languages.iter_mut().find(|own| own.name == added.name) else {
                self.languages.push(added.clone());
                continue;
            };
            own.tokens += added.tokens;
            for (count, more) in own.active.iter_mut().zip(&added.active) {
                *count = count.checked_add(*more).ok_or_else(|| CountsError::Overflow {
                    language: own.name.clone(),
                })?;
            }
        }
        for (language, hashes) in &other.origin.texts {
            self.origin
                .texts
                .entry(language.clone())
                .or_default()
                .extend(hashes.iter().cloned());
        }
        Ok(self)
    }

    /// Takes the run over the prefixes alone away from the run over prefixes with answers, which leaves the answers (section 3.3):
    /// `c = max(full − prefix, 0)`, `T = max(T_full − T_prefix, 1)`. A probability may then pass 1 by a little where the two runs differ numerically;
    /// it is left so.
    pub fn minus(mut self, prefix: &Self) -> Result<(Self, Clamped), CountsError> {
        self.same_model(prefix)?;
        if !self
            .languages
            .iter()
            .map(|own| &own.name)
            .eq(prefix.languages.iter().map(|other| &other.name))
        {
            return Err(CountsError::Differ { field: "languages" });
        }
        let mut entries = 0;
        for (full, prefix) in self.languages.iter_mut().zip(&prefix.languages) {
            full.tokens = full.tokens.saturating_sub(prefix.tokens).max(1);
            for (count, less) in full.active.iter_mut().zip(&prefix.active) {
                entries += usize::from(*count < *less);
                *count = count.saturating_sub(*less);
            }
        }
        Ok((self, Clamped { entries }))
    }

    fn same_model(&self, other: &Self) -> Result<(), CountsError> {
        if self.shape != other.shape {
            return Err(CountsError::Differ { field: "shape" });
        }
        self.origin
            .differs(&other.origin)
            .map_or(Ok(()), |field| Err(CountsError::Differ { field }))
    }
}

/// Adds up one language while its text runs through the model.
#[derive(Debug, Clone)]
pub struct Accumulator {
    language: String,
    shape: Shape,
    active: Vec<u32>,
    /// Tokens seen, per layer.
    tokens: Vec<u64>,
}

impl Accumulator {
    /// Nothing of the language counted yet.
    pub fn new(language: impl Into<String>, shape: Shape) -> Self {
        Self {
            language: language.into(),
            shape,
            active: vec![0; shape.units()],
            tokens: vec![0; shape.layers],
        }
    }

    /// Counts one token of one layer from the gate's pre-activations, `[unit]`: strictly greater than zero is active.
    pub fn token(&mut self, layer: usize, gate: &[f32]) -> Result<(), CountsError> {
        let row = self.row(layer, gate.len(), 1)?;
        for (count, value) in row.iter_mut().zip(gate) {
            *count += u32::from(*value > 0.0);
        }
        Ok(())
    }

    /// Adds counts of a batch of `tokens` tokens of one layer that were reduced elsewhere; `active` is `[unit]`.
    pub fn batch(&mut self, layer: usize, active: &[u32], tokens: u64) -> Result<(), CountsError> {
        let row = self.row(layer, active.len(), tokens)?;
        for (count, more) in row.iter_mut().zip(active) {
            *count += more;
        }
        Ok(())
    }

    /// The counts of the language, if every layer saw the same tokens.
    pub fn finish(self) -> Result<LanguageCounts, CountsError> {
        let name = self.language;
        let first = self.tokens.first().copied().unwrap_or(0);
        if let Some(layer) = self.tokens.iter().position(|&tokens| tokens != first) {
            let other = self.tokens[layer];
            return Err(CountsError::Uneven {
                language: name,
                first,
                layer,
                other,
            });
        }
        LanguageCounts::new(name, first, self.active)
    }

    /// The counts of a layer, which is about to see `more` tokens.
    fn row(&mut self, layer: usize, width: usize, more: u64) -> Result<&mut [u32], CountsError> {
        let shape = self.shape;
        if width != shape.width || layer >= shape.layers {
            return Err(CountsError::Batch { layer, width, shape });
        }
        self.tokens[layer] += more;
        // No count passes the number of tokens.
        if u32::try_from(self.tokens[layer]).is_err() {
            let language = self.language.clone();
            return Err(CountsError::Overflow { language });
        }
        let start = shape.position(Unit { layer, index: 0 });
        Ok(&mut self.active[start..start + width])
    }
}

impl LanguageCounts {
    /// Counts made elsewhere: `active` is `[layer][unit]`, flat.
    pub fn new(name: impl Into<String>, tokens: u64, active: Vec<u32>) -> Result<Self, CountsError> {
        let name = name.into();
        if tokens == 0 {
            return Err(CountsError::NoTokens { language: name });
        }
        Ok(Self { name, tokens, active })
    }
}
