//! What identification yields: the selected units with their languages, and everything that led to them.

use serde::{Deserialize, Serialize};

use super::{
    config::{Aligned, Lambda, Lape, Method},
    rate::Bar,
    unit::{Shape, Unit},
};

/// Below so many tokens per language the sets depend on chance more than one should like (section 11).
pub const FEW_TOKENS: u64 = 5_000;

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
    pub(super) format: u32,
    pub(super) model: String,
    pub(super) method: Method,
    pub(super) shape: Shape,
    pub(super) languages: Vec<Language>,
    pub(super) lambda: Option<f64>,
    pub(super) threshold: f64,
    pub(super) threshold_rank: Option<usize>,
    pub(super) filter: Option<f64>,
    pub(super) survivors: Option<usize>,
    pub(super) last_selected: Option<f64>,
    pub(super) first_rejected: Option<f64>,
    pub(super) reach: Vec<usize>,
    pub(super) sweep: Vec<Step>,
    pub(super) selected: Vec<Assigned>,
    pub(super) agnostic: Vec<Unit>,
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
