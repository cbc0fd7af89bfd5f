//! Several answers to every question, from the local engine.

use std::collections::HashSet;
use std::num::{NonZeroU16, NonZeroUsize};

use serde::{Deserialize, Serialize};

use super::journal::{Journal, JournalError};
use super::questions::Question;
use super::style::Style;
use crate::llama::{Engine, EngineError, Sampling, Step, TemplateError};

/// Questions whose answers are drawn together. Their lines are written together, so that a run that goes on finds the same groups and draws the same answers.
const GROUP: usize = 8;

/// How answers are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draws {
    /// Answers per question.
    pub samples: NonZeroUsize,
    /// 0 takes the most probable token each time.
    pub temperature: f32,
    /// Only so many of the most probable tokens.
    pub top_k: Option<NonZeroU16>,
    /// The smallest set of tokens that holds this much probability.
    pub top_p: f32,
    /// Tokens of the longest answer.
    pub max_tokens: NonZeroUsize,
    /// From which every answer's seed is derived.
    pub seed: u64,
}

impl Draws {
    /// The settings of the H-Neurons paper for a style; short answers that end with their line where the style is [`Style::FewShot`].
    pub fn published(style: Style, seed: u64) -> Self {
        Self {
            samples: NonZeroUsize::MIN.saturating_add(9),
            temperature: 1.0,
            top_k: NonZeroU16::new(50),
            top_p: 0.9,
            max_tokens: NonZeroUsize::MIN.saturating_add(match style {
                Style::FewShot => 15,
                Style::Chat | Style::Verbatim => 49,
            }),
            seed,
        }
    }
}

/// The answers to one question: a line of `samples.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// The question's set and id.
    pub id: String,
    /// The question.
    pub question: String,
    /// Its answers without the white space around them, in the order of their draws.
    pub responses: Vec<String>,
}

/// Failures to draw answers.
#[derive(Debug, thiserror::Error)]
pub enum SamplingError {
    /// The prompt cannot be made.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The engine fails.
    #[error("failed to answer question `{id}`: {source}")]
    Engine {
        /// The question.
        id: String,
        /// What the engine says.
        source: EngineError,
    },
    /// The answers cannot be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Draws the answers that the journal does not hold yet. A question that does not fit into the context gets no answer, and is dropped later. `done` hears how many
/// questions are answered.
pub async fn sample(
    engine: &Engine,
    style: Style,
    draws: &Draws,
    questions: &[Question],
    journal: &mut Journal<Samples>,
    mut done: impl FnMut(usize),
) -> Result<(), SamplingError> {
    let mut finished: HashSet<String> = journal.entries().iter().map(|entry| entry.id.clone()).collect();
    let script = [Step::Generate {
        max_tokens: draws.max_tokens.get(),
        stop: style.stops(),
    }];
    for (group, questions) in (0..).zip(questions.chunks(GROUP)) {
        let open: Vec<&Question> = questions
            .iter()
            .filter(|question| !finished.contains(&question.key()))
            .collect();
        let mut jobs = Vec::new();
        for question in &open {
            let prompt = style.opening(engine.model(), &question.asked())?;
            for sample in 0..draws.samples.get() {
                let sampling = Sampling {
                    temperature: draws.temperature,
                    top_p: draws.top_p,
                    top_k: draws.top_k,
                    seed: seed(draws.seed, &question.key(), sample),
                };
                // A scope for each group: what the cache holds depends on the group alone.
                jobs.push(engine.job(prompt.clone(), engine.model().script(&script), sampling, group));
            }
        }
        if jobs.is_empty() {
            done(finished.len());
            continue;
        }
        let mut replies = engine.submit(jobs).await.into_iter();
        let mut entries = Vec::new();
        for question in open {
            let mut responses = Vec::new();
            for reply in replies.by_ref().take(draws.samples.get()) {
                match reply {
                    Ok(completion) => responses.push(completion.text.trim().to_owned()),
                    Err(EngineError::TooLong { .. }) => {}
                    Err(source) => {
                        return Err(SamplingError::Engine {
                            id: question.key(),
                            source,
                        });
                    }
                }
            }
            finished.insert(question.key());
            entries.push(Samples {
                id: question.key(),
                question: question.text.clone(),
                responses,
            });
        }
        journal.append(entries)?;
        done(finished.len());
    }
    Ok(())
}

/// A seed that depends on nothing but its place.
pub(super) fn seed(run: u64, id: &str, sample: usize) -> u64 {
    let hash = blake3::hash(format!("{run}\n{id}\n{sample}").as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}
