//! Rows that no judge can do well on, for diagnostics and filtered reports (spec section 2.3). Nothing here changes or removes a
//! pair: published numbers include these rows.

use std::collections::HashMap;

use super::Pair;

/// Whether a text has no character but white space. Only diagnostics may ask this: judges see texts untrimmed.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Whether a response of the pair is blank.
#[must_use]
pub fn has_blank_response(pair: &Pair) -> bool {
    is_blank(&pair.response1) || is_blank(&pair.response2)
}

/// Whether the two responses are the same text, so that only a tie makes sense; LLMEval² labels two such rows `model1`.
#[must_use]
pub fn has_identical_responses(pair: &Pair) -> bool {
    pair.response1 == pair.response2
}

/// Pairs that occur twice with the responses exchanged, as (earlier, later) [`Pair::index`], sorted. Pairs of identical
/// responses, which are their own exchange, do not count.
///
/// These are no duplicates to remove: LLMEval²'s mt-bench has 22, and their labels agree in 15.
#[must_use]
pub fn swapped_duplicates(pairs: &[Pair]) -> Vec<(usize, usize)> {
    let mut seen: HashMap<(&str, &str, &str), Vec<usize>> = HashMap::new();
    let mut found = Vec::new();
    for pair in pairs.iter().filter(|pair| !has_identical_responses(pair)) {
        let Pair {
            index,
            query,
            response1,
            response2,
            ..
        } = pair;
        if let Some(earlier) = seen.get(&(query.as_str(), response2.as_str(), response1.as_str())) {
            found.extend(earlier.iter().map(|&earlier| (earlier, *index)));
        }
        seen.entry((query, response1, response2)).or_default().push(*index);
    }
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(index: usize, query: &str, response1: &str, response2: &str) -> Pair {
        Pair {
            index,
            id: None,
            query: query.to_owned(),
            response1: response1.to_owned(),
            response2: response2.to_owned(),
            label: None,
            dataset: "d".to_owned(),
        }
    }

    #[test]
    fn blank_means_white_space_of_any_script() {
        assert!(is_blank("") && is_blank("\n") && is_blank(" \t\u{a0}\u{3000}"));
        assert!(!is_blank(" }"));
        assert!(has_blank_response(&pair(0, "q", "a", "\r\n")));
        assert!(!has_blank_response(&pair(0, "", "a", "b")));
    }

    #[test]
    fn a_pair_is_a_swapped_duplicate_only_under_the_same_query_and_only_of_an_exchange() {
        let pairs = [
            pair(3, "q", "a", "b"),
            pair(4, "q", "a", "b"),
            pair(5, "other", "b", "a"),
            pair(6, "q", "c", "c"),
            pair(7, "q", "c", "c"),
            pair(9, "q", "b", "a"),
        ];
        assert_eq!(swapped_duplicates(&pairs), [(3, 9), (4, 9)]);
        assert!(has_identical_responses(&pairs[3]));
    }
}
