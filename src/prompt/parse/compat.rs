//! Scores as the published WideDeep code reads them (spec section 6).

use std::sync::LazyLock;

use regex::Regex;

use super::{Assistant, Decimal, ParseFailure, Parsed, snippet};

/// Label and number of both assistants. ASCII digits only: the published code's `\d` also takes others (oracle 14.1).
static SCORES: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    ["1", "2"].map(|number| {
        Regex::new(&format!(r"Score of (?:the )?Assistant {number}:\s*([0-9.]+)")).expect("a tested pattern")
    })
});

static LABELS: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    ["1", "2"].map(|number| Regex::new(&format!("Score of (?:the )?Assistant {number}:")).expect("a tested pattern"))
});

/// The first score of each assistant, anywhere in the reply, unchecked for range; case matters.
///
/// What follows the label is a maximal run of digits and points, which must be a number: `8.` is 8, `8.5.` is none.
pub fn parse(reply: &str) -> Result<Parsed, ParseFailure> {
    Ok(Parsed {
        score1: score(reply, Assistant::One)?,
        score2: score(reply, Assistant::Two)?,
    })
}

fn score(reply: &str, assistant: Assistant) -> Result<Decimal, ParseFailure> {
    let index = match assistant {
        Assistant::One => 0,
        Assistant::Two => 1,
    };
    if let Some(found) = SCORES[index].captures(reply) {
        let run = &found[1];
        return run.parse::<Decimal>().map_err(|_| ParseFailure::NotANumber {
            assistant,
            text: snippet(run),
        });
    }
    Err(match LABELS[index].find(reply) {
        Some(label) => ParseFailure::NotANumber {
            assistant,
            text: snippet(&reply[label.end()..]),
        },
        None => ParseFailure::NoLabel { assistant },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rows of oracle 14.1 with what the published rule makes of them; `None` is unparsable.
    const ROWS: [(&str, Option<(&str, &str)>); 21] = [
        ("Score of Assistant 1: 8\nScore of Assistant 2: 7", Some(("8", "7"))),
        (
            "Score of the Assistant 1: 8.5\nScore of the Assistant 2: 9/10",
            Some(("8.5", "9")),
        ),
        ("Score of Assistant 1: 7.\nScore of Assistant 2: 6.", Some(("7", "6"))),
        ("Score of Assistant 1: 8.5.\nScore of Assistant 2: 7", None),
        ("**Score of Assistant 1:** 8\n**Score of Assistant 2:** 7", None),
        ("Score of Assistant 1: **8**\nScore of Assistant 2: 7", None),
        ("Score of Assistant 1: <8>\nScore of Assistant 2: <7>", None),
        ("score of assistant 1: 8\nscore of assistant 2: 7", None),
        (
            "Score of Assistant 1:\n\n  9\nScore of Assistant 2:\t3",
            Some(("9", "3")),
        ),
        (
            "At first Score of Assistant 1: 4 and Score of Assistant 2: 6, but on reflection Score of Assistant 1: 9 and \
             Score of Assistant 2: 2",
            Some(("4", "6")),
        ),
        ("Score of Assistant 2: 5\nScore of Assistant 1: 3", Some(("3", "5"))),
        ("Score of Assistant 1: N/A\nScore of Assistant 2: 7", None),
        ("Score of Assistant 1: -2\nScore of Assistant 2: 7", None),
        ("Score of Assistant 1: ...\nScore of Assistant 2: 7", None),
        ("Score of Assistant 1: 85\nScore of Assistant 2: 7", Some(("85", "7"))),
        ("Score of Assistant 1 : 8\nScore of Assistant 2 : 7", None),
        ("Score of Assistant 1: 8", None),
        ("Score of Assistant 1: 8,5\nScore of Assistant 2: 7", Some(("8", "7"))),
        ("Score of Assistant 1: .5\nScore of Assistant 2: 7", Some(("0.5", "7"))),
        ("Score of Assistant 1: ٧\nScore of Assistant 2: 7", None),
        (
            "Evaluation evidence: none\nScore of Assistant 1: 0\nScore of Assistant 2: 0",
            Some(("0", "0")),
        ),
    ];

    #[test]
    fn every_reply_of_the_oracle_table_is_read_as_published() {
        for (reply, expected) in ROWS {
            let parsed = parse(reply).ok();
            let scores = parsed
                .as_ref()
                .map(|parsed| (parsed.score1.as_str(), parsed.score2.as_str()));
            assert_eq!(scores, expected, "{reply:?}");
        }
    }

    #[test]
    fn a_failure_says_whose_score_is_wrong_and_how() {
        let text = |text: &str| ParseFailure::NotANumber {
            assistant: Assistant::One,
            text: text.to_owned(),
        };
        assert_eq!(
            parse("Score of Assistant 1: N/A\nScore of Assistant 2: 7"),
            Err(text("N/A"))
        );
        assert_eq!(
            parse("Score of Assistant 1: ...\nScore of Assistant 2: 7"),
            Err(text("..."))
        );
        assert_eq!(
            parse("Score of Assistant 1: 8"),
            Err(ParseFailure::NoLabel {
                assistant: Assistant::Two
            })
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(reply in "(Score of |the |Assistant [12]: |[0-9.\n*]|\\PC){0,30}") {
            let _ = parse(&reply);
        }
    }
}
