//! Specific, related and agnostic units.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{identified::Identified, unit::Unit};

/// What a unit is, by the number N of the K languages that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Selected, N = 1.
    Specific,
    /// Selected, 1 < N < K.
    Related,
    /// N = K, selected or not: "general" in later versions of the paper.
    Agnostic,
}

impl Class {
    /// All classes, in the order of tables.
    pub const ALL: [Self; 3] = [Self::Specific, Self::Related, Self::Agnostic];

    /// The class's name in tables and figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Specific => "specific",
            Self::Related => "related",
            Self::Agnostic => "agnostic",
        }
    }
}

/// Which of a language's units are meant where they are silenced, scaled or compared (section 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// (a) Its specific units.
    Specific,
    /// (b) Its specific and related units: the published mask.
    #[default]
    SpecificAndRelated,
    /// (c) These and the agnostic units of the whole model.
    WithAgnostic,
}

/// Units of one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LanguageTally {
    /// The language.
    pub language: String,
    /// Its tokens.
    pub tokens: u64,
    /// Units that belong to it alone.
    pub specific: usize,
    /// Units that belong to it and to others, but not to all.
    pub related: usize,
    /// Units of its set per layer.
    pub layers: Vec<usize>,
}

/// Units of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LayerTally {
    /// Specific to some language.
    pub specific: usize,
    /// Related to some languages.
    pub related: usize,
    /// Agnostic.
    pub agnostic: usize,
}

impl LayerTally {
    /// The number of units of a class.
    pub fn of(self, class: Class) -> usize {
        match class {
            Class::Specific => self.specific,
            Class::Related => self.related,
            Class::Agnostic => self.agnostic,
        }
    }

    /// Specific and related units: what speaks of languages in this layer.
    pub fn language_units(self) -> usize {
        self.specific + self.related
    }
}

/// How many units there are of each class, by language, layer and number of languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Classes {
    /// By language.
    pub languages: Vec<LanguageTally>,
    /// By layer.
    pub layers: Vec<LayerTally>,
    /// `by_number[n]`: selected units that belong to exactly n languages, n = 0..=K.
    pub by_number: Vec<usize>,
    /// Agnostic units of the whole model.
    pub agnostic: usize,
}

impl Identified {
    /// The class of every unit that has one.
    pub fn classes(&self) -> BTreeMap<Unit, Class> {
        let all = self.languages().len();
        let class = |n: usize| match n {
            0 => None,
            1 => Some(Class::Specific),
            n if n < all => Some(Class::Related),
            _ => Some(Class::Agnostic),
        };
        let selected = self.selected().iter();
        let selected = selected.filter_map(|assigned| Some((assigned.unit, class(assigned.languages.len())?)));
        let agnostic = self.agnostic().iter().map(|&unit| (unit, Class::Agnostic));
        selected.chain(agnostic).collect()
    }

    /// The units of a class that belong to the language at a position, in order. Agnostic units belong to every language.
    pub fn of_class(&self, language: usize, class: Class) -> Vec<Unit> {
        if class == Class::Agnostic {
            return self.agnostic().to_vec();
        }
        let all = self.languages().len();
        let is = |n: usize| (class == Class::Specific && n == 1) || (class == Class::Related && n > 1 && n < all);
        let selected = self.selected().iter();
        let own = selected.filter(|assigned| is(assigned.languages.len()) && assigned.languages.contains(&language));
        own.map(|assigned| assigned.unit).collect()
    }

    /// The units of the language at a position that a setting means, in order.
    pub fn meant(&self, language: usize, setting: Setting) -> Vec<Unit> {
        match setting {
            Setting::Specific => self.of_class(language, Class::Specific),
            Setting::SpecificAndRelated => self.set(language),
            Setting::WithAgnostic => {
                let mut units = self.set(language);
                units.extend(self.agnostic());
                units.sort_unstable();
                units.dedup();
                units
            }
        }
    }

    /// Counts the units of each class.
    pub fn tally(&self) -> Classes {
        let all = self.languages().len();
        let mut layers = vec![LayerTally::default(); self.shape().layers];
        for (unit, class) in self.classes() {
            let layer = &mut layers[unit.layer];
            match class {
                Class::Specific => layer.specific += 1,
                Class::Related => layer.related += 1,
                Class::Agnostic => layer.agnostic += 1,
            }
        }
        let languages = self.languages().iter().enumerate().map(|(k, language)| {
            let mut own = vec![0; self.shape().layers];
            for unit in self.set(k) {
                own[unit.layer] += 1;
            }
            LanguageTally {
                language: language.name.clone(),
                tokens: language.tokens,
                specific: self.of_class(k, Class::Specific).len(),
                related: self.of_class(k, Class::Related).len(),
                layers: own,
            }
        });
        let mut by_number = vec![0; all + 1];
        for assigned in self.selected() {
            by_number[assigned.languages.len()] += 1;
        }
        Classes {
            languages: languages.collect(),
            layers,
            by_number,
            agnostic: self.agnostic().len(),
        }
    }
}
