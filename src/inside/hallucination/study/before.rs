//! What a detector was fitted on, so that it is not measured on it again under another name.

use std::collections::HashSet;

use super::super::{
    example::Example,
    features::Features,
    split::{Role, Split, normalised},
};

/// Questions of training and validation, with their texts and what they are about.
#[derive(Debug, Clone, Default)]
pub struct Before {
    names: HashSet<(String, String)>,
    texts: HashSet<String>,
    entities: HashSet<String>,
    unknown: usize,
}

impl Before {
    /// The questions that a split gave to training and validation. Their texts and entities are looked up in `collections`, since a split holds only names.
    pub fn of<'a>(split: &Split, collections: impl IntoIterator<Item = &'a Features>) -> Self {
        let fitted = split.roles.iter().filter(|assigned| assigned.role != Role::Test);
        let mut before = Self {
            names: fitted
                .map(|assigned| (assigned.dataset.clone(), assigned.id.clone()))
                .collect(),
            ..Self::default()
        };
        let mut found = HashSet::new();
        for example in collections.into_iter().flat_map(Features::examples) {
            if before.names(example) {
                found.insert((example.dataset.as_str(), example.id.as_str()));
                before.texts.insert(normalised(&example.question));
                before.entities.extend(example.entity.as_deref().map(normalised));
            }
        }
        before.unknown = before.names.len() - found.len();
        before
    }

    /// Whether an example's question is one of them by data set and id, asks the same as one, or is about the same entity.
    pub fn has(&self, example: &Example) -> bool {
        let entity = example.entity.as_deref().map(normalised);
        self.names(example)
            || self.texts.contains(&normalised(&example.question))
            || entity.is_some_and(|own| self.entities.contains(&own))
    }

    fn names(&self, example: &Example) -> bool {
        self.names.contains(&(example.dataset.clone(), example.id.clone()))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// How many of them no collection holds, so that their texts and entities are not known.
    pub fn unknown(&self) -> usize {
        self.unknown
    }
}
