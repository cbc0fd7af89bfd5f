//! What a judge's reply consists of, and the scores in it.

use super::evaluate::retry_temperature;
use super::opinion::Missing;
use super::score::{Score, ScorePair};
use super::spec::{Failure, Form, Network, Parser};
use crate::chat::{Chosen, Reply, ReplyPlan, Steering, Step};
use crate::prompt::parse::{self, ParseFailure, Parsed};
use crate::prompt::{Family, Layout};

/// The scores that a judge may give.
pub const SCORES: std::ops::RangeInclusive<u8> = 1..=10;

/// What was read from a reply, in the order in which the responses were shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    pub(super) scores: ScorePair,
    pub(super) expected: Option<ScorePair>,
    pub(super) distribution: Option<[Vec<f64>; 2]>,
}

impl Network {
    /// The plan of an evaluation call on a model that can be steered, or not.
    pub(super) fn plan(&self, steering: Steering, family: &Family) -> ReplyPlan {
        match (self.reply.form, steering) {
            (Form::Scaffold, Steering::Scaffold) => ReplyPlan::Scaffold(self.scaffold(family)),
            (Form::Scaffold, Steering::FreeText) => ReplyPlan::Judgement {
                max_tokens: self.reply.max_tokens,
            },
            (Form::Free, _) => ReplyPlan::Free {
                max_tokens: self.reply.max_tokens,
            },
        }
    }

    /// Temperature of an evaluation call's attempt; the published code repeats its requests as they are.
    pub(super) fn temperature(&self, attempt: usize) -> f32 {
        match self.reply.parser {
            Parser::Robust => retry_temperature(self.sampling.temperature, attempt),
            Parser::Compat | Parser::Faireval => self.sampling.temperature,
        }
    }

    fn scaffold(&self, family: &Family) -> Vec<Step> {
        let the = match self.prompt {
            Layout::Shared | Layout::Official => "",
            Layout::FairEval | Layout::FairEvalVanilla => "the ",
        };
        let line = |i: usize, before: &str| Step::Force(format!("{before}Score of {the}Assistant {i}: "));
        let choose = || Step::Choose(SCORES.map(|score| score.to_string()).collect());
        if self.prompt == Layout::FairEvalVanilla {
            return vec![line(1, ""), choose(), line(2, "\n"), choose()];
        }
        // The evidence is given as one line about each assistant: small models, left to themselves, write neither.
        let stop = vec!["\n".to_owned(), "Score of".to_owned()];
        let first = Step::Generate {
            max_tokens: self.reply.evidence_tokens.div_ceil(2),
            stop: stop.clone(),
        };
        let second = Step::Generate {
            max_tokens: self.reply.evidence_tokens / 2,
            stop,
        };
        let noun = family.candidate.label.to_lowercase();
        vec![
            Step::Force(format!("Evaluation evidence: Assistant 1's {noun}")),
            first,
            Step::Force(format!("\nAssistant 2's {noun}")),
            second,
            line(1, "\n"),
            choose(),
            line(2, "\n"),
            choose(),
        ]
    }

    /// The scores in a reply.
    pub(super) fn read(&self, reply: &Reply) -> Result<Reading, Missing> {
        if let [first, second] = reply.chosen.as_slice() {
            return Ok(read_chosen(first, second));
        }
        let parsed = match self.reply.parser {
            Parser::Robust => parse::robust::parse(&reply.text),
            Parser::Compat => parse::compat::parse(&reply.text),
            Parser::Faireval => parse::faireval::parse(&reply.text),
        };
        let scores = parsed.and_then(|parsed| pair_of(&parsed));
        match (scores, self.reply.failure) {
            (Ok(scores), _) => Ok(Reading {
                scores,
                expected: None,
                distribution: None,
            }),
            (Err(failure), _) => Err(Missing::Reply { failure }),
        }
    }

    /// Whether an unreadable reply counts as 0–0 after its last attempt.
    pub(super) fn failure_scores(&self) -> Option<ScorePair> {
        match self.reply.failure {
            Failure::Missing => None,
            Failure::Zero => Some(ScorePair::new(Score::from(0), Score::from(0))),
        }
    }
}

fn read_chosen(first: &Chosen, second: &Chosen) -> Reading {
    let score = |chosen: &Chosen| Score::from(u8::try_from(chosen.option + 1).unwrap_or(u8::MAX));
    let mean = |chosen: &Chosen| {
        let mean: f64 = chosen
            .probabilities
            .iter()
            .zip(SCORES)
            .map(|(p, score)| p * f64::from(score))
            .sum();
        Score::from_f64(mean).ok()
    };
    Reading {
        scores: ScorePair::new(score(first), score(second)),
        expected: mean(first).zip(mean(second)).map(|(a, b)| ScorePair::new(a, b)),
        distribution: Some([rounded(&first.probabilities), rounded(&second.probabilities)]),
    }
}

/// Six digits are more than 8-bit activations carry.
fn rounded(probabilities: &[f64]) -> Vec<f64> {
    probabilities.iter().map(|p| (p * 1e6).round() / 1e6).collect()
}

fn pair_of(parsed: &Parsed) -> Result<ScorePair, ParseFailure> {
    let score = |decimal: &parse::Decimal, assistant| {
        decimal.as_str().parse::<Score>().map_err(|_| ParseFailure::NotANumber {
            assistant,
            text: decimal.as_str().to_owned(),
        })
    };
    Ok(ScorePair::new(
        score(&parsed.score1, parse::Assistant::One)?,
        score(&parsed.score2, parse::Assistant::Two)?,
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn chosen(option: usize, probabilities: [f64; 10]) -> Chosen {
        Chosen {
            option,
            probabilities: probabilities.to_vec(),
            mass: 1.0,
        }
    }

    #[test]
    fn a_choice_gives_the_argmax_the_mean_and_the_distribution() {
        let reading = read_chosen(
            &chosen(7, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.25, 0.5, 0.25, 0.0]),
            &chosen(0, [0.6, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.4]),
        );
        assert_eq!(reading.scores, ScorePair::new(Score::from(8), Score::from(1)));
        assert_eq!(
            reading.expected.unwrap(),
            ScorePair::new(Score::from(8), "4.6".parse().unwrap())
        );
        assert!((reading.distribution.unwrap()[1][9] - 0.4).abs() < 1e-9);
    }
}
