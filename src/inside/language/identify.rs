//! Which units belong to which languages.
//!
//! Each method selects units (about 1 % of the model); a selected unit then belongs to every language in which its probability is above the bar,
//! which may be none. Units above the bar in *all* languages are listed for the whole model: they are the language-agnostic ones.

use super::{
    aligned,
    config::Method,
    counts::Counts,
    identified::{Assigned, Identified, Language, Step},
    lape,
    probability::{Probabilities, Threshold},
    rank::Smallest,
    rate::Rate,
    stored::FORMAT,
};

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
