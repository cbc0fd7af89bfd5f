//! Verdicts without a model: what any judge must beat (spec section 10.4). Length is a real confounder in LLMEval²: "the longer
//! response wins" reaches an accuracy of 0.45 where the best constant reaches 0.41.

use std::cmp::Ordering;

use super::{Label, Pair};

/// The response with more Unicode scalar values wins; a tie if equal.
#[must_use]
pub fn longer(pair: &Pair) -> Label {
    longer_by(pair, 0)
}

/// As [`longer`], but a tie if the lengths differ by at most `margin` Unicode scalar values.
#[must_use]
pub fn longer_by(pair: &Pair, margin: usize) -> Label {
    let (length1, length2) = (pair.response1.chars().count(), pair.response2.chars().count());
    if length1.abs_diff(length2) <= margin {
        Label::Tie
    } else {
        prefer(length1.cmp(&length2))
    }
}

/// As [`longer`], with length in bytes of UTF-8: another verdict where scripts are mixed.
#[must_use]
pub fn longer_bytes(pair: &Pair) -> Label {
    prefer(pair.response1.len().cmp(&pair.response2.len()))
}

/// The response with fewer Unicode scalar values wins; a tie if equal.
#[must_use]
pub fn shorter(pair: &Pair) -> Label {
    longer(pair).swapped()
}

/// A judge that gives the same verdict on every pair.
pub fn always(label: Label) -> impl Fn(&Pair) -> Label {
    move |_| label
}

fn prefer(first_to_second: Ordering) -> Label {
    match first_to_second {
        Ordering::Greater => Label::Model1,
        Ordering::Less => Label::Model2,
        Ordering::Equal => Label::Tie,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(response1: &str, response2: &str) -> Pair {
        Pair {
            index: 0,
            id: None,
            query: String::new(),
            response1: response1.to_owned(),
            response2: response2.to_owned(),
            label: None,
            dataset: "d".to_owned(),
        }
    }

    #[test]
    fn length_is_counted_in_characters_unless_bytes_are_asked_for() {
        let mixed = pair("три", "four");
        assert_eq!(longer(&mixed), Label::Model2);
        assert_eq!(longer_bytes(&mixed), Label::Model1);
        assert_eq!(shorter(&mixed), Label::Model1);
    }

    #[test]
    fn a_difference_equal_to_the_margin_is_a_tie() {
        assert_eq!(longer_by(&pair("abc", "a"), 2), Label::Tie);
        assert_eq!(longer_by(&pair("abc", "a"), 1), Label::Model1);
        assert_eq!(longer(&pair("ab", "ba")), Label::Tie);
        assert_eq!(shorter(&pair("ab", "ba")), Label::Tie);
    }

    #[test]
    fn a_constant_judge_does_not_look() {
        assert_eq!(always(Label::Model2)(&pair("long enough", "")), Label::Model2);
    }
}
