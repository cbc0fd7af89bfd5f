//! A dozen pairs that come with the program, for trying things out without a download.

use std::path::Path;

use super::input::Content;
use super::read::{self, Origin};
use super::{BadLines, Dataset, Format};

/// Twelve short labelled pairs in LLMEval²'s form, one or more for each of the nine prompt families, written for this project. The
/// labels are our own opinion, and the set is far too small to measure anything with.
///
/// # Panics
/// Never: the pairs are part of the program, and a test reads them.
#[must_use]
pub fn demo() -> Dataset {
    read::all(&origin(), BadLines::Stop).expect("the built-in pairs can be read")
}

/// Where the demo's pairs are.
pub(super) fn origin() -> Origin {
    let bytes = include_bytes!("../../prompts/demo.jsonl").as_slice();
    let path = Path::new("prompts/demo.jsonl");
    Origin::with_content(path, Content::Held(bytes.into()), Some(Format::Llmeval2)).expect("it is no directory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::{Known, Label, Taxonomy, baseline};
    use std::collections::BTreeSet;

    #[test]
    fn the_demo_covers_the_nine_families_with_short_texts_and_balanced_labels() {
        let Dataset { pairs, name, .. } = demo();
        let taxonomy = Taxonomy::embedded();
        assert_eq!((pairs.len(), name.as_str()), (12, "demo"));
        let choices: Vec<_> = pairs.iter().map(|pair| taxonomy.family(&pair.dataset)).collect();
        assert!(choices.iter().all(|choice| choice.known == Known::Listed));
        assert_eq!(
            choices
                .iter()
                .map(|choice| choice.family)
                .collect::<BTreeSet<_>>()
                .len(),
            9
        );
        for pair in &pairs {
            let length: usize = [&pair.query, &pair.response1, &pair.response2]
                .map(|text| text.chars().count())
                .iter()
                .sum();
            assert!(length < 900, "row {} has {length} characters", pair.index);
        }
        let count = |label| pairs.iter().filter(|pair| pair.label == Some(label)).count();
        assert_eq!(Label::ALL.map(count), [5, 5, 2]);
    }

    #[test]
    fn the_demo_does_not_give_its_labels_away_by_length() {
        let pairs = demo().pairs;
        let right = pairs
            .iter()
            .filter(|pair| pair.label == Some(baseline::longer(pair)))
            .count();
        assert!(
            (4..=6).contains(&right),
            "the longer response is preferred in {right} of 12 rows"
        );
    }
}
