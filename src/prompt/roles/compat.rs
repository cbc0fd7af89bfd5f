//! Roles as the published code reads them (spec 3.1).

use super::OPEN;

/// Every shortest span from a dollar sign to the next closing sign, across lines; outer whitespace stripped, inner newlines
/// deleted, empty spans kept.
pub fn parse(reply: &str, close: char) -> Vec<String> {
    let mut roles = Vec::new();
    let mut rest = reply;
    while let Some((_, after)) = rest.split_once(OPEN) {
        let Some((span, behind)) = after.split_once(close) else {
            break;
        };
        roles.push(span.trim().replace('\n', ""));
        rest = behind;
    }
    roles
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_reply_of_the_oracle_table_gives_the_published_roles() {
        let rows: [(&str, char, &[&str]); 12] = [
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
            ("It costs $5. $Accuracy& and $Tone&", '&', &["5. $Accuracy", "Tone"]),
            ("$Accuracy&$&", '&', &["Accuracy", ""]),
            ("$$x$$ $Accuracy&", '&', &["$x$$ $Accuracy"]),
            ("Accuracy, Tone", '&', &[]),
            ("$Accuracy$ and $Tone$", '&', &[]),
            (
                "$Correctness@: ok\n$Edge cases && overflow@",
                '@',
                &["Correctness", "Edge cases && overflow"],
            ),
            ("$Correctness@: ok", '&', &[]),
            ("", '&', &[]),
        ];
        for (reply, close, roles) in rows {
            assert_eq!(parse(reply, close), roles, "{reply:?}");
        }
    }

    proptest! {
        #[test]
        fn it_finds_what_the_regular_expression_of_the_published_code_finds(reply in "([$&a \n]|\\PC){0,40}") {
            let pattern = regex::Regex::new(r"(?s)\$(.*?)&").expect("a pattern");
            let expected: Vec<String> = pattern.captures_iter(&reply).map(|span| span[1].trim().replace('\n', "")).collect();
            prop_assert_eq!(parse(&reply, '&'), expected);
        }
    }
}
