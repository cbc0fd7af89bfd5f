//! A detector applied to responses: a score for each, and one for each of its tokens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::detector::{Detector, Refusal, Score};
use super::questions::Exchange;
use super::rule::Aggregation;
use super::sentence::sentences;
use super::style::{Style, Text, TextError};
use crate::llama::{Block, Cett, DownNorms, Model, Reducer, Tap, TapConfig, TapError, Threads};

/// Whether the response is in the regime that the detector was trained in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// The prompt was put as in training.
    AsTrained,
    /// It was put otherwise.
    OtherPrompt,
}

/// What becomes of answers that are much longer than those of the detector's training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongAnswers {
    /// They are not scored.
    Refused,
    /// Each sentence is scored, and the response's score is their mean: further from what the detector was trained and calibrated on.
    BySentence,
}

/// What a response's score is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// The tokens of its answer, as in training.
    Answer,
    /// All sentences.
    Sentences,
}

/// One sentence of a long response.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SentenceScore {
    /// Its bytes within the response.
    pub bytes: (usize, usize),
    /// Mean logit of its tokens, those of punctuation alone left out.
    pub logit: f64,
    /// The calibrated probability at this logit.
    pub probability: f64,
}

/// What a detector says about one response: a line of `scores.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scored {
    /// The exchange's id.
    pub id: String,
    /// What was asked.
    pub prompt: String,
    /// What was answered.
    pub response: String,
    /// The score of the whole, or why there is none.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Every token of the response; none where the response is not scored or where the detector takes maxima.
    pub tokens: Vec<TokenScore>,
    /// Every sentence, where the response is scored by sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sentences: Vec<SentenceScore>,
}

/// The score of a response, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was scored.
    Score {
        /// Logit of the classifier.
        logit: f64,
        /// Calibrated probability of a hallucination.
        probability: f64,
        /// What the threshold makes of it.
        verdict: super::Truth,
        /// What it is over.
        over: Over,
        /// Tokens that it is over.
        answer_tokens: usize,
        /// The answer's bytes within the response.
        answer: (usize, usize),
    },
    /// It was not.
    Refused(String),
}

/// One token of a response.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenScore {
    /// Bytes of the response that it spells.
    pub bytes: (usize, usize),
    /// Whether the response's score is over it.
    pub in_answer: bool,
    /// Its logit; the response's is their mean over the answer.
    pub logit: f64,
    /// The calibrated probability at this logit.
    pub probability: f64,
}

/// Failures to score.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// Activations cannot be read.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// A prompt cannot be made.
    #[error(transparent)]
    Template(#[from] crate::llama::TemplateError),
}

/// A detector with the model that it reads.
pub struct Scorer<'m> {
    model: &'m Model,
    detector: &'m Detector,
    style: Style,
    long: LongAnswers,
    norms: &'m DownNorms,
    threads: Threads,
    tap: Option<Tap<'m>>,
}

impl<'m> Scorer<'m> {
    /// Puts them together, with the column norms of the model's down-projections. That the model is the detector's is for [`Detector::admit_model`] to say first.
    pub fn new(
        model: &'m Model,
        detector: &'m Detector,
        norms: &'m DownNorms,
        style: Style,
        long: LongAnswers,
        threads: Threads,
    ) -> Self {
        Self {
            model,
            detector,
            style,
            long,
            norms,
            threads,
            tap: None,
        }
    }

    /// Whether prompts are put as in the detector's training.
    pub fn regime(&self) -> Regime {
        if self.style.name() == self.detector.prompt {
            Regime::AsTrained
        } else {
            Regime::OtherPrompt
        }
    }

    /// Scores a response.
    pub fn score(&mut self, exchange: &Exchange) -> Result<Scored, ScoreError> {
        let scored = |outcome, tokens, sentences| Scored {
            id: exchange.id.clone(),
            prompt: exchange.prompt.clone(),
            response: exchange.response.clone(),
            outcome,
            tokens,
            sentences,
        };
        let refused = |reason: String| Ok(scored(Outcome::Refused(reason), Vec::new(), Vec::new()));
        let text = match self.style.text(self.model, &exchange.prompt, &exchange.response, None) {
            Ok(text) => text,
            Err(TextError::NoAnswer) => return refused(Refusal::Empty.to_string()),
            Err(TextError::Template(error)) => return Err(error.into()),
        };
        let answer = text.layout.scored(self.detector.rule.region);
        let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
        let is_mean = self.detector.rule.aggregation == Aggregation::Mean;
        let by_sentence = match self.detector.admit_length(length) {
            Ok(()) => false,
            Err(Refusal::TooLong { .. }) if self.long == LongAnswers::BySentence && is_mean => true,
            Err(refusal) => return refused(refusal.to_string()),
        };
        if text.layout.length > self.model.trained_context() {
            return refused(format!(
                "prompt and response have {} tokens, and the model's context holds {}",
                text.layout.length,
                self.model.trained_context()
            ));
        }
        let reading = self.read(&text)?;
        if by_sentence {
            let tokens = self.tokens(&text, &reading);
            return Ok(match self.by_sentence(&exchange.response, tokens) {
                Some((outcome, tokens, sentences)) => scored(outcome, tokens, sentences),
                None => scored(Outcome::Refused(Refusal::Empty.to_string()), Vec::new(), Vec::new()),
            });
        }
        let score = self.detector.score(&reading.of_units(self.detector.rule.aggregation));
        let tokens = match self.detector.rule.aggregation {
            Aggregation::Mean => self.tokens(&text, &reading),
            Aggregation::Max => Vec::new(),
        };
        let pieces = &text.pieces;
        let first = text.layout.response.start;
        let bytes = |place: std::ops::Range<usize>| {
            let start = pieces
                .get(place.start.saturating_sub(first))
                .map_or(0, |piece| piece.start);
            let end = pieces
                .get((place.end - 1).saturating_sub(first))
                .map_or(exchange.response.len(), |piece| piece.end);
            (start, end)
        };
        let outcome = Outcome::Score {
            logit: score.logit,
            probability: score.probability,
            verdict: score.verdict(self.detector),
            over: Over::Answer,
            answer_tokens: answer.len(),
            answer: bytes(answer),
        };
        Ok(scored(outcome, tokens, Vec::new()))
    }

    /// The mean over sentences of the mean over their tokens.
    fn by_sentence(
        &self,
        response: &str,
        mut tokens: Vec<TokenScore>,
    ) -> Option<(Outcome, Vec<TokenScore>, Vec<SentenceScore>)> {
        let mut found = Vec::new();
        for token in &mut tokens {
            token.in_answer = false;
        }
        for bytes in sentences(response) {
            let (mut sum, mut count) = (0.0, 0);
            for token in &mut tokens {
                let (start, end) = token.bytes;
                let is_word = response
                    .get(start..end)
                    .is_none_or(|text| text.chars().any(char::is_alphanumeric));
                if start < bytes.end && end > bytes.start && is_word {
                    token.in_answer = true;
                    sum += token.logit;
                    count += 1;
                }
            }
            if count > 0 {
                let logit = sum / f64::from(count);
                found.push(SentenceScore {
                    bytes: (bytes.start, bytes.end),
                    logit,
                    probability: self.detector.calibration.probability(logit),
                });
            }
        }
        let (first, last) = (found.first()?, found.last()?);
        let answer = (first.bytes.0, last.bytes.1);
        let logit = found.iter().map(|sentence| sentence.logit).sum::<f64>() / found.len() as f64;
        let score = Score {
            logit,
            probability: self.detector.calibration.probability(logit),
        };
        let outcome = Outcome::Score {
            logit,
            probability: score.probability,
            verdict: score.verdict(self.detector),
            over: Over::Sentences,
            answer_tokens: tokens.iter().filter(|token| token.in_answer).count(),
            answer,
        };
        Some((outcome, tokens, found))
    }

    fn read(&mut self, text: &Text) -> Result<Reading<'m>, ScoreError> {
        let length = text.layout.length;
        let mut tap = match self.tap.take() {
            Some(tap) if tap.context() >= length => tap,
            // Dropped first: two contexts need not be in memory at once.
            other => {
                drop(other);
                Tap::new(
                    self.model,
                    &TapConfig {
                        context: length.next_multiple_of(256),
                        threads: self.threads,
                        ..TapConfig::default()
                    },
                )?
            }
        };
        let mut reading = Reading::new(self.detector, self.norms, text);
        tap.read(&text.tokens, 0, &mut reading)?;
        self.tap = Some(tap);
        Ok(reading)
    }

    fn tokens(&self, text: &Text, reading: &Reading<'_>) -> Vec<TokenScore> {
        let answer = text.layout.scored(self.detector.rule.region);
        text.layout
            .response
            .clone()
            .zip(&text.pieces)
            .map(|(position, piece)| {
                let logit = self.detector.bias + reading.sums[position];
                let score = Score {
                    logit,
                    probability: self.detector.calibration.probability(logit),
                };
                TokenScore {
                    bytes: (piece.start, piece.end),
                    in_answer: answer.contains(&position),
                    logit: score.logit,
                    probability: score.probability,
                }
            })
            .collect()
    }
}

/// CETT of the detector's units while a text is read: their weighted sum at every position, and their sums and maxima over the scored ones.
struct Reading<'n> {
    norms: &'n DownNorms,
    /// Per layer: a unit's index, its weight, and its place in the detector.
    units: BTreeMap<usize, Vec<(usize, f64, usize)>>,
    scored: std::ops::Range<usize>,
    sums: Vec<f64>,
    totals: Vec<f64>,
    maxima: Vec<f64>,
}

impl<'n> Reading<'n> {
    fn new(detector: &Detector, norms: &'n DownNorms, text: &Text) -> Self {
        let mut units: BTreeMap<usize, Vec<(usize, f64, usize)>> = BTreeMap::new();
        for (place, unit) in detector.units.iter().enumerate() {
            units
                .entry(unit.layer)
                .or_default()
                .push((unit.index, unit.weight, place));
        }
        Self {
            norms,
            units,
            scored: text.layout.scored(detector.rule.region),
            sums: vec![0.0; text.layout.length],
            totals: vec![0.0; detector.units.len()],
            maxima: vec![0.0; detector.units.len()],
        }
    }

    /// The features that the detector's score is made of.
    fn of_units(&self, aggregation: Aggregation) -> Vec<f64> {
        match aggregation {
            Aggregation::Mean => {
                let tokens = self.scored.len() as f64;
                self.totals.iter().map(|total| total / tokens).collect()
            }
            Aggregation::Max => self.maxima.clone(),
        }
    }
}

impl Reducer for Reading<'_> {
    fn block(&mut self, block: &Block<'_>) {
        let Some(units) = self.units.get(&block.layer) else {
            return;
        };
        let norms = self.norms.layer(block.layer);
        for (position, z, h) in block.rows() {
            let written = h
                .iter()
                .map(|&value| f64::from(value) * f64::from(value))
                .sum::<f64>()
                .sqrt();
            let is_scored = self.scored.contains(&position);
            for &(index, weight, place) in units {
                let cett = f64::from(z[index].abs()) * norms[index] / (written + Cett::EPSILON);
                self.sums[position] += weight * cett;
                if is_scored {
                    self.totals[place] += cett;
                    if cett > self.maxima[place] {
                        self.maxima[place] = cett;
                    }
                }
            }
        }
    }
}
