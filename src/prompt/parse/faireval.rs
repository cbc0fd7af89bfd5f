//! Scores as FairEval's published code reads them (spec 11.2).

use super::{Assistant, Decimal, ParseFailure, Parsed, snippet};

/// The numbers after the last colon of the last two lines; the lines' order decides, labels are not looked at.
///
/// A newline at the end makes the last line empty, and the reply unreadable. Differences from the published code: only plain
/// decimal numbers are taken, not `nan`, `inf` or `1e1`.
pub fn parse(reply: &str) -> Result<Parsed, ParseFailure> {
    let mut lines = reply.rsplit('\n');
    let (Some(last), Some(before)) = (lines.next(), lines.next()) else {
        return Err(ParseFailure::TooFewLines);
    };
    let score1 = score(before, Assistant::One)?;
    let score2 = score(last, Assistant::Two)?;
    if score1.as_str() == "-1" {
        return Err(ParseFailure::Sentinel);
    }
    Ok(Parsed { score1, score2 })
}

fn score(line: &str, assistant: Assistant) -> Result<Decimal, ParseFailure> {
    let text = line.rsplit(':').next().unwrap_or_default().trim();
    text.parse().map_err(|_| ParseFailure::NotANumber {
        assistant,
        text: snippet(text),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_reply_of_the_oracle_table_is_read_as_published() {
        let rows: [(&str, Option<(&str, &str)>); 10] = [
            (
                "Because.\nScore of the Assistant 1: 8\nScore of the Assistant 2: 9",
                Some(("8", "9")),
            ),
            (
                "Because.\nScore of the Assistant 1: 8\nScore of the Assistant 2: 9\n",
                None,
            ),
            ("Score of the Assistant 1: 8/10\nScore of the Assistant 2: 9/10", None),
            ("8\n9", Some(("8", "9"))),
            (
                "Score of the Assistant 1: 8  \nScore of the Assistant 2: 9  ",
                Some(("8", "9")),
            ),
            ("Score of the Assistant 1: 8\n\nScore of the Assistant 2: 9", None),
            (
                "Score of the Assistant 2: 3\nScore of the Assistant 1: 8",
                Some(("3", "8")),
            ),
            ("Score of the Assistant 1: nan\nScore of the Assistant 2: 9", None),
            ("Score of the Assistant 1: -1\nScore of the Assistant 2: 9", None),
            ("Score of the Assistant 1: 8", None),
        ];
        for (reply, expected) in rows {
            let parsed = parse(reply).ok();
            let scores = parsed
                .as_ref()
                .map(|parsed| (parsed.score1.as_str(), parsed.score2.as_str()));
            assert_eq!(scores, expected, "{reply:?}");
        }
    }

    #[test]
    fn minus_one_is_a_failure_for_the_first_assistant_only() {
        assert_eq!(parse("x: -1.0\ny: 9"), Err(ParseFailure::Sentinel));
        assert_eq!(parse("x: 9\ny: -1").map(|parsed| parsed.score2.to_f64()), Ok(-1.0));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(reply in "([:0-9. \n-]|\\PC){0,30}") {
            let _ = parse(&reply);
        }
    }
}
