//! Which units belong to which languages.
//!
//! Each method selects units (about 1 % of the model); a selected unit then belongs to every language in which its probability is above the bar,
//! which may be none. Units above the bar in *all* languages are listed for the whole model: they are the language-agnostic ones.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    aligned,
    config::{Aligned, Lambda, Lape, Method},
    counts::Counts,
    files::{self, WriteError},
    lape,
    probability::{Probabilities, Threshold},
    rank::Smallest,
    rate::{Bar, Rate},
    unit::{Shape, Unit},
};

/// Below so many tokens per language the sets depend on chance more than one should like (section 11).
pub const FEW_TOKENS: u64 = 5_000;

/// The version of stored results that this program writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// A selected unit and the languages that it was assigned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// The unit.
    pub unit: Unit,
    /// Positions in [`Identified::languages`], ascending; empty where no probability passes the bar.
    pub languages: Vec<usize>,
}

/// One value that the search for λ tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The value.
    pub lambda: f64,
    /// `appear[n − 1]`: how many selected units were assigned to exactly n languages, n = 1..=K. Acceptable where the last is 0.
    pub appear: Vec<usize>,
}

/// A language and how much of it was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Language {
    /// Its name.
    pub name: String,
    /// Its tokens.
    pub tokens: u64,
}

/// The units of each language, with everything that led to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identified {
    format: u32,
    model: String,
    method: Method,
    shape: Shape,
    languages: Vec<Language>,
    lambda: Option<f64>,
    threshold: f64,
    threshold_rank: Option<usize>,
    filter: Option<f64>,
    survivors: Option<usize>,
    last_selected: Option<f64>,
    first_rejected: Option<f64>,
    reach: Vec<usize>,
    sweep: Vec<Step>,
    selected: Vec<Assigned>,
    agnostic: Vec<Unit>,
}

/// Why units cannot be identified.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum IdentifyError {
    /// A unit cannot prefer one language to itself.
    #[error("language units need at least two languages, and these counts hold {found}: count another language")]
    OneLanguage {
        /// How many there are.
        found: usize,
    },
    /// The rate selects no unit.
    #[error("a top rate of {} of {units} units selects none: raise it", rate.get())]
    NothingSelected {
        /// The rate.
        rate: Rate,
        /// Units of the model.
        units: usize,
    },
    /// The search's settings are no interval.
    #[error(
        "lambda cannot be searched for between {low} and {high} to a width of {width}: the first must be the smaller, the width above 0"
    )]
    Search {
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
        /// The width.
        width: f64,
    },
    /// Every value tried selects units that belong to all languages.
    #[error(
        "no lambda was found with which no selected unit belongs to all languages, in {} values tried: give lambda as a number, lower the \
         top rate, or count more text",
        sweep.len()
    )]
    NoLambda {
        /// The values tried.
        sweep: Vec<Step>,
    },
}

/// What a method hands over.
pub(super) struct Selection {
    pub(super) chosen: Smallest,
    pub(super) threshold: Threshold,
    pub(super) filter: Option<Threshold>,
    pub(super) survivors: Option<usize>,
    pub(super) lambda: Option<f64>,
    pub(super) sweep: Vec<Step>,
}

/// Identifies the units of each language.
pub fn identify(counts: &Counts, method: Method) -> Result<Identified, IdentifyError> {
    let found = counts.languages().len();
    if found < 2 {
        return Err(IdentifyError::OneLanguage { found });
    }
    let probabilities = Probabilities::of(counts);
    let selection = match method {
        Method::Aligned(settings) => aligned::select(&probabilities, &settings)?,
        Method::Lape(settings) => lape::select(&probabilities, &settings)?,
    };
    let shape = counts.shape();
    let bar = selection.threshold.value;
    let above = |row: &[f64]| -> Vec<usize> { (0..row.len()).filter(|&k| row[k] > bar).collect() };
    let assigned = |&position: &usize| Assigned {
        unit: shape.unit(position),
        languages: above(probabilities.row(position)),
    };
    let mut reach = vec![0; found + 1];
    let mut agnostic = Vec::new();
    for (position, row) in probabilities.rows().enumerate() {
        let n = row.iter().filter(|&&p| p > bar).count();
        reach[n] += 1;
        if n == found {
            agnostic.push(shape.unit(position));
        }
    }
    let languages = counts.languages().iter().map(|language| Language {
        name: language.name().to_owned(),
        tokens: language.tokens(),
    });
    Ok(Identified {
        format: FORMAT,
        model: counts.origin().model.clone(),
        method,
        shape,
        languages: languages.collect(),
        lambda: selection.lambda,
        threshold: bar,
        threshold_rank: selection.threshold.rank,
        filter: selection.filter.map(|filter| filter.value),
        survivors: selection.survivors,
        last_selected: selection.chosen.last,
        first_rejected: selection.chosen.rejected,
        reach,
        sweep: selection.sweep,
        selected: selection.chosen.positions.iter().map(assigned).collect(),
        agnostic,
    })
}

impl Identified {
    /// The model's name.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The method and its settings.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The same method with λ and the bars that were found here, for another model's counts: with "fixed hyper-parameters" (section 8).
    pub fn fixed(&self) -> Method {
        let bar = Bar::Value(self.threshold);
        match self.method {
            Method::Aligned(Aligned { top, lambda, .. }) => Method::Aligned(Aligned {
                top,
                bar,
                lambda: self.lambda.map_or(lambda, Lambda::Fixed),
            }),
            Method::Lape(Lape { top, filter, .. }) => Method::Lape(Lape {
                top,
                bar,
                filter: self.filter.map_or(filter, Bar::Value),
            }),
        }
    }

    /// Number of layers and units of the model.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The languages in the order of the counts.
    pub fn languages(&self) -> &[Language] {
        &self.languages
    }

    /// A language's position, by its name.
    pub fn position(&self, language: &str) -> Option<usize> {
        self.languages.iter().position(|own| own.name == language)
    }

    /// The λ used; none for LAPE.
    pub fn lambda(&self) -> Option<f64> {
        self.lambda
    }

    /// The probability above which a unit belongs to a language, τ.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Which order statistic of all probabilities the threshold is, from 1; none where it was given.
    pub fn threshold_rank(&self) -> Option<usize> {
        self.threshold_rank
    }

    /// LAPE's filter as a probability, and how many units pass it.
    pub fn filter(&self) -> Option<(f64, usize)> {
        self.filter.zip(self.survivors)
    }

    /// The largest score that was selected and the smallest that was not.
    pub fn cut(&self) -> (Option<f64>, Option<f64>) {
        (self.last_selected, self.first_rejected)
    }

    /// The values that the search for λ tried, in order.
    pub fn sweep(&self) -> &[Step] {
        &self.sweep
    }

    /// The selected units, in order.
    pub fn selected(&self) -> &[Assigned] {
        &self.selected
    }

    /// The language-agnostic units of the whole model: above the bar in every language. They are outside the selection as a rule.
    pub fn agnostic(&self) -> &[Unit] {
        &self.agnostic
    }

    /// `reach[n]`: how many units of the whole model, selected or not, are above the bar in exactly n languages, n = 0..=K.
    pub fn reach(&self) -> &[usize] {
        &self.reach
    }

    /// Number of pairs of a language and a unit of its set.
    pub fn pairs(&self) -> usize {
        self.selected.iter().map(|assigned| assigned.languages.len()).sum()
    }

    /// The set of the language at a position: every selected unit that was assigned to it, in order. This is the published mask.
    pub fn set(&self, language: usize) -> Vec<Unit> {
        let own = self
            .selected
            .iter()
            .filter(|assigned| assigned.languages.contains(&language));
        own.map(|assigned| assigned.unit).collect()
    }

    /// The languages with so few tokens that their sets are not to be relied on.
    pub fn thin(&self) -> impl Iterator<Item = &Language> {
        self.languages.iter().filter(|language| language.tokens < FEW_TOKENS)
    }
}

/// Why a stored result cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The file cannot be read.
    #[error("failed to read `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("failed to read `{path}:{line}` as identified language units: {source}; identify them again")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The file is of a newer version.
    #[error("`{path}` has format {found}, and this program reads up to {FORMAT}: use a newer version of the program")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The file contradicts itself.
    #[error("`{path}` names a {what} that its own header does not have: identify the units again")]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// A unit or a language.
        what: &'static str,
    },
}

/// Only this much is read first, so that a newer file is refused by its version and not by a field that this program does not know.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Identified {
    /// Writes everything as JSON.
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        files::json(path, self)
    }

    /// Reads what [`Identified::write`] wrote.
    pub fn read(path: &Path) -> Result<Self, StoredError> {
        let path = path.to_owned();
        let text = std::fs::read_to_string(&path).map_err(|source| StoredError::Io {
            path: path.clone(),
            source,
        })?;
        let malformed = |source: serde_json::Error| StoredError::Malformed {
            path: path.clone(),
            line: source.line(),
            source,
        };
        let Version { format } = serde_json::from_str(&text).map_err(malformed)?;
        if format > FORMAT {
            return Err(StoredError::Newer { path, found: format });
        }
        let read: Self = serde_json::from_str(&text).map_err(malformed)?;
        let selected = || read.selected.iter();
        if !selected()
            .map(|assigned| assigned.unit)
            .chain(read.agnostic.iter().copied())
            .all(|unit| read.shape.has(unit))
        {
            return Err(StoredError::Contradiction { path, what: "unit" });
        }
        if !selected()
            .flat_map(|assigned| &assigned.languages)
            .all(|&k| k < read.languages.len())
        {
            return Err(StoredError::Contradiction { path, what: "language" });
        }
        Ok(read)
    }
}
