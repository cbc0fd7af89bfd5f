//! Scores for use (the recommendation of spec section 6).

use std::sync::LazyLock;

use regex::Regex;

use super::{Assistant, Decimal, ParseFailure, Parsed, snippet};

/// A score label with whatever markdown a model puts around it, up to where the number should begin.
static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)score[ \t]+of[ \t*_`]+(?:the[ \t*_`]+)?assistant[ \t*_`]+([12])[ \t*_`]*[:：][\s*_`<(\[]*")
        .expect("a tested pattern")
});

/// The number at the beginning of a text: a point or a comma before at most two decimals, or a point before more.
static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^-?(?:[0-9]+(?:\.[0-9]+|,[0-9]{1,2})?|\.[0-9]+)").expect("a tested pattern"));

/// What may follow: the end of the decoration, then "/10" or "out of 10".
static SCALE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^[*_`>)\]]*(?:\s*/\s*10(?:\.0)?[*_`>)\]]*|[ \t]+out[ \t]+of[ \t]+10)?").expect("a tested pattern")
});

/// A label that is followed by something with digits.
struct Found {
    assistant: Assistant,
    score: Result<Decimal, ParseFailure>,
    /// Only punctuation and space lie between this and the one before.
    touches_previous: bool,
}

/// The last complete pair of score lines in the reply.
///
/// Labels may be in any case, with markdown around label or number; a trailing `/10` or full stop is fine, a decimal comma is
/// read as a point. Digits are ASCII, scores from 1 to 10. Labels without a number (a repeated skeleton) are passed over; a pair
/// whose number is malformed or out of range fails the reply, for an earlier pair is not the judge's last word.
///
/// A pair is two lines next to each other, in either order; where a reply has none, the last score of Assistant 1 that is followed
/// by one of Assistant 2, with any text between.
pub fn parse(reply: &str) -> Result<Parsed, ParseFailure> {
    let (found, without_number) = find(reply);
    let Some((a, b)) = last_touching_pair(&found).or_else(|| last_distant_pair(&found)) else {
        return Err(missing(&found, without_number));
    };
    let (one, two) = if a.assistant == Assistant::One { (a, b) } else { (b, a) };
    Ok(Parsed {
        score1: in_range(one)?,
        score2: in_range(two)?,
    })
}

/// All labels with a number, and what the last labels without one are followed by.
fn find(reply: &str) -> (Vec<Found>, [Option<String>; 2]) {
    let mut found = Vec::new();
    let mut without = [None, None];
    let mut previous_end = 0;
    for label in LABEL.captures_iter(reply) {
        let (Some(whole), Some(number)) = (label.get(0), label.get(1)) else {
            continue;
        };
        let assistant = if number.as_str() == "1" {
            Assistant::One
        } else {
            Assistant::Two
        };
        let rest = &reply[whole.end()..];
        let Some((score, length)) = read_number(assistant, rest) else {
            without[usize::from(assistant == Assistant::Two)] = Some(snippet(rest));
            continue;
        };
        let gap = reply.get(previous_end..whole.start()).unwrap_or_default();
        found.push(Found {
            assistant,
            score,
            touches_previous: !gap.chars().any(char::is_alphanumeric),
        });
        previous_end = whole.end() + length;
    }
    (found, without)
}

/// The number at the beginning of `rest` and the bytes that it and its decoration take; `None` where no digits stand.
fn read_number(assistant: Assistant, rest: &str) -> Option<(Result<Decimal, ParseFailure>, usize)> {
    let malformed = || ParseFailure::NotANumber {
        assistant,
        text: snippet(rest),
    };
    let Some(number) = NUMBER.find(rest) else {
        // Digits of other scripts are a number that cannot be used.
        let line = rest.find('\n').unwrap_or(rest.len());
        return rest.starts_with(char::is_numeric).then(|| (Err(malformed()), line));
    };
    let scale = SCALE.find(&rest[number.end()..]).map_or(0, |scale| scale.end());
    let end = number.end() + scale;
    if continues(&rest[end..]) {
        // The rest of the line belongs to what cannot be read, so that the line still touches the next one.
        return Some((Err(malformed()), rest.find('\n').unwrap_or(rest.len())));
    }
    Some((number.as_str().replace(',', ".").parse().map_err(|_| malformed()), end))
}

/// Whether what follows a number makes it another one: `8th`, `8.5.5`, `1,000`, `8-9`, `85%`, `8/5`.
fn continues(after: &str) -> bool {
    let mut signs = after.chars();
    match signs.next() {
        Some('%' | '/') => true,
        Some(sign) if sign.is_alphanumeric() => true,
        Some('.' | ',' | '-' | '–' | '~') => signs.next().is_some_and(char::is_numeric),
        _ => after.trim_start().starts_with('/'),
    }
}

/// The last pair in the last stretch of labels that touch and take turns. In a stretch of odd length one label is too many: after "1: 4, 2: 6"
/// a "1: 9" is the beginning of a pair that never came, and a "2: 10" before "1: 3, 2: 4" is the end of something that was quoted.
fn last_touching_pair(found: &[Found]) -> Option<(&Found, &Found)> {
    let mut last = None;
    let mut length = 0_usize;
    for window in found.windows(2) {
        let [before, score] = window else { continue };
        if score.touches_previous && before.assistant != score.assistant {
            length += 1;
            // Pairs end at every second label, and where one is too many at every label of Assistant 2.
            let is_first_in_form = score.assistant == Assistant::Two;
            if length % 2 == 1 || is_first_in_form {
                last = Some((before, score));
            }
        } else {
            length = 0;
        }
    }
    last
}

/// The last score of Assistant 1 followed by one of Assistant 2, else the last two in the other order.
fn last_distant_pair(found: &[Found]) -> Option<(&Found, &Found)> {
    let last = |assistant| {
        found.windows(2).rev().find_map(|pair| match pair {
            [a, b] if a.assistant == assistant && b.assistant != assistant => Some((a, b)),
            _ => None,
        })
    };
    last(Assistant::One).or_else(|| last(Assistant::Two))
}

fn missing(found: &[Found], without_number: [Option<String>; 2]) -> ParseFailure {
    for (assistant, text) in [Assistant::One, Assistant::Two].into_iter().zip(without_number) {
        if !found.iter().any(|score| score.assistant == assistant) {
            return match text {
                Some(text) => ParseFailure::NotANumber { assistant, text },
                None => ParseFailure::NoLabel { assistant },
            };
        }
    }
    // Both assistants have a score, so two neighbours differ and a pair was found; kept total for the reader's sake.
    ParseFailure::NoLabel {
        assistant: Assistant::Two,
    }
}

fn in_range(found: &Found) -> Result<Decimal, ParseFailure> {
    let score = found.score.clone()?;
    if (1.0..=10.0).contains(&score.to_f64()) {
        Ok(score)
    } else {
        Err(ParseFailure::OutOfRange {
            assistant: found.assistant,
            score,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scores(reply: &str) -> Result<(String, String), ParseFailure> {
        parse(reply).map(|parsed| (parsed.score1.to_string(), parsed.score2.to_string()))
    }

    fn check(rows: &[(&str, &str, &str)]) {
        for (reply, one, two) in rows {
            assert_eq!(scores(reply), Ok(((*one).to_owned(), (*two).to_owned())), "{reply:?}");
        }
    }

    #[test]
    fn replies_of_the_oracle_table_that_carry_two_scores_are_read() {
        check(&[
            ("Score of Assistant 1: 8\nScore of Assistant 2: 7", "8", "7"),
            (
                "Score of the Assistant 1: 8.5\nScore of the Assistant 2: 9/10",
                "8.5",
                "9",
            ),
            ("Score of Assistant 1: 7.\nScore of Assistant 2: 6.", "7", "6"),
            ("Score of Assistant 1: 8.5.\nScore of Assistant 2: 7", "8.5", "7"),
            ("**Score of Assistant 1:** 8\n**Score of Assistant 2:** 7", "8", "7"),
            ("Score of Assistant 1: **8**\nScore of Assistant 2: 7", "8", "7"),
            ("Score of Assistant 1: <8>\nScore of Assistant 2: <7>", "8", "7"),
            ("score of assistant 1: 8\nscore of assistant 2: 7", "8", "7"),
            ("Score of Assistant 1:\n\n  9\nScore of Assistant 2:\t3", "9", "3"),
            (
                "At first Score of Assistant 1: 4 and Score of Assistant 2: 6, but on reflection Score of Assistant 1: 9 and \
                 Score of Assistant 2: 2",
                "9",
                "2",
            ),
            ("Score of Assistant 2: 5\nScore of Assistant 1: 3", "3", "5"),
            ("Score of Assistant 1 : 8\nScore of Assistant 2 : 7", "8", "7"),
            ("Score of Assistant 1: 8,5\nScore of Assistant 2: 7", "8.5", "7"),
        ]);
    }

    #[test]
    fn replies_of_the_oracle_table_without_two_usable_scores_fail_with_the_reason() {
        let one = Assistant::One;
        let not_a_number = |text: &str| ParseFailure::NotANumber {
            assistant: one,
            text: text.to_owned(),
        };
        let range = |score: &str| ParseFailure::OutOfRange {
            assistant: one,
            score: score.parse().expect("a decimal"),
        };
        for (first, failure) in [
            ("N/A", not_a_number("N/A")),
            ("...", not_a_number("...")),
            ("٧", not_a_number("٧")),
            ("-2", range("-2")),
            ("85", range("85")),
            (".5", range("0.5")),
            ("0", range("0")),
        ] {
            let reply = format!("Score of Assistant 1: {first}\nScore of Assistant 2: 7");
            assert_eq!(parse(&reply), Err(failure), "{reply:?}");
        }
        assert_eq!(
            parse("Score of Assistant 1: 8"),
            Err(ParseFailure::NoLabel {
                assistant: Assistant::Two
            })
        );
        assert_eq!(parse("nothing"), Err(ParseFailure::NoLabel { assistant: one }));
    }

    #[test]
    fn replies_that_fairevals_reader_drops_or_confuses_are_read_by_their_labels() {
        check(&[
            ("Score of the Assistant 1: 8\nScore of the Assistant 2: 9\n", "8", "9"),
            (
                "Score of the Assistant 1: 8/10\nScore of the Assistant 2: 9/10",
                "8",
                "9",
            ),
            ("Score of the Assistant 1: 8\n\nScore of the Assistant 2: 9", "8", "9"),
            ("Score of the Assistant 2: 3\nScore of the Assistant 1: 8", "8", "3"),
        ]);
        assert!(parse("8\n9").is_err());
        assert!(parse("Score of the Assistant 1: nan\nScore of the Assistant 2: 9").is_err());
        assert!(parse("Score of the Assistant 1: -1\nScore of the Assistant 2: 9").is_err());
    }

    #[test]
    fn the_last_complete_pair_counts() {
        let pair = |a: &str, b: &str| format!("Score of Assistant 1: {a}\nScore of Assistant 2: {b}\n");
        // The skeleton repeated after the scores is not a pair.
        check(&[(&format!("{}{}", pair("8", "7"), pair("<number>", "<number>")), "8", "7")]);
        // A reply cut off after it began again.
        check(&[(&format!("{}Score of Assistant 1: 9", pair("4", "6")), "4", "6")]);
        check(&[(
            &format!("{}On reflection, Score of Assistant 1: 9", pair("4", "6")),
            "4",
            "6",
        )]);
        // A single score quoted before, of the same or the other assistant.
        check(&[(
            &format!("A colleague's Score of Assistant 2: 5 is low.\n{}", pair("8", "7")),
            "8",
            "7",
        )]);
        check(&[(
            &format!("Score of Assistant 1: 5 was too low.\n{}", pair("8", "7")),
            "8",
            "7",
        )]);
        // A last pair that cannot be used does not fall back to an earlier one.
        for last in ["85", "8-9", "٧"] {
            assert!(
                parse(&format!("{}{}", pair("8", "7"), pair(last, "7"))).is_err(),
                "{last}"
            );
        }
    }

    #[test]
    fn decoration_is_fine_and_other_scales_are_not() {
        check(&[
            (
                "**Score of Assistant 1**: `9` / 10\n- *Score of Assistant 2*: [3]/10.",
                "9",
                "3",
            ),
            (
                "Score of **Assistant 1**: 10 out of 10, Score of **Assistant 2**: 1.0",
                "10",
                "1",
            ),
            ("Score of Assistant 1: 8, Score of Assistant 2: 7", "8", "7"),
            ("Score of Assistant 1： 8\r\nScore of Assistant 2： 7\r\n", "8", "7"),
        ]);
        for first in ["8/100", "8 / 5", "80%", "8-9", "8th", "1,000", "8.5.5", "8²", "8/10/2"] {
            let reply = format!("Score of Assistant 1: {first}\nScore of Assistant 2: 7");
            assert!(
                matches!(
                    parse(&reply),
                    Err(ParseFailure::NotANumber {
                        assistant: Assistant::One,
                        ..
                    })
                ),
                "{reply:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_no_score_leaves_the_range(
            reply in "(Score of |the |Assistant [12]: ?|[0-9.,/\n*-]|\\PC){0,30}"
        ) {
            if let Ok(parsed) = parse(&reply) {
                for score in [parsed.score1, parsed.score2] {
                    prop_assert!((1.0..=10.0).contains(&score.to_f64()));
                }
            }
        }

        #[test]
        fn two_well_formed_lines_at_the_end_are_always_read(before in "(Score of Assistant [12]: [0-9]\n|\\PC{0,9}\n){0,6}",
                                                            tenths1 in 10_u32..=100, tenths2 in 10_u32..=100) {
            let decimal = |tenths: u32| format!("{}.{}", tenths / 10, tenths % 10);
            let (one, two) = (decimal(tenths1), decimal(tenths2));
            let reply = format!("{before}So it is.\nScore of Assistant 1: {one}\nScore of Assistant 2: {two}");
            let parsed = parse(&reply).expect("two score lines");
            prop_assert_eq!(parsed.score1, one.parse().expect("a decimal"));
            prop_assert_eq!(parsed.score2, two.parse().expect("a decimal"));
        }
    }
}
