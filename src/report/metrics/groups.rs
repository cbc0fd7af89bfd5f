//! Agreement per dataset, task type and ability.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    agreement::{Bootstrap, Summary, by_group},
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

/// Groups by what `names` says of each pair's dataset: a pair counts once in every group, `None` being the group of those that have none.
/// In alphabetical order, that one last.
pub(super) fn by<'a>(
    judged: &'a [Judged],
    bootstrap: Bootstrap,
    names: impl Fn(&'a str) -> Vec<Option<&'a str>>,
) -> Vec<Group> {
    let mut sizes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut rows = Vec::new();
    for pair in judged {
        for name in names(&pair.pair.dataset) {
            let name = name.unwrap_or(Group::NOT_LISTED);
            let (judged, undecided) = sizes.entry(name).or_default();
            *judged += 1;
            *undecided += usize::from(pair.verdict.is_none());
            rows.extend(super::compared(pair).map(|(gold, verdict)| (name, gold, verdict)));
        }
    }
    let mut summaries: BTreeMap<String, Summary> = by_group(rows, bootstrap).into_iter().collect();
    let group = |(name, (judged, undecided)): (&str, (usize, usize))| Group {
        name: name.to_owned(),
        judged,
        undecided,
        agreement: summaries.remove(name),
    };
    let mut groups: Vec<Group> = sizes.into_iter().map(group).collect();
    // Stable: the rest keeps its order.
    groups.sort_by_key(|group| group.name == Group::NOT_LISTED);
    groups
}
