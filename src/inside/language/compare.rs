//! Two models set against each other: a base model and the same after alignment, an instruct model, a quantised one.
//!
//! Everything that identification yields is relative to the set of languages, so only equal sets compare. Compare once with each model's own λ and
//! thresholds, and once with the first model's ([`Identified::fixed`]): the paper does not say which it used (specification, section 8).

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    classes::{Class, LayerTally},
    identified::Identified,
    overlap::Overlap,
    unit::{Shape, Unit},
};

/// Units that are in a set before and after, only after, or only before; each in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Flow {
    /// In both.
    pub stayed: Vec<Unit>,
    /// After only.
    pub became: Vec<Unit>,
    /// Before only.
    pub ceased: Vec<Unit>,
}

impl Flow {
    fn between(before: impl IntoIterator<Item = Unit>, after: impl IntoIterator<Item = Unit>) -> Self {
        let (before, after): (BTreeSet<Unit>, BTreeSet<Unit>) =
            (before.into_iter().collect(), after.into_iter().collect());
        Self {
            stayed: before.intersection(&after).copied().collect(),
            became: after.difference(&before).copied().collect(),
            ceased: before.difference(&after).copied().collect(),
        }
    }

    /// Units before.
    pub fn before(&self) -> usize {
        self.stayed.len() + self.ceased.len()
    }

    /// Units after.
    pub fn after(&self) -> usize {
        self.stayed.len() + self.became.len()
    }

    /// By how many units the set grew.
    pub fn change(&self) -> i64 {
        signed(self.became.len()) - signed(self.ceased.len())
    }

    /// `|A ∩ B| / |A|`, A the set before; `None` where it was empty.
    pub fn kept(&self) -> Option<f64> {
        (self.before() > 0).then(|| self.stayed.len() as f64 / self.before() as f64)
    }
}

/// A language before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LanguageChange {
    /// The language.
    pub language: String,
    /// Its whole set.
    pub set: Flow,
    /// Units specific to it.
    pub specific: Flow,
    /// Units related to it and to others.
    pub related: Flow,
}

/// A class before and after, whatever the languages: a unit that is specific to one language before and to another after has stayed specific.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassChange {
    /// The class.
    pub class: Class,
    /// Its units.
    pub flow: Flow,
}

/// A layer before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LayerChange {
    /// Units before.
    pub before: LayerTally,
    /// Units after.
    pub after: LayerTally,
}

/// How many units belong to exactly n languages. For n = K these are the agnostic units of the whole model, as the paper counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NumberChange {
    /// n.
    pub languages: usize,
    /// Units before.
    pub before: usize,
    /// Units after.
    pub after: usize,
}

/// From which class to which units went. The last row and column stand for no class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Transitions {
    /// `counts[before][after]` in the order specific, related, agnostic, none.
    counts: [[usize; 4]; 4],
}

impl Transitions {
    /// The number of units of one class before and another after; `None` stands for no class.
    pub fn count(&self, before: Option<Class>, after: Option<Class>) -> usize {
        self.counts[place(before)][place(after)]
    }
}

fn place(class: Option<Class>) -> usize {
    class
        .and_then(|class| Class::ALL.iter().position(|&one| one == class))
        .unwrap_or(Class::ALL.len())
}

/// Everything that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// By language.
    pub languages: Vec<LanguageChange>,
    /// By class.
    pub classes: Vec<ClassChange>,
    /// From class to class.
    pub transitions: Transitions,
    /// By number of languages, n = 1..=K.
    pub numbers: Vec<NumberChange>,
    /// By layer.
    pub layers: Vec<LayerChange>,
    /// The sets before (rows) with the sets after (columns).
    pub overlap: Overlap,
}

/// Why two results do not compare.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CompareError {
    /// The models have different units.
    #[error(
        "the models do not compare: one has {before}, the other {after}; compare models of one architecture and size"
    )]
    Shape {
        /// The first model's.
        before: Shape,
        /// The second model's.
        after: Shape,
    },
    /// The sets of languages differ.
    #[error(
        "the results do not compare: one is over the languages {}, the other over {}; which units a language has depends on the languages \
         beside it, so count and identify both over the same ones in the same order",
        before.join(", "),
        after.join(", ")
    )]
    Languages {
        /// The first result's.
        before: Vec<String>,
        /// The second result's.
        after: Vec<String>,
    },
}

/// Compares two results of models of the same shape over the same languages.
pub fn compare(before: &Identified, after: &Identified) -> Result<Comparison, CompareError> {
    comparable(before, after)?;
    let languages = before.languages().iter().enumerate().map(|(k, language)| {
        let class = |class| Flow::between(before.of_class(k, class), after.of_class(k, class));
        LanguageChange {
            language: language.name.clone(),
            set: Flow::between(before.set(k), after.set(k)),
            specific: class(Class::Specific),
            related: class(Class::Related),
        }
    });
    let (old, new) = (before.classes(), after.classes());
    let of = |classes: &std::collections::BTreeMap<Unit, Class>, class| {
        let units = classes.iter().filter(move |&(_, &own)| own == class);
        units.map(|(&unit, _)| unit).collect::<Vec<_>>()
    };
    let classes = Class::ALL.map(|class| ClassChange {
        class,
        flow: Flow::between(of(&old, class), of(&new, class)),
    });
    let mut counts = [[0; 4]; 4];
    let units: BTreeSet<Unit> = old.keys().chain(new.keys()).copied().collect();
    for unit in &units {
        counts[place(old.get(unit).copied())][place(new.get(unit).copied())] += 1;
    }
    counts[3][3] = before.shape().units() - units.len();
    let (first, second) = (before.tally(), after.tally());
    let all = before.languages().len();
    let number = |n: usize| NumberChange {
        languages: n,
        before: if n == all { first.agnostic } else { first.by_number[n] },
        after: if n == all { second.agnostic } else { second.by_number[n] },
    };
    let layers = first.layers.iter().zip(&second.layers);
    Ok(Comparison {
        languages: languages.collect(),
        classes: classes.into(),
        transitions: Transitions { counts },
        numbers: (1..=all).map(number).collect(),
        layers: layers.map(|(&before, &after)| LayerChange { before, after }).collect(),
        overlap: Overlap::between(before, after),
    })
}

/// Whether two results are over the same languages and units.
pub(super) fn comparable(before: &Identified, after: &Identified) -> Result<(), CompareError> {
    if before.shape() != after.shape() {
        let (before, after) = (before.shape(), after.shape());
        return Err(CompareError::Shape { before, after });
    }
    let names = |identified: &Identified| {
        identified
            .languages()
            .iter()
            .map(|language| language.name.clone())
            .collect::<Vec<_>>()
    };
    let (before, after) = (names(before), names(after));
    if before == after {
        Ok(())
    } else {
        Err(CompareError::Languages { before, after })
    }
}

#[expect(clippy::cast_possible_wrap, reason = "numbers of units are far below 2^63")]
pub(super) fn signed(count: usize) -> i64 {
    count as i64
}
