//! Roles for use: the delimiter grammar, cleaned (spec 3.2), and plain lists where a model used no delimiters.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

use regex::Regex;

use super::OPEN;

/// A longer span is running text between two stray signs, not an angle of view.
const LONGEST_SPAN: usize = 200;
/// The same for the name of an undelimited list item.
const LONGEST_NAME: usize = 60;
/// More words without a colon are a sentence.
const MOST_BARE_WORDS: usize = 5;
/// The example in the shared layout's prompt, which small models repeat, with or without decoration.
const EXAMPLES: [&str; 2] = ["name", "name what it looks at"];
/// Fewer letters name no angle of view.
const FEWEST_LETTERS: usize = 2;

/// A numbered or bulleted line.
static ITEM: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^[ \t]*(?:\d{1,2}[.)]|[-*•])[ \t]+(\S.*)$").expect("a tested pattern"));
/// What ends the name in such a line; markdown may close in front of it.
static NAME_END: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[:：]| [-–—] |[–—]").expect("a tested pattern"));

/// The angles of view in a reply, in order, at most `cap` of them.
///
/// A span runs from the last dollar sign before a closing sign ("It costs $5. $Accuracy&" names one angle), on any number of
/// lines; runs of whitespace become one space, markdown and quotation marks around it are dropped, as are empty spans, spans of
/// more than 200 characters, repetitions in other case, spans without letters, spans that name one of the assistants, and the prompt's own example.
///
/// Only if there is no delimited span at all, lines such as `1. Name: what it looks at` or `- **Name**` are read as angles:
/// small models often forget the delimiters. Names there have at most 60 characters.
pub fn parse(reply: &str, close: char, cap: Option<NonZeroUsize>) -> Vec<String> {
    let mut roles = delimited(reply, close);
    if roles.is_empty() {
        roles = listed(reply);
    }
    let mut seen = HashSet::new();
    roles.retain(|role| {
        let folded = role.to_lowercase();
        says_something(&folded) && seen.insert(folded)
    });
    roles.truncate(cap.map_or(usize::MAX, NonZeroUsize::get));
    roles
}

/// Whether a role can be an angle of view: it has letters (ideographs count: two of them are a word), it is not the prompt's own example, and it does
/// not name one of the assistants, which is what is judged and not how.
fn says_something(role: &str) -> bool {
    if role.contains("assistant 1") || role.contains("assistant 2") {
        return false;
    }
    let letters = role.chars().filter(|c| c.is_alphabetic()).count();
    let words: Vec<&str> = role
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty())
        .collect();
    letters >= FEWEST_LETTERS && !EXAMPLES.contains(&words.join(" ").as_str())
}

fn delimited(reply: &str, close: char) -> Vec<String> {
    let mut roles = Vec::new();
    let mut opened = None;
    for (at, sign) in reply.char_indices() {
        if sign == OPEN {
            opened = Some(at + sign.len_utf8());
        } else if sign == close
            && let Some(start) = opened.take()
        {
            let role = cleaned(&reply[start..at]);
            if !role.is_empty() && role.chars().count() <= LONGEST_SPAN {
                roles.push(role);
            }
        }
    }
    roles
}

fn listed(reply: &str) -> Vec<String> {
    ITEM.captures_iter(reply)
        .filter_map(|line| {
            let item = line.get(1)?.as_str().trim_end();
            let name = if let Some(end) = NAME_END.find(item) {
                cleaned(&item[..end.start()])
            } else {
                let bare = cleaned(item);
                let sentence = bare.ends_with(['.', '?', '!', ',', ';']) || bare.split(' ').count() > MOST_BARE_WORDS;
                if sentence {
                    return None;
                }
                bare
            };
            (!name.is_empty() && name.chars().count() <= LONGEST_NAME).then_some(name)
        })
        .collect()
}

/// One line, without the decoration that models put around a name.
fn cleaned(span: &str) -> String {
    let line = span.split_whitespace().collect::<Vec<_>>().join(" ");
    line.trim_matches(['*', '_', '`', '"', '“', '”', '$', ' ', ':'])
        .to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_reply_of_the_oracle_table_gives_clean_roles() {
        let rows: [(&str, char, &[&str]); 11] = [
            (
                "$Accuracy&: is it right\n$Clarity&: easy to read",
                '&',
                &["Accuracy", "Clarity"],
            ),
            (
                "$Accuracy: is it right&\n$Clarity: easy to read&",
                '&',
                &["Accuracy: is it right", "Clarity: easy to read"],
            ),
            ("$ Depth of\n detail &", '&', &["Depth of detail"]),
            (
                "1. $Accuracy& 2. $Relevance & coherence& 3. $Tone&",
                '&',
                &["Accuracy", "Relevance", "Tone"],
            ),
            ("It costs $5. $Accuracy& and $Tone&", '&', &["Accuracy", "Tone"]),
            ("$Accuracy&$&", '&', &["Accuracy"]),
            ("$$x$$ $Accuracy&", '&', &["Accuracy"]),
            ("Accuracy, Tone", '&', &[]),
            ("$Accuracy$ and $Tone$", '&', &[]),
            (
                "$Correctness@: ok\n$Edge cases && overflow@",
                '@',
                &["Correctness", "Edge cases && overflow"],
            ),
            ("$Correctness@: ok", '&', &[]),
        ];
        for (reply, close, roles) in rows {
            assert_eq!(parse(reply, close, None), roles, "{reply:?}");
        }
    }

    #[test]
    fn repetitions_in_other_case_are_dropped_and_the_order_is_kept_under_a_cap() {
        let reply = "$Tone& $ACCURACY& $accuracy& $tone& $Depth& $Style&";
        assert_eq!(parse(reply, '&', None), ["Tone", "ACCURACY", "Depth", "Style"]);
        assert_eq!(parse(reply, '&', NonZeroUsize::new(3)), ["Tone", "ACCURACY", "Depth"]);
    }

    #[test]
    fn the_example_of_the_prompt_is_not_a_role() {
        let reply = "$Name&: what it looks at\n$Tone&\n$Name: what it looks at&";
        assert_eq!(parse(reply, '&', None), ["Tone"]);
    }

    #[test]
    fn a_span_of_more_than_200_characters_is_refused() {
        let (fits, too_long) = ("é".repeat(200), "é".repeat(201));
        assert_eq!(
            parse(&format!("${too_long}& ${fits}& $Tone&"), '&', None),
            [fits, "Tone".to_owned()]
        );
    }

    #[test]
    fn numbered_and_bulleted_lines_are_roles_when_nothing_is_delimited() {
        let reply = "Here are the angles:\n1. Accuracy: is it right\n2) **Clarity**: easy to read\n- **Depth**\n* Tone - is it kind\n\
                     • \"Fluency\"\n- The first answer says nothing about the price of bread.\n3. $Relevance$: on topic\n4. "
            .to_owned()
            + &"x".repeat(61)
            + ": too long";
        assert_eq!(
            parse(&reply, '&', None),
            ["Accuracy", "Clarity", "Depth", "Tone", "Fluency", "Relevance"]
        );
        assert_eq!(parse("1. Clarity: easy\n2. $Accuracy&: right", '&', None), ["Accuracy"]);
    }

    proptest! {
        #[test]
        fn roles_of_any_reply_are_distinct_single_lines_without_delimiters(reply in "([$&a:*\n1. -]|\\PC){0,80}") {
            let roles = parse(&reply, '&', NonZeroUsize::new(4));
            prop_assert!(roles.len() <= 4);
            for (at, role) in roles.iter().enumerate() {
                prop_assert!(!role.is_empty() && !role.contains('\n') && role.chars().count() <= 200);
                prop_assert!(roles[..at].iter().all(|earlier| earlier.to_lowercase() != role.to_lowercase()));
            }
        }
    }
}
