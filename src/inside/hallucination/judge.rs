//! Whether a response answers its question: rules over normalised text (spec h_neurons, section 2.3).

use serde::{Deserialize, Serialize};

use super::normalise::normalise;

/// What a judge says of a response. The names are those of the H-Neurons repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// An accepted answer.
    #[serde(rename = "true")]
    Right,
    /// No accepted answer, and no refusal.
    #[serde(rename = "false")]
    Wrong,
    /// A refusal, or several answers at once.
    #[serde(rename = "uncertain")]
    Uncertain,
    /// The judge itself failed.
    #[serde(rename = "error")]
    Error,
}

impl Verdict {
    /// By its name in files.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "true" => Some(Self::Right),
            "false" => Some(Self::Wrong),
            "uncertain" => Some(Self::Uncertain),
            "error" => Some(Self::Error),
            _ => None,
        }
    }

    fn of(is_right: bool) -> Self {
        if is_right { Self::Right } else { Self::Wrong }
    }
}

/// How a response is compared with the accepted answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matching {
    /// As the H-Neurons code does: an accepted answer, normalised, is a part of the normalised response, even within a word.
    #[default]
    Official,
    /// An accepted answer occurs on word boundaries; answers of one or two characters or of digits must be the whole response; a response that lists
    /// several things is uncertain.
    Strict,
    /// The normalised response is an accepted answer.
    Exact,
    /// An accepted answer occurs on word boundaries (templated facts, `contains`).
    Contains,
    /// The last whole number of the response is an accepted answer (templated facts, `number`).
    Number,
    /// The trimmed response is an accepted answer to the letter (templated facts, `exact_case`).
    ExactCase,
}

impl Matching {
    /// The rules that can be asked for by name.
    pub const CHOICES: [(&'static str, Self); 3] = [
        ("official", Self::Official),
        ("strict", Self::Strict),
        ("exact", Self::Exact),
    ];

    /// The rule that a templated fact names.
    pub fn of_template(name: &str) -> Option<Self> {
        match name {
            "contains" => Some(Self::Contains),
            "number" => Some(Self::Number),
            "exact_case" => Some(Self::ExactCase),
            _ => None,
        }
    }

    /// Judges a response by the accepted answers. Where there is none, every response but a refusal is wrong.
    pub fn judge(self, response: &str, golds: &[String]) -> Verdict {
        if is_refusal(response) {
            return Verdict::Uncertain;
        }
        match self {
            Self::Official => {
                let response = normalise(response);
                Verdict::of(normalised(golds).any(|gold| response.contains(&gold)))
            }
            Self::Strict => strict(response, golds),
            Self::Exact => {
                let response = normalise(response);
                Verdict::of(normalised(golds).any(|gold| response == gold))
            }
            Self::Contains => {
                let response = normalise(response);
                Verdict::of(normalised(golds).any(|gold| on_word_boundaries(&response, &gold)))
            }
            Self::Number => {
                let number = last_number(response);
                Verdict::of(
                    number.is_some_and(|number| golds.iter().any(|gold| last_number(gold).as_ref() == Some(&number))),
                )
            }
            Self::ExactCase => Verdict::of(golds.iter().any(|gold| gold.trim() == response.trim())),
        }
    }
}

/// Whether a response declines, by the words that the H-Neurons code looks for. A typographic apostrophe escapes it, as it does there.
pub fn is_refusal(response: &str) -> bool {
    let response = response.to_lowercase();
    ["don't know", "cannot", "not provided", "no information"]
        .iter()
        .any(|words| response.contains(words))
}

fn normalised(golds: &[String]) -> impl Iterator<Item = String> {
    golds.iter().map(|gold| normalise(gold)).filter(|gold| !gold.is_empty())
}

fn strict(response: &str, golds: &[String]) -> Verdict {
    if lists_several(response, golds) {
        return Verdict::Uncertain;
    }
    let response = normalise(response);
    Verdict::of(normalised(golds).any(|gold| {
        let is_short = gold.chars().count() <= 2 || gold.chars().all(|c| c.is_ascii_digit() || c == ' ');
        if is_short {
            response == gold
        } else {
            on_word_boundaries(&response, &gold)
        }
    }))
}

/// Whether a response names several things, where no accepted answer does: they stand apart by lines, semicolons, commas, `or` or `and`.
fn lists_several(response: &str, golds: &[String]) -> bool {
    let several = |text: &str| {
        let text = text.trim().to_lowercase();
        text.lines().filter(|line| !line.trim().is_empty()).count() > 1
            || text.contains(';')
            || text.contains(", ")
            || text.contains(" or ")
            || text.contains(" and ")
    };
    several(response)
        && !golds
            .iter()
            .any(|gold| several(gold) && normalise(response) == normalise(gold))
}

/// Both normalised: words are what stands between spaces.
fn on_word_boundaries(text: &str, words: &str) -> bool {
    format!(" {text} ").contains(&format!(" {words} "))
}

/// The last run of digits, commas within it dropped, without leading zeros, and with the sign right before it.
fn last_number(text: &str) -> Option<String> {
    let text = text.replace(',', "");
    let end = text.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = text[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let digits = text[start..end].trim_start_matches('0');
    let sign = if text[..start].ends_with('-') { "-" } else { "" };
    Some(if digits.is_empty() {
        "0".to_owned()
    } else {
        format!("{sign}{digits}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golds(golds: &[&str]) -> Vec<String> {
        golds.iter().map(|&gold| gold.to_owned()).collect()
    }

    #[test]
    fn strict_matching_minds_words_short_answers_and_lists() {
        let strict = |response: &str, gold: &[&str]| Matching::Strict.judge(response, &golds(gold));
        assert_eq!(strict("1945", &["5"]), Verdict::Wrong);
        assert_eq!(strict("Australia", &["Au"]), Verdict::Wrong);
        assert_eq!(strict("Au", &["Au"]), Verdict::Right);
        assert_eq!(strict("The city of Paris.", &["Paris"]), Verdict::Right);
        assert_eq!(strict("Paris, London, Rome", &["Paris"]), Verdict::Uncertain);
        assert_eq!(strict("Simon and Garfunkel", &["Simon and Garfunkel"]), Verdict::Right);
    }

    #[test]
    fn the_last_number_counts() {
        let number = |response: &str| Matching::Number.judge(response, &golds(&["1374"]));
        assert_eq!(number("11 times 34 is 1,374."), Verdict::Right);
        assert_eq!(number("1374 or 12"), Verdict::Wrong);
        assert_eq!(number("-1374"), Verdict::Wrong);
        assert_eq!(number("–01374"), Verdict::Right);
        assert_eq!(number("none"), Verdict::Wrong);
    }

    #[test]
    fn symbols_are_compared_to_the_letter() {
        assert_eq!(Matching::ExactCase.judge(" He ", &golds(&["He"])), Verdict::Right);
        assert_eq!(Matching::ExactCase.judge("HE", &golds(&["He"])), Verdict::Wrong);
    }

    #[test]
    fn a_question_without_an_answer_is_answered_wrongly_or_declined() {
        assert_eq!(Matching::Official.judge("Pfizer", &[]), Verdict::Wrong);
        assert_eq!(Matching::Official.judge("I don't know.", &[]), Verdict::Uncertain);
    }
}
