//! Scores in a reply: structured output put into the wire format, and the distribution over the score where the server gives the
//! probabilities of tokens.

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use super::answer::{Alternative, Token};
use crate::chat::Chosen;

/// Scores run from 1 to this.
const TOP: usize = 10;

/// Share of the probability that may lie on a `1` of which it is not known whether it becomes a `10`.
const UNCLEAR: f64 = 0.02;

#[derive(Deserialize)]
struct Judged {
    evidence: String,
    score1: serde_json::Number,
    score2: serde_json::Number,
}

/// A structured reply as the text that the prompt asks for; `None` if it is not one.
///
/// The scores come last: what the evidence says of scores is not read.
pub(super) fn wire_text(raw: &str) -> Option<String> {
    let judged: Judged = serde_json::from_str(unfenced(raw)).ok()?;
    let evidence = judged.evidence.trim_end();
    Some(format!(
        "Evaluation evidence: {evidence}\nScore of Assistant 1: {}\nScore of Assistant 2: {}",
        judged.score1, judged.score2
    ))
}

/// Without the code fence into which models put JSON.
fn unfenced(raw: &str) -> &str {
    let text = raw.trim();
    let inner = text.strip_prefix("```").and_then(|text| text.strip_suffix("```"));
    inner.map_or(text, |inner| inner.strip_prefix("json").unwrap_or(inner))
}

/// The distributions of both scores, each with the score that was written as its option.
///
/// `raw` is the message's content, `tokens` are the tokens that it consists of. `None` where the scores are not whole numbers from 1 to 10,
/// where tokens and text do not fit together, or where the alternatives do not say enough.
pub(super) fn distributions(raw: &str, tokens: &[Token]) -> Option<Vec<Chosen>> {
    let spelled: Vec<Vec<u8>> = tokens.iter().map(spelling).collect();
    let all = spelled.concat();
    // Servers may trim the content, or spell the end of the turn out.
    let shift = position(&all, raw.as_bytes())?;
    let chosen: Vec<Chosen> = places(raw)?
        .into_iter()
        .filter_map(|place| {
            let mut start = 0;
            let i = spelled.iter().position(|token| {
                start += token.len();
                start > place.at + shift
            })?;
            let prefix = place.at + shift - (start - spelled[i].len());
            distribution(&tokens[i], tokens.get(i + 1), prefix, place.score)
        })
        .collect();
    (chosen.len() == 2).then_some(chosen)
}

fn spelling(token: &Token) -> Vec<u8> {
    token.bytes.clone().unwrap_or_else(|| token.text.as_bytes().to_vec())
}

fn position(all: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() || all.starts_with(part) {
        return Some(0);
    }
    all.windows(part.len()).position(|window| window == part)
}

/// Where a score stands.
struct Place {
    at: usize,
    score: usize,
}

/// A quote inside a JSON string is escaped, so evidence cannot spell the keys.
static KEYS: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    ["1", "2"].map(|i| Regex::new(&format!(r#""score{i}"\s*:\s*([0-9]+)"#)).expect("a tested pattern"))
});

static LINES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)score of (?:the )?assistant 1[*_`]*:[\s*_`<(\[]*([0-9]+)(?:/10)?[*_`>)\].,]*\s*[-*_`]*score of (?:the )?assistant 2[*_`]*:[\s*_`<(\[]*([0-9]+)",
    )
    .expect("a tested pattern")
});

/// The places of both scores: the values in a structured reply, or the last two score lines of a text.
fn places(raw: &str) -> Option<[Place; 2]> {
    let found = if unfenced(raw).starts_with('{') {
        let last = |key: &Regex| key.captures_iter(raw).last()?.get(1);
        [last(&KEYS[0])?, last(&KEYS[1])?]
    } else {
        let lines = LINES.captures_iter(raw).last()?;
        [lines.get(1)?, lines.get(2)?]
    };
    let place = |number: regex::Match<'_>| {
        let mut after = raw[number.end()..].chars();
        // 8.5 and 1,5 have no token of their own; `8.` at the end of a sentence does.
        let goes_on = match after.next() {
            Some('.' | ',') => after.next().is_some_and(|c| c.is_ascii_digit()),
            Some(c) => c.is_alphanumeric() || c == '%',
            None => false,
        };
        let score = number.as_str().parse().ok().filter(|score| (1..=TOP).contains(score))?;
        (!goes_on).then_some(Place {
            at: number.start(),
            score,
        })
    };
    let [first, second] = found;
    Some([place(first)?, place(second)?])
}

/// What a token makes of the score.
#[derive(Debug, PartialEq, Eq)]
enum Means {
    Score(usize),
    /// A bare `1`: it may become a `10`.
    One,
    Nothing,
}

fn meaning(token: &str, prefix: &str) -> Means {
    let rest = if prefix.trim().is_empty() {
        token.trim_start()
    } else {
        match token.strip_prefix(prefix) {
            Some(rest) => rest,
            None => return Means::Nothing,
        }
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if rest[digits..].starts_with(char::is_alphanumeric) {
        return Means::Nothing;
    }
    match rest[..digits].parse() {
        Ok(1) if rest.len() == 1 => Means::One,
        Ok(score) if (1..=TOP).contains(&score) && !rest.starts_with('0') => Means::Score(score),
        _ => Means::Nothing,
    }
}

/// The distribution at one score token. `prefix` are the bytes of the token before the number, `next` is the token after it.
fn distribution(token: &Token, next: Option<&Token>, prefix: usize, written: usize) -> Option<Chosen> {
    let prefix = token.text.get(..prefix)?;
    let mut masses = [0.0; TOP];
    let mut one = 0.0;
    for (text, p) in alternatives(token) {
        match meaning(text, prefix) {
            Means::Score(score) => masses[score - 1] += p,
            Means::One => one += p,
            Means::Nothing => {}
        }
    }
    // Whether a `1` would have become a `10`: the next token tells if it was written; a vocabulary with a token for 10 does as well.
    if meaning(&token.text, prefix) == Means::One {
        let zero: f64 = alternatives(next?)
            .filter(|(text, _)| text.starts_with('0'))
            .map(|(_, p)| p)
            .sum();
        let zero = zero.clamp(0.0, 1.0);
        masses[0] += one * (1.0 - zero);
        masses[TOP - 1] += one * zero;
    } else if masses[TOP - 1] > 0.0 {
        masses[0] += one;
    } else if one > UNCLEAR * (one + masses.iter().sum::<f64>()) {
        return None;
    }
    let total: f64 = masses.iter().sum();
    (total > 0.0).then(|| Chosen {
        option: written - 1,
        probabilities: masses.iter().map(|mass| mass / total).collect(),
        mass: total.clamp(0.0, 1.0),
    })
}

/// The tokens that were likely at a place, the one that was taken included, with their probabilities.
fn alternatives(token: &Token) -> impl Iterator<Item = (&str, f64)> {
    let top: &[Alternative] = token.top_logprobs.as_deref().unwrap_or_default();
    let own = (!top.iter().any(|other| other.token == token.text)).then_some((token.text.as_str(), token.logprob));
    top.iter()
        .map(|other| (other.token.as_str(), other.logprob))
        .chain(own)
        .map(|(text, logprob)| (text, logprob.exp()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::prompt::parse::robust;

    /// A token that was taken, with alternatives and their probabilities.
    fn token(text: &str, top: &[(&str, f64)]) -> Token {
        Token {
            text: text.into(),
            bytes: Some(text.as_bytes().to_vec()),
            logprob: top.first().map_or(0.0, |(_, p)| p.ln()),
            top_logprobs: Some(
                top.iter()
                    .map(|(token, p)| Alternative {
                        token: (*token).into(),
                        logprob: p.ln(),
                    })
                    .collect(),
            ),
        }
    }

    fn text(text: &str) -> Token {
        token(text, &[(text, 1.0)])
    }

    fn raw(tokens: &[Token]) -> String {
        tokens.iter().map(|token| token.text.as_str()).collect()
    }

    #[track_caller]
    fn assert_close(chosen: &Chosen, expected: &[(usize, f64)]) {
        for score in 1..=TOP {
            let p = expected.iter().find(|(s, _)| *s == score).map_or(0.0, |(_, p)| *p);
            let q = chosen.probabilities[score - 1];
            assert!((p - q).abs() < 1e-9, "{score}: {q} instead of {p}");
        }
    }

    #[test]
    fn structured_output_reads_like_a_free_reply() {
        let rendered =
            wire_text(r#"{"evidence": "Good.\nScore of Assistant 1: 2\n", "score1": 8, "score2": 7.5}"#).unwrap();
        assert_eq!(
            rendered,
            "Evaluation evidence: Good.\nScore of Assistant 1: 2\nScore of Assistant 1: 8\nScore of Assistant 2: 7.5"
        );
        let parsed = robust::parse(&rendered).unwrap();
        assert_eq!(
            (parsed.score1.to_string(), parsed.score2.to_string()),
            ("8".into(), "7.5".into())
        );
        assert!(wire_text("```json\n{\"evidence\":\"\",\"score1\":1,\"score2\":2}\n```").is_some());
        for other in ["", "{", r#"{"evidence":"x","score1":8}"#, "Score of Assistant 1: 8"] {
            assert_eq!(wire_text(other), None, "{other}");
        }
    }

    #[test]
    fn the_score_tokens_of_structured_output_give_distributions() {
        let tokens = [
            text(r#"{"evidence": "\"score1\": 3","#),
            text(r#" "score1":"#),
            token(
                " 8",
                &[
                    (" 8", 0.5),
                    ("7", 0.1),
                    (" 7", 0.2),
                    (" 10", 0.1),
                    (" 1", 0.05),
                    (" x", 0.05),
                ],
            ),
            text(r#", "score2": "#),
            token("1", &[("1", 0.8), ("2", 0.2)]),
            token("0", &[("0", 0.75), ("}", 0.25)]),
            text("}"),
        ];
        let chosen = distributions(&raw(&tokens), &tokens).unwrap();
        assert_eq!((chosen[0].option, chosen[1].option), (7, 9));
        assert_close(
            &chosen[0],
            &[(8, 0.5 / 0.95), (7, 0.3 / 0.95), (10, 0.1 / 0.95), (1, 0.05 / 0.95)],
        );
        assert!((chosen[0].mass - 0.95).abs() < 1e-9);
        assert_close(&chosen[1], &[(10, 0.6), (1, 0.2), (2, 0.2)]);
    }

    #[test]
    fn the_score_lines_of_a_free_reply_do_as_well() {
        let tokens = [
            text("Score of Assistant 1: 2\nScore of Assistant 2: 3\nNo:\nScore of Assistant 1:"),
            token(" 9", &[(" 9", 1.0)]),
            text("\nScore of Assistant 2: **"),
            token("4", &[("4", 0.5), ("5", 0.5)]),
            text("**"),
        ];
        let chosen = distributions(&raw(&tokens), &tokens).unwrap();
        assert_close(&chosen[0], &[(9, 1.0)]);
        assert_close(&chosen[1], &[(4, 0.5), (5, 0.5)]);
    }

    #[test]
    fn a_one_that_might_have_become_a_ten_gives_no_distribution() {
        let reply = |first: &[(&str, f64)]| {
            let tokens = [
                text("Score of Assistant 1: "),
                token("8", first),
                text("\nScore of Assistant 2: "),
                token("4", &[("4", 1.0)]),
            ];
            distributions(&raw(&tokens), &tokens)
        };
        assert_eq!(reply(&[("8", 0.6), ("1", 0.4)]), None);
        assert!(reply(&[("8", 0.99), ("1", 0.01)]).is_some(), "too little to matter");
        assert!(
            reply(&[("8", 0.5), ("1", 0.4), ("10", 0.1)]).is_some(),
            "10 has its own token"
        );
    }

    #[test]
    fn what_does_not_fit_together_gives_nothing_rather_than_something_wrong() {
        let line = |first: &str, second: &str| format!("Score of Assistant 1: {first}\nScore of Assistant 2: {second}");
        for raw in [
            line("8.5", "7"),
            line("11", "7"),
            line("8", "0"),
            line("8%", "7"),
            "8\n9".into(),
        ] {
            assert_eq!(distributions(&raw, &[text(&raw)]), None, "{raw}");
        }
        // The tokens of another text, and none at all.
        assert_eq!(distributions(&line("8", "7"), &[text("8"), text("7")]), None);
        assert_eq!(distributions(&line("8", "7"), &[]), None);
        assert_eq!(distributions("", &[]), None);
    }

    #[test]
    fn meanings_of_tokens() {
        for (token, prefix, means) in [
            ("8", "", Means::Score(8)),
            (" 8,", " ", Means::Score(8)),
            ("10", "", Means::Score(10)),
            ("1", "", Means::One),
            ("1}", "", Means::Score(1)),
            (":7", ":", Means::Score(7)),
            ("7", ":", Means::Nothing),
            ("8th", "", Means::Nothing),
            ("08", "", Means::Nothing),
            ("85", "", Means::Nothing),
            ("", "", Means::Nothing),
            ("é8", "", Means::Nothing),
        ] {
            assert_eq!(meaning(token, prefix), means, "{token:?}");
        }
    }
}
