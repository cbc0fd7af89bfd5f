//! The same summary per group: per dataset, task type, prompt family, ability.

use std::collections::BTreeMap;

use super::{Bootstrap, Confusion, Summary};
use crate::pair::Label;

/// Summarises rows of (group, gold, predicted) per group, groups in alphabetical order.
///
/// A row that belongs to several groups (abilities overlap) is given once for each. In a group, read
/// [`Summary::macro_f1_present`]: a dataset without ties is not to be marked down for having none.
pub fn by_group<G: AsRef<str>>(
    rows: impl IntoIterator<Item = (G, Label, Label)>,
    bootstrap: Bootstrap,
) -> Vec<(String, Summary)> {
    let mut groups: BTreeMap<String, Confusion> = BTreeMap::new();
    for (group, gold, predicted) in rows {
        let group = group.as_ref();
        match groups.get_mut(group) {
            Some(confusion) => confusion.add(gold, predicted),
            None => groups.entry(group.to_owned()).or_default().add(gold, predicted),
        }
    }
    let summary = |(group, confusion)| Some((group, Summary::of_counts(confusion, bootstrap)?));
    groups.into_iter().filter_map(summary).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agreement::oracles::assert_near,
        pair::Label::{Model1, Model2, Tie},
    };

    #[test]
    fn each_group_is_summarised_alone_in_alphabetical_order() {
        let rows = [
            ("shp", Model1, Model1),
            ("bagel", Model1, Model2),
            ("shp", Model2, Model2),
            ("bagel", Tie, Tie),
            ("shp", Model2, Model1),
        ];
        let groups = by_group(rows, Bootstrap::default());
        let names: Vec<&str> = groups.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["bagel", "shp"]);
        let [(_, bagel), (_, shp)] = &groups[..] else {
            panic!("two groups")
        };
        assert_eq!((bagel.n, shp.n), (2, 3));
        assert_near(bagel.accuracy, 0.5, "bagel");
        assert_near(shp.accuracy, 2.0 / 3.0, "shp");
        // 2·1/3 for both classes that shp has; the tie that it lacks does not pull it down.
        assert_near(shp.macro_f1_present, 2.0 / 3.0, "present");
        assert_near(shp.macro_f1_all, 4.0 / 9.0, "all three");
    }
}
