//! Agreement per dataset, task type and ability.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    agreement::{Bootstrap, Confusion, Summary},
    run::Judged,
};

/// The pairs of one dataset, task type or ability.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Its name; `not listed` for the pairs of datasets for which the taxonomy names none.
    pub name: String,
    /// Finished pairs.
    pub judged: usize,
    /// Of these, without a verdict.
    pub undecided: usize,
    /// Agreement over those with a label and a verdict; absent when there are none. Read `macro_f1_present`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Summary>,
}

impl Group {
    /// The name of the group of pairs that belong to none.
    pub const NOT_LISTED: &str = "not listed";
}

/// Groups in the making.
#[derive(Default)]
pub(super) struct Sums {
    groups: BTreeMap<String, Sum>,
}

#[derive(Default)]
struct Sum {
    judged: usize,
    undecided: usize,
    confusion: Confusion,
}

impl Sums {
    /// Counts a pair in a group; `None` is the group of those that belong to none.
    pub(super) fn add(&mut self, name: Option<&str>, judged: &Judged) {
        let name = name.unwrap_or(Group::NOT_LISTED);
        if !self.groups.contains_key(name) {
            self.groups.insert(name.to_owned(), Sum::default());
        }
        if let Some(sum) = self.groups.get_mut(name) {
            sum.judged += 1;
            sum.undecided += usize::from(judged.verdict.is_none());
            sum.confusion.extend(super::compared(judged));
        }
    }

    /// In alphabetical order, the pairs that belong to no group last.
    pub(super) fn finish(self, bootstrap: Bootstrap) -> Vec<Group> {
        let group = |(name, sum): (String, Sum)| Group {
            name,
            judged: sum.judged,
            undecided: sum.undecided,
            agreement: Summary::of_counts(sum.confusion, bootstrap),
        };
        let mut groups: Vec<Group> = self.groups.into_iter().map(group).collect();
        // Stable: the rest keeps its order.
        groups.sort_by_key(|group| group.name == Group::NOT_LISTED);
        groups
    }
}
