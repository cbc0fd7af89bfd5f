//! Moving text between the two presentation orders by exchanging "Assistant 1" and "Assistant 2".
//!
//! A review written while `response2` was shown as Assistant 1 is put into canonical terms by this exchange, and back again before
//! it is shown to a judge in that order (spec 5.1, 5.2).

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// ASCII word boundaries on purpose: in "Assistant 1的回答" the name ends at the digit, in "Assistant 12" it does not.
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?-u:\b)(Assistant[ \u{a0}]+)([12])(?-u:\b)").expect("a tested pattern"));

/// Exchanges the two names in one pass. Doing it twice gives the text back, whatever the text.
///
/// ```
/// use widedeep::prompt::relabel;
/// assert_eq!(relabel::swap("Assistant 1 beats Assistant 2."), "Assistant 2 beats Assistant 1.");
/// ```
pub fn swap(text: &str) -> String {
    NAME.replace_all(text, |name: &Captures<'_>| {
        let other = if &name[2] == "1" { '2' } else { '1' };
        format!("{}{other}", &name[1])
    })
    .into_owned()
}

/// Exchanges the names as the published code does, through a placeholder of five asterisks (spec 5.4, B4).
///
/// Not an involution: five asterisks in the text turn into "Assistant 2", and "Assistant 12" into "Assistant 22".
pub fn swap_compat(text: &str) -> String {
    const PLACEHOLDER: &str = "*****";
    text.replace("Assistant 1", PLACEHOLDER)
        .replace("Assistant 2", "Assistant 1")
        .replace(PLACEHOLDER, "Assistant 2")
}

/// Joins angles and splits them again as the published code does between layers (spec 5.4, B3): an angle with a comma in it
/// comes back in pieces.
pub fn re_split_angles(angles: &[&str]) -> Vec<String> {
    if angles.is_empty() {
        return Vec::new();
    }
    angles.join(", ").split(", ").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_names_are_exchanged_in_both_directions() {
        let forward = "Assistant 1 is better than Assistant 2. Score of Assistant 1: 9";
        let swapped = "Assistant 2 is better than Assistant 1. Score of Assistant 2: 9";
        for swap in [swap, swap_compat] {
            assert_eq!(swap(forward), swapped);
            assert_eq!(swap(swapped), forward);
        }
    }

    #[test]
    fn other_names_and_lower_case_are_untouched() {
        for text in [
            "Assistant 12 and Assistant 21",
            "assistant 1",
            "MyAssistant 1",
            "Assistant 1st",
            "***** heading *****",
        ] {
            assert_eq!(swap(text), text);
        }
        assert_eq!(
            swap("**Assistant 1**'s, Assistant 1: Assistant\u{a0}2"),
            "**Assistant 2**'s, Assistant 2: Assistant\u{a0}1"
        );
        assert_eq!(swap("而Assistant 1的回答"), "而Assistant 2的回答");
    }

    #[test]
    fn the_compat_exchange_has_the_published_pitfalls() {
        assert_eq!(
            swap_compat("***** heading ***** Assistant 1 wins"),
            "Assistant 2 heading Assistant 2 Assistant 2 wins"
        );
        assert_eq!(swap_compat("Assistant 12"), "Assistant 22");
        assert_eq!(
            swap_compat("assistant 1 and assistant 2"),
            "assistant 1 and assistant 2"
        );
    }

    #[test]
    fn an_angle_with_a_comma_breaks_into_pieces() {
        assert_eq!(re_split_angles(&["Acc, b", "Tone"]), ["Acc", "b", "Tone"]);
        assert_eq!(re_split_angles(&[]), [""; 0]);
    }

    proptest! {
        #[test]
        fn exchanging_twice_gives_the_text_back(
            pieces in proptest::collection::vec(
                prop_oneof!["Assistant 1", "Assistant 2", "Assistant  2", "Assistant ", "[12]", "\\*{5}", "\\PC{0,4}"], 0..12),
            joint in prop_oneof![Just(""), Just(" "), Just("\n")],
        ) {
            let text = pieces.join(joint);
            prop_assert_eq!(swap(&swap(&text)), text);
        }

        #[test]
        fn exchanging_keeps_the_length_and_everything_but_the_digits(text in ".*Assistant [12].*") {
            let swapped = swap(&text);
            prop_assert_eq!(swapped.len(), text.len());
            prop_assert_eq!(swapped.replace(['1', '2'], ""), text.replace(['1', '2'], ""));
        }
    }
}
