//! Silencing with a model: the losses of every language while the units of one language, or as many random ones, are silent.
//!
//! Units are silenced in the running model: the tap multiplies what they hand to the down-projection by 0, which is what zeroing the gate's output does
//! (specification, section 7.1). Every row of the matrix is on disk before the next begins.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    classes::Setting,
    files::{self, WriteError},
    identified::Identified,
    matrix::{Control, Loss, Losses, Silenced},
    random::{RandomError, matched},
    sequences::Sequences,
    unit::{Shape, Unit},
};
use crate::llama::{Edit, Likelihood, Tap, TapError};

/// The version of stored losses that this program writes and reads.
const FORMAT: u32 = 1;

/// What is silenced, and how it is controlled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Which of a language's units.
    pub setting: Setting,
    /// Random sets in the place of each language's.
    pub draws: u64,
    /// Seed of the first random set; the others' follow it.
    pub seed: u64,
}

/// Everything that decides the losses; a run goes on only where all of it is the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// BLAKE3 of the model's file.
    pub model: String,
    /// BLAKE3 of the file with the identified units.
    pub units: String,
    /// What is silenced.
    pub plan: Plan,
    /// The languages, silenced and evaluated in this order.
    pub languages: Vec<String>,
    /// Per language, the hashes of its texts and how many of their tokens count.
    pub texts: Vec<(Vec<String>, usize)>,
}

/// A row: which set is silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silent {
    /// No unit.
    Nothing,
    /// A language's units.
    Language(String),
    /// As many random units in every layer as that language has there.
    Random {
        /// The language.
        instead_of: String,
        /// The seed.
        seed: u64,
    },
}

/// What the folder holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    terms: Terms,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    silent: Silent,
    units: usize,
    losses: Vec<Loss>,
}

/// What happens while losses are measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// So many rows are to be measured, and so many are there from an earlier run.
    Started {
        /// Rows in all.
        rows: usize,
        /// Rows from before.
        kept: usize,
        /// Tokens that are read for each row.
        tokens: usize,
    },
    /// So many more tokens are read.
    Read(usize),
    /// A row is done and on disk.
    Done(&'a Silent),
}

/// Why silencing failed.
#[derive(Debug, thiserror::Error)]
pub enum SilencingError {
    /// The model failed.
    #[error("failed to evaluate language `{language}` with {silent} silent: {source}")]
    Tap {
        /// The evaluated language.
        language: String,
        /// What is silent.
        silent: String,
        /// Why.
        source: Box<TapError>,
    },
    /// Units could not be silenced.
    #[error("failed to silence {silent}: {source}")]
    Edit {
        /// What was to be silent.
        silent: String,
        /// Why.
        source: Box<TapError>,
    },
    /// No control can be drawn.
    #[error("failed to draw random units in the place of language `{language}`: {source}")]
    Random {
        /// The language.
        language: String,
        /// Why.
        source: RandomError,
    },
    /// The units are another model's.
    #[error(
        "the units were identified in `{of}`, which has {expected}, but this model has {found}: count and identify with this model"
    )]
    Model {
        /// The units' model.
        of: String,
        /// Its shape.
        expected: Shape,
        /// This model's.
        found: Shape,
    },
    /// A language of the texts has no units.
    #[error("no units of language `{language}` were identified, only of {}: leave it out, or count it too", known.join(", "))]
    Unknown {
        /// The language.
        language: String,
        /// Languages with units.
        known: Vec<String>,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The earlier run's file cannot be read.
    #[error("failed to read `{path}`: {reason}; give another folder, or begin again (`--again`)")]
    Stored {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The earlier run was another one.
    #[error(
        "`{path}` holds losses of another model, other units, texts or settings: give another folder, or begin again (`--again`)"
    )]
    Other {
        /// The file.
        path: PathBuf,
    },
}

impl std::fmt::Display for Silent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => write!(f, "nothing"),
            Self::Language(language) => write!(f, "the units of `{language}`"),
            Self::Random { instead_of, seed } => {
                write!(f, "random units instead of those of `{instead_of}` (seed {seed})")
            }
        }
    }
}

/// The loss on a language's texts, with the units silent that the tap silences.
pub fn loss(tap: &mut Tap<'_>, sequences: &Sequences) -> Result<Loss, TapError> {
    let mut likelihood = Likelihood::default();
    for item in sequences.items() {
        likelihood.from(item.full.from);
        tap.read(&item.full.tokens, usize::MAX, &mut likelihood)?;
    }
    let (sum, tokens) = likelihood.sum();
    let tokens = tokens as u64;
    Ok(Loss { sum, tokens })
}

/// Measures every row, going on with what `path` holds of an earlier run.
pub fn silence(
    tap: &mut Tap<'_>,
    identified: &Identified,
    texts: &[Sequences],
    terms: &Terms,
    path: &Path,
    heard: &mut dyn FnMut(Event<'_>),
) -> Result<Losses, SilencingError> {
    let found = Shape::from(tap.ffn());
    if identified.shape() != found {
        return Err(SilencingError::Model {
            of: identified.model().to_owned(),
            expected: identified.shape(),
            found,
        });
    }
    let plan = rows(identified, &terms.languages, terms.plan)?;
    let mut stored = stored(path, terms)?;
    let tokens: usize = texts.iter().map(super::sequences::Sequences::read).sum();
    heard(Event::Started {
        rows: plan.len(),
        kept: stored.rows.len(),
        tokens,
    });
    for (silent, units) in &plan {
        if stored.rows.iter().any(|row| row.silent == *silent) {
            continue;
        }
        let edit = Edit {
            units: units.iter().copied().map(Into::into).collect(),
            scale: 0.0,
        };
        // Without units the tap has nothing to change, and the losses are those of the base to the last bit.
        let edits = if units.is_empty() { Vec::new() } else { vec![edit] };
        tap.set_edits(&edits).map_err(|source| SilencingError::Edit {
            silent: silent.to_string(),
            source: Box::new(source),
        })?;
        let mut losses = Vec::with_capacity(texts.len());
        for sequences in texts {
            losses.push(loss(tap, sequences).map_err(|source| SilencingError::Tap {
                language: sequences.language().to_owned(),
                silent: silent.to_string(),
                source: Box::new(source),
            })?);
            heard(Event::Read(sequences.read()));
        }
        stored.rows.push(Row {
            silent: silent.clone(),
            units: units.len(),
            losses,
        });
        files::json(path, &stored)?;
        heard(Event::Done(silent));
    }
    // Not to surprise who reads with this tap next; it cannot fail without edits.
    let _ = tap.set_edits(&[]);
    Ok(losses(&stored, &terms.languages))
}

/// What is silent in every row, in the order in which rows are measured: controls come last, so that the matrix itself is there first.
fn rows(identified: &Identified, languages: &[String], plan: Plan) -> Result<Vec<(Silent, Vec<Unit>)>, SilencingError> {
    let mut rows = vec![(Silent::Nothing, Vec::new())];
    let mut controls = Vec::new();
    for language in languages {
        let position = identified.position(language).ok_or_else(|| SilencingError::Unknown {
            language: language.clone(),
            known: identified.languages().iter().map(|known| known.name.clone()).collect(),
        })?;
        let units = identified.meant(position, plan.setting);
        for draw in 0..plan.draws {
            let seed = plan.seed.wrapping_add(draw);
            let random = matched(&units, identified.shape(), &BTreeSet::new(), seed);
            let random = random.map_err(|source| SilencingError::Random {
                language: language.clone(),
                source,
            })?;
            let instead_of = language.clone();
            controls.push((Silent::Random { instead_of, seed }, random));
        }
        rows.push((Silent::Language(language.clone()), units));
    }
    rows.extend(controls);
    Ok(rows)
}

fn stored(path: &Path, terms: &Terms) -> Result<Stored, SilencingError> {
    if !path.exists() {
        return Ok(Stored {
            format: FORMAT,
            terms: terms.clone(),
            rows: Vec::new(),
        });
    }
    let fail = |reason: String| SilencingError::Stored {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let stored: Stored = serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
    if stored.format != FORMAT || stored.terms != *terms {
        return Err(SilencingError::Other { path: path.to_owned() });
    }
    Ok(stored)
}

/// The rows in the form of the experiment; a row that is missing leaves its language out, which the matrix refuses.
fn losses(stored: &Stored, languages: &[String]) -> Losses {
    let find = |silent: &Silent| stored.rows.iter().find(|row| row.silent == *silent);
    let base = find(&Silent::Nothing).map_or_else(Vec::new, |row| row.losses.clone());
    let silenced = languages.iter().filter_map(|language| {
        let row = find(&Silent::Language(language.clone()))?;
        let controls = stored.rows.iter().filter_map(|row| match &row.silent {
            Silent::Random { instead_of, seed } if instead_of == language => Some(Control {
                seed: *seed,
                losses: row.losses.clone(),
            }),
            _ => None,
        });
        Some(Silenced {
            units: row.units,
            losses: row.losses.clone(),
            controls: controls.collect(),
        })
    });
    Losses {
        languages: languages.to_vec(),
        base,
        silenced: silenced.collect(),
    }
}

impl From<Unit> for crate::llama::Unit {
    fn from(unit: Unit) -> Self {
        Self {
            layer: unit.layer,
            index: unit.index,
        }
    }
}
