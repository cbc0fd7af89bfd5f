//! Counting with a model: texts run through its tap, and what is counted of each language is on disk before the next begins.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    counts::{Accumulator, Counts, CountsError, LanguageCounts},
    files::WriteError,
    material::Material,
    origin::Origin,
    rule::Rule,
    sequences::{Item, Sequence, Sequences},
    store::ReadError,
    unit::Shape,
};
use crate::llama::{self, Gate, Model, Source, Tap, TapError, Weights, WeightsError};

/// What happens while languages are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A language begins, of which so many tokens are read.
    Started {
        /// The language.
        language: &'a str,
        /// Tokens.
        tokens: usize,
    },
    /// So many more tokens are read.
    Read(usize),
    /// A language is done and on disk.
    Done {
        /// The language.
        language: &'a str,
    },
    /// A language was counted before, by a run that was interrupted.
    Kept {
        /// The language.
        language: &'a str,
    },
}

/// What is done with languages that were counted into a folder before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Their counts stay.
    Keep,
    /// They are counted again.
    Again,
}

/// Counts with how exact they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The counts.
    pub counts: Counts,
    /// Entries where a prefix alone counted more than prefix and response together; 0 unless prefixes are taken away.
    pub clamped: usize,
}

/// Why counting failed.
#[derive(Debug, thiserror::Error)]
pub enum CountingError {
    /// The model could not be read.
    #[error("failed to count language `{language}`: {source}")]
    Tap {
        /// The language.
        language: String,
        /// Why not.
        source: TapError,
    },
    /// Counts do not fit together.
    #[error(transparent)]
    Counts(#[from] CountsError),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file of an earlier run could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The folder holds counts of something else.
    #[error(
        "`{path}` was counted with another {field}: give another folder, or count again from the beginning (`--again`)"
    )]
    Other {
        /// The file.
        path: PathBuf,
        /// What differs.
        field: &'static str,
    },
}

/// Where counts come from: the model's file with its hash, and the rule. Texts are added as they are counted.
pub fn origin(model: &Model, name: &str, rule: Rule) -> Result<Origin, WeightsError> {
    let weights = Weights::open(model.path())?;
    let gate = match weights.ffn()?.gate {
        Gate::Separate => "blk.0.ffn_gate.weight",
        Gate::Fused | Gate::Absent => "blk.0.ffn_up.weight",
    };
    Ok(Origin {
        model: name.to_owned(),
        model_hash: Some(model.digest().to_owned()),
        architecture: Some(model.architecture()),
        quantisation: Some(weights.tensor(gate)?.format_name()),
        rule: Some(rule),
        texts: BTreeMap::new(),
        program: concat!("widedeep ", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

/// Counts one language: on how many tokens every unit's gate is open.
pub fn language(
    tap: &mut Tap<'_>,
    sequences: &Sequences,
    heard: &mut dyn FnMut(Event<'_>),
) -> Result<Counted, CountingError> {
    let failed = |source| CountingError::Tap {
        language: sequences.language().to_owned(),
        source,
    };
    // Without a gate, the non-linearity is applied to what `ffn_up` gives (section 3.1).
    let source = match tap.ffn().gate {
        Gate::Separate | Gate::Fused => Source::Gate,
        Gate::Absent => Source::Up,
    };
    let mut full = llama::Counts::new(tap.ffn(), source);
    let mut prefix = llama::Counts::new(tap.ffn(), source);
    let add = |tap: &mut Tap<'_>, sequence: &Sequence, counts: &mut llama::Counts| {
        tap.read(&sequence.tokens, sequence.from, counts)
    };
    for item in sequences.items() {
        add(tap, &item.full, &mut full).map_err(failed)?;
        if let Some(alone) = &item.prefix {
            add(tap, alone, &mut prefix).map_err(failed)?;
        }
        heard(Event::Read(Item::read(item)));
    }
    let shape = Shape::from(tap.ffn());
    let counts = |counts: &llama::Counts| -> Result<Counts, CountsError> {
        let language = accumulated(sequences.language(), shape, counts)?;
        Counts::new(shape, vec![language], Origin::default())
    };
    let full = counts(&full)?;
    if prefix.tokens() == 0 {
        return Ok(Counted {
            counts: full,
            clamped: 0,
        });
    }
    let (counts, clamped) = full.minus(&counts(&prefix)?)?;
    let clamped = clamped.entries;
    Ok(Counted { counts, clamped })
}

fn accumulated(language: &str, shape: Shape, counts: &llama::Counts) -> Result<LanguageCounts, CountsError> {
    let mut accumulator = Accumulator::new(language, shape);
    for layer in 0..shape.layers {
        let overflow = |_| CountsError::Overflow {
            language: language.to_owned(),
        };
        let active: Vec<u32> = counts
            .layer(layer)
            .iter()
            .map(|&count| u32::try_from(count))
            .collect::<Result<_, _>>()
            .map_err(overflow)?;
        accumulator.batch(layer, &active, counts.layer_tokens(layer))?;
    }
    accumulator.finish()
}

/// Counts languages into a folder: each has files of its own, `NAME.npy` and `NAME.json`, which appear when it is done, so that an interrupted run goes
/// on after the last one that was.
pub fn into_folder(
    tap: &mut Tap<'_>,
    folder: &Path,
    origin: &Origin,
    languages: &[(Material, Sequences)],
    before: Before,
    heard: &mut dyn FnMut(Event<'_>),
) -> Result<Counted, CountingError> {
    std::fs::create_dir_all(folder).map_err(|source| WriteError {
        path: folder.to_owned(),
        source,
    })?;
    let mut sum: Option<Counts> = None;
    let mut clamped = 0;
    for (material, sequences) in languages {
        let path = folder.join(format!("{}.npy", material.language));
        let mut origin = origin.clone();
        origin
            .texts
            .insert(material.language.clone(), hashes(material, sequences));
        let counts = if let Some(counts) = kept(&path, &origin, before)? {
            heard(Event::Kept {
                language: &material.language,
            });
            counts
        } else {
            heard(Event::Started {
                language: &material.language,
                tokens: sequences.read(),
            });
            let counted = language(tap, sequences, heard)?;
            clamped += counted.clamped;
            let counts = Counts::new(counted.counts.shape(), counted.counts.languages().to_vec(), origin)?;
            counts.write(&path)?;
            heard(Event::Done {
                language: &material.language,
            });
            counts
        };
        sum = Some(match sum {
            Some(sum) => sum.plus(&counts)?,
            None => counts,
        });
    }
    let counts = match sum {
        Some(counts) => counts,
        None => Counts::new(Shape::from(tap.ffn()), Vec::new(), origin.clone())?,
    };
    Ok(Counted { counts, clamped })
}

/// Hashes that name what was read of the texts, too.
fn hashes(material: &Material, sequences: &Sequences) -> Vec<String> {
    let cut = |hash: &String| match sequences.dropped() {
        0 => hash.clone(),
        _ => format!("{hash}:first {} tokens", sequences.tokens()),
    };
    material.hashes.iter().map(cut).collect()
}

/// The counts of a language that an earlier run left.
fn kept(path: &Path, origin: &Origin, before: Before) -> Result<Option<Counts>, CountingError> {
    if before == Before::Again || !path.with_extension("json").exists() {
        return Ok(None);
    }
    let counts = Counts::read(path)?;
    let other = |field| CountingError::Other {
        path: path.to_owned(),
        field,
    };
    if let Some(field) = counts.origin().differs(origin) {
        return Err(other(field));
    }
    if counts.origin().texts != origin.texts {
        return Err(other("text, or with another number of tokens"));
    }
    Ok(Some(counts))
}
