//! What alignment on some languages does to the units of the others.
//!
//! The paper finds that languages which were not trained profit through related units that they newly share (specification, section 8).

use serde::Serialize;

use super::{
    classes::Class,
    compare::{CompareError, comparable, signed},
    identified::Identified,
};

/// A language's part in the training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It was trained.
    Trained,
    /// It was not.
    Untrained,
    /// It is the language that others were aligned to, and belongs to neither group.
    Pivot,
}

/// What became of a language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LanguageTransfer {
    /// The language.
    pub language: String,
    /// Its part.
    pub role: Role,
    /// Change in the number of its specific units.
    pub specific: i64,
    /// Change in the number of its related units.
    pub related: i64,
    /// Units that became related to it and belong to a trained language too (another one, where it was trained itself).
    pub newly_shared: usize,
}

/// Mean changes of a group of languages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Means {
    /// Languages in the group.
    pub languages: usize,
    /// Mean change in the number of specific units.
    pub specific: f64,
    /// Mean change in the number of related units.
    pub related: f64,
    /// Mean number of units newly shared with a trained language.
    pub newly_shared: f64,
}

/// What became of trained and other languages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transfer {
    /// By language, in their order.
    pub languages: Vec<LanguageTransfer>,
    /// The trained languages together.
    pub trained: Means,
    /// The languages neither trained nor pivot together; `None` where there is none.
    pub untrained: Option<Means>,
}

/// Why there is no transfer to speak of.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TransferError {
    /// The results do not compare.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A language is named that was not counted.
    #[error("language `{language}` is not among those counted ({}): name one of them", known.join(", "))]
    Unknown {
        /// The name.
        language: String,
        /// The languages counted.
        known: Vec<String>,
    },
    /// No language was trained.
    #[error("no trained language is named: name the languages that the second model was aligned on")]
    NoneTrained,
    /// A language is both.
    #[error("language `{language}` is named as trained and as pivot: it is one or the other")]
    Both {
        /// The name.
        language: String,
    },
}

/// Compares trained and other languages. `pivot` is the language that the trained ones were aligned to, usually English.
pub fn transfer<S: AsRef<str>>(
    before: &Identified,
    after: &Identified,
    trained: &[S],
    pivot: Option<&str>,
) -> Result<Transfer, TransferError> {
    comparable(before, after)?;
    let trained: Vec<&str> = trained.iter().map(AsRef::as_ref).collect();
    if trained.is_empty() {
        return Err(TransferError::NoneTrained);
    }
    for &language in trained.iter().chain(&pivot) {
        if before.position(language).is_none() {
            return Err(TransferError::Unknown {
                language: language.to_owned(),
                known: before.languages().iter().map(|known| known.name.clone()).collect(),
            });
        }
    }
    if let Some(pivot) = pivot.filter(|pivot| trained.contains(pivot)) {
        return Err(TransferError::Both {
            language: pivot.to_owned(),
        });
    }
    let positions: Vec<usize> = trained
        .iter()
        .filter_map(|language| before.position(language))
        .collect();
    let languages = before.languages().iter().enumerate().map(|(k, language)| {
        let change = |class| signed(after.of_class(k, class).len()) - signed(before.of_class(k, class).len());
        let old = before.of_class(k, Class::Related);
        let all = after.languages().len();
        let newly = after.selected().iter().filter(|assigned| {
            let own = &assigned.languages;
            let related = own.contains(&k) && own.len() > 1 && own.len() < all;
            related
                && own.iter().any(|other| *other != k && positions.contains(other))
                && old.binary_search(&assigned.unit).is_err()
        });
        LanguageTransfer {
            language: language.name.clone(),
            role: if positions.contains(&k) {
                Role::Trained
            } else if pivot == Some(language.name.as_str()) {
                Role::Pivot
            } else {
                Role::Untrained
            },
            specific: change(Class::Specific),
            related: change(Class::Related),
            newly_shared: newly.count(),
        }
    });
    let languages: Vec<_> = languages.collect();
    let means = |role| means(languages.iter().filter(|language| language.role == role));
    let (trained, untrained) = (means(Role::Trained), means(Role::Untrained));
    let trained = trained.ok_or(TransferError::NoneTrained)?;
    Ok(Transfer {
        languages,
        trained,
        untrained,
    })
}

fn means<'a>(languages: impl Iterator<Item = &'a LanguageTransfer>) -> Option<Means> {
    let (mut count, mut specific, mut related, mut newly_shared) = (0, 0, 0, 0);
    for language in languages {
        count += 1;
        specific += language.specific;
        related += language.related;
        newly_shared += language.newly_shared;
    }
    let mean = |sum: f64| sum / count as f64;
    (count > 0).then(|| Means {
        languages: count,
        specific: mean(specific as f64),
        related: mean(related as f64),
        newly_shared: mean(newly_shared as f64),
    })
}
