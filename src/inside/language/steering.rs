//! Steering with a model: it writes while a language's units are scaled, and what comes out is listened to.
//!
//! Greedy decoding, so that two conditions differ by the scaling alone. Random units of the same number in every layer, scaled alike, are the control.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    classes::Setting,
    identified::Identified,
    random::{RandomError, matched},
    spoken::{Ear, Heard},
    unit::{Shape, Unit},
};
use crate::llama::{Edit, Greedy, Model, Speaker, Tap, TapError, TemplateError, Turn};

/// The units of a language and the factor by which they are multiplied: above 1 strengthens, below 1 weakens, 0 silences.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scaling {
    /// The language.
    pub language: String,
    /// The factor.
    pub factor: f32,
}

/// A scaling that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` says no scaling: write a language and a factor, such as `fr=2` or `en=0`")]
pub struct ScalingError {
    /// What was given.
    pub text: String,
}

impl std::str::FromStr for Scaling {
    type Err = ScalingError;

    fn from_str(text: &str) -> Result<Self, ScalingError> {
        let parsed = text.split_once('=').and_then(|(language, factor)| {
            let factor: f32 = factor.trim().parse().ok()?;
            let language = language.trim().to_owned();
            (factor.is_finite() && !language.is_empty()).then_some(Self { language, factor })
        });
        parsed.ok_or_else(|| ScalingError { text: text.to_owned() })
    }
}

/// How the model is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// It goes on with the prompt as with any text.
    Plain,
    /// The prompt is a user's turn of a conversation, in the model's chat template.
    Chat,
}

/// What is done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// All of these at once.
    pub scalings: Vec<Scaling>,
    /// Which of a language's units.
    pub setting: Setting,
    /// Random sets in the place of the languages'.
    pub draws: u64,
    /// Seed of the first.
    pub seed: u64,
    /// How the model is asked.
    pub form: Form,
    /// How it writes.
    pub greedy: Greedy,
}

/// Which units are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// None.
    Base,
    /// The languages'.
    Steered,
    /// Random ones, by seed.
    Random(u64),
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Steered => f.write_str("steered"),
            Self::Random(seed) => write!(f, "random {seed}"),
        }
    }
}

/// What the model wrote.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Output {
    /// Which units were scaled.
    pub condition: Condition,
    /// Which prompt, from 1.
    pub prompt: usize,
    /// Tokens written.
    pub tokens: usize,
    /// The text.
    pub text: String,
    /// Its language; none where no letter tells.
    pub heard: Option<Heard>,
}

/// How many of a condition's outputs are in which language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// The condition; random sets together.
    pub condition: &'static str,
    /// Outputs.
    pub outputs: usize,
    /// By language: those of which the detector is sure.
    pub languages: BTreeMap<String, usize>,
    /// Outputs without a sure language.
    pub unclear: usize,
}

/// Why steering failed.
#[derive(Debug, thiserror::Error)]
pub enum SteeringError {
    /// The model failed.
    #[error("failed to write on after prompt {prompt}: {source}")]
    Tap {
        /// The prompt, from 1.
        prompt: usize,
        /// Why.
        source: TapError,
    },
    /// Units could not be scaled.
    #[error("failed to scale units: {0}")]
    Edit(TapError),
    /// The prompt does not fit the chat template.
    #[error("failed to put prompt {prompt} into the model's chat template: {source}; ask without it (`--form plain`)")]
    Template {
        /// The prompt, from 1.
        prompt: usize,
        /// Why.
        source: TemplateError,
    },
    /// The units are another model's.
    #[error(
        "the units were identified in a model of {expected}, but this one has {found}: identify them in this model"
    )]
    Model {
        /// The units' model.
        expected: Shape,
        /// This one.
        found: Shape,
    },
    /// A language has no units.
    #[error("no units of language `{language}` were identified, only of {}: name one of them", known.join(", "))]
    Unknown {
        /// The language.
        language: String,
        /// Languages with units.
        known: Vec<String>,
    },
    /// A language's set is empty.
    #[error(
        "language `{language}` has no unit in this setting: take another setting, or identify with a higher top rate"
    )]
    Empty {
        /// The language.
        language: String,
    },
    /// No control can be drawn.
    #[error("failed to draw random units: {0}")]
    Random(#[from] RandomError),
}

/// Writes on after every prompt under every condition; `written` hears of each output.
pub fn steer(
    tap: &mut Tap<'_>,
    identified: &Identified,
    prompts: &[String],
    plan: &Plan,
    ear: &Ear,
    written: &mut dyn FnMut(&Output),
) -> Result<Vec<Output>, SteeringError> {
    let found = Shape::from(tap.ffn());
    let expected = identified.shape();
    if expected != found {
        return Err(SteeringError::Model { expected, found });
    }
    let mut outputs = Vec::new();
    for (condition, edits) in conditions(identified, plan)? {
        tap.set_edits(&edits).map_err(SteeringError::Edit)?;
        for (nth, prompt) in prompts.iter().enumerate() {
            let prompt_number = nth + 1;
            let tokens = asked(tap.model(), prompt, plan.form).map_err(|source| SteeringError::Template {
                prompt: prompt_number,
                source,
            })?;
            let model = tap.model();
            let reply = tap
                .generate(&tokens, plan.greedy)
                .map_err(|source| SteeringError::Tap {
                    prompt: prompt_number,
                    source,
                })?;
            let bytes: Vec<u8> = reply.iter().flat_map(|&token| model.bytes(token)).collect();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let output = Output {
                condition,
                prompt: prompt_number,
                tokens: reply.len(),
                heard: ear.hear(&text),
                text,
            };
            written(&output);
            outputs.push(output);
        }
    }
    // Not to surprise who reads with this tap next; it cannot fail without edits.
    let _ = tap.set_edits(&[]);
    Ok(outputs)
}

fn asked(model: &Model, prompt: &str, form: Form) -> Result<Vec<crate::llama::Token>, TemplateError> {
    match form {
        Form::Plain => Ok(model.tokens(prompt)),
        Form::Chat => model.prompt(&[Turn {
            speaker: Speaker::User,
            content: prompt.into(),
        }]),
    }
}

fn conditions(identified: &Identified, plan: &Plan) -> Result<Vec<(Condition, Vec<Edit>)>, SteeringError> {
    let mut sets: Vec<(Vec<Unit>, f32)> = Vec::new();
    for Scaling { language, factor } in &plan.scalings {
        let position = identified.position(language).ok_or_else(|| SteeringError::Unknown {
            language: language.clone(),
            known: identified.languages().iter().map(|known| known.name.clone()).collect(),
        })?;
        let units = identified.meant(position, plan.setting);
        if units.is_empty() {
            let language = language.clone();
            return Err(SteeringError::Empty { language });
        }
        sets.push((units, *factor));
    }
    let edit = |units: Vec<Unit>, scale: f32| Edit {
        units: units.into_iter().map(Into::into).collect(),
        scale,
    };
    let steered = sets.iter().map(|(units, factor)| edit(units.clone(), *factor));
    let mut conditions = vec![(Condition::Base, Vec::new()), (Condition::Steered, steered.collect())];
    for draw in 0..plan.draws {
        let seed = plan.seed.wrapping_add(draw);
        // Units of any of the languages are spared, or one would be scaled for another.
        let spared: BTreeSet<Unit> = sets.iter().flat_map(|(units, _)| units.iter().copied()).collect();
        let mut edits = Vec::new();
        for (units, factor) in &sets {
            edits.push(edit(matched(units, identified.shape(), &spared, seed)?, *factor));
        }
        conditions.push((Condition::Random(seed), edits));
    }
    Ok(conditions)
}

/// Whether a condition is of a kind.
type Is = fn(Condition) -> bool;

/// The languages of the outputs, by condition.
pub fn shares(outputs: &[Output]) -> Vec<Share> {
    let kinds: [(&'static str, Is); 3] = [
        ("base", |condition| condition == Condition::Base),
        ("steered", |condition| condition == Condition::Steered),
        ("random", |condition| matches!(condition, Condition::Random(_))),
    ];
    let shares = kinds.map(|(condition, is)| {
        let mut share = Share {
            condition,
            outputs: 0,
            languages: BTreeMap::new(),
            unclear: 0,
        };
        for output in outputs.iter().filter(|output| is(output.condition)) {
            share.outputs += 1;
            match output.heard.as_ref().filter(|heard| heard.reliable) {
                Some(heard) => *share.languages.entry(heard.language.clone()).or_default() += 1,
                None => share.unclear += 1,
            }
        }
        share
    });
    shares.into_iter().filter(|share| share.outputs > 0).collect()
}
