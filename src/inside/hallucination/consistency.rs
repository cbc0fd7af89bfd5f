//! Keeping the questions that a model answers the same way every time (spec h_neurons, sections 2.4, 2.5 and 10.3).

use serde::{Deserialize, Serialize};

use super::example::Truth;
use super::judge::Verdict;

/// Why a question is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dropped {
    /// Some answers are right and some wrong.
    Mixed,
    /// Among the answers is a refusal, several answers at once, or one that could not be judged.
    Uncertain,
    /// The most frequent answer is not frequent enough.
    Disagreeing,
    /// The answer is empty.
    EmptySpan,
    /// The tokens of the answer are not in the text.
    SpanNotFound,
    /// Fewer answers came back than were asked for.
    TooFewSamples,
    /// Prompt and answer do not fit into the model's context.
    TooLong,
}

/// How consistent answers have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consistency {
    /// Answers that may differ from the others in being right or wrong: 0 as published, 1 for small models.
    pub exceptions: usize,
    /// The most frequent answer has to occur so often, in both classes.
    pub agreeing: usize,
}

impl Default for Consistency {
    fn default() -> Self {
        Self {
            exceptions: 0,
            agreeing: 1,
        }
    }
}

impl Consistency {
    /// The class of a question with these verdicts. A refusal or an error always drops it.
    pub fn class(&self, verdicts: &[Verdict]) -> Result<Truth, Dropped> {
        let count = |wanted: Verdict| verdicts.iter().filter(|&&verdict| verdict == wanted).count();
        let (right, wrong) = (count(Verdict::Right), count(Verdict::Wrong));
        if verdicts.is_empty() {
            return Err(Dropped::TooFewSamples);
        }
        if right + wrong < verdicts.len() {
            return Err(Dropped::Uncertain);
        }
        if wrong <= self.exceptions && right > wrong {
            Ok(Truth::Faithful)
        } else if right <= self.exceptions && wrong > right {
            Ok(Truth::Hallucinated)
        } else {
            Err(Dropped::Mixed)
        }
    }

    /// The class and the answer that stands for the question: the most frequent one among those with the majority's verdict, the first to appear where
    /// several are.
    pub fn keep<'r>(&self, responses: &'r [String], verdicts: &[Verdict]) -> Result<Kept<'r>, Dropped> {
        if responses.len() != verdicts.len() {
            return Err(Dropped::TooFewSamples);
        }
        let class = self.class(verdicts)?;
        let verdict = match class {
            Truth::Faithful => Verdict::Right,
            Truth::Hallucinated => Verdict::Wrong,
        };
        let candidates = responses.iter().zip(verdicts).filter(|(_, of)| **of == verdict);
        let mut best: Option<(&str, usize)> = None;
        for (response, _) in candidates {
            let count = responses.iter().filter(|other| *other == response).count();
            if best.is_none_or(|(_, most)| count > most) {
                best = Some((response, count));
            }
        }
        let (response, count) = best.ok_or(Dropped::TooFewSamples)?;
        if count < self.agreeing {
            return Err(Dropped::Disagreeing);
        }
        Ok(Kept { class, response, count })
    }
}

/// A question that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept<'r> {
    /// Its class.
    pub class: Truth,
    /// The answer that stands for it.
    pub response: &'r str,
    /// How often that answer was given.
    pub count: usize,
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Right, Uncertain, Wrong};
    use super::*;

    fn responses(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn one_exception_is_allowed_where_that_is_asked_for() {
        let (published, small) = (
            Consistency::default(),
            Consistency {
                exceptions: 1,
                agreeing: 1,
            },
        );
        assert_eq!(published.class(&[Right, Right, Wrong]), Err(Dropped::Mixed));
        assert_eq!(small.class(&[Right, Right, Wrong]), Ok(Truth::Faithful));
        assert_eq!(small.class(&[Wrong, Right, Wrong]), Ok(Truth::Hallucinated));
        assert_eq!(small.class(&[Wrong, Right]), Err(Dropped::Mixed));
        assert_eq!(small.class(&[Wrong, Wrong, Uncertain]), Err(Dropped::Uncertain));
    }

    #[test]
    fn the_answer_that_stands_for_a_question_is_of_its_class() {
        let small = Consistency {
            exceptions: 1,
            agreeing: 2,
        };
        let texts = responses(&["b", "a", "a", "b", "c"]);
        let kept = small.keep(&texts, &[Right, Right, Right, Right, Wrong]);
        assert_eq!(
            kept,
            Ok(Kept {
                class: Truth::Faithful,
                response: "b",
                count: 2
            })
        );
        let texts = responses(&["a", "b", "c"]);
        assert_eq!(small.keep(&texts, &[Wrong, Wrong, Wrong]), Err(Dropped::Disagreeing));
    }
}
