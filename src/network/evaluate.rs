//! One pair through the network.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::generate::{RoleOutcome, roles_of};
use super::layer::{Ground, run_layer, spread_angles};
use super::opinion::Opinion;
use super::seed::{Place, seed};
use super::sequential::in_sequence;
use super::spec::{Network, Stop};
use super::stop::{Stopped, unanimous};
use crate::chat::{ChatError, ChatModel, Sampling, Usage};
use crate::cost::Stage;
use crate::pair::Pair;
use crate::prompt::{Family, Nonce, Prompts, RenderError};

/// The models that neurons are asked through.
pub struct Panel {
    run: Arc<dyn ChatModel>,
    named: BTreeMap<String, Arc<dyn ChatModel>>,
}

impl Panel {
    /// The run's model, and the models that the network names.
    pub fn new(run: Arc<dyn ChatModel>, named: BTreeMap<String, Arc<dyn ChatModel>>) -> Self {
        Self { run, named }
    }

    /// The model of this name; the run's if there is none of that name, or no name.
    pub(super) fn model(&self, name: Option<&str>) -> &Arc<dyn ChatModel> {
        name.and_then(|name| self.named.get(name)).unwrap_or(&self.run)
    }
}

/// What all pairs of a run have in common.
pub struct Setting<'a> {
    /// The network.
    pub network: &'a Network,
    /// Prompt texts.
    pub prompts: &'a Prompts,
    /// The pair's prompt family.
    pub family: &'a Family,
    /// The models.
    pub panel: &'a Panel,
    /// The run's seed.
    pub seed: u64,
}

/// What a network made of a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Roles and how they came about.
    pub roles: RoleOutcome,
    /// All opinions: by layer, neuron, order, sample.
    pub opinions: Vec<Opinion>,
    /// Cost of each stage.
    pub stages: Vec<StageRecord>,
    /// Where the network stopped before all its neurons had spoken; absent where nothing was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
}

/// What a stage took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// Role generation, or a layer.
    pub stage: Stage,
    /// Requests made.
    pub calls: usize,
    /// Tokens.
    pub usage: Usage,
    /// Wall-clock seconds. Pairs that run at the same time share the machine, so these may sum to more than the run took.
    pub seconds: f64,
}

/// Why a pair could not be evaluated at all.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The backend failed.
    #[error("{0}")]
    Chat(#[from] ChatError),
    /// A prompt could not be made.
    #[error("{0}")]
    Render(#[from] RenderError),
}

/// Takes a pair through all stages, or as many as the network's `stop` asks for. Failed calls are missing opinions; only a failing backend or prompt is an error.
pub async fn evaluate(pair: &Pair, setting: &Setting<'_>) -> Result<Evaluation, EvaluateError> {
    let nonce = Nonce::for_pair(setting.seed, &[&pair.query, &pair.response1, &pair.response2]);
    let clock = Instant::now();
    let roles = roles_of(pair, &nonce, setting).await?;
    let mut stages = Vec::new();
    if roles.attempts > 0 {
        stages.push(StageRecord {
            stage: Stage::Roles,
            calls: roles.attempts,
            usage: roles.usage,
            seconds: clock.elapsed().as_secs_f64(),
        });
    }
    let mut angles: Vec<Vec<String>> = roles.roles.iter().map(|role| role.iter().cloned().collect()).collect();
    let mut opinions: Vec<Opinion> = Vec::new();
    let mut start = 0;
    let mut stopped = None;
    for layer in 0..setting.network.layers.len() {
        let clock = Instant::now();
        let ground = Ground {
            pair,
            nonce: &nonce,
            roles: &roles.roles,
            before: &opinions[start..],
            angles: &angles,
        };
        let of_layer = match (layer, setting.network.stop) {
            (0, Stop::Sequential) => {
                let (opinions, decided) = in_sequence(&ground, setting).await?;
                stopped = decided;
                opinions
            }
            (_, stop) => {
                let opinions = run_layer(layer, 0..roles.roles.len(), &ground, setting).await?;
                let deeper = layer + 1 < setting.network.layers.len();
                if stop == Stop::Unanimous && deeper && unanimous(&opinions, setting.network.aggregate) {
                    stopped = Some(Stopped::Unanimous { layer });
                }
                opinions
            }
        };
        angles = spread_angles(layer, &ground, setting);
        let mut record = StageRecord {
            stage: Stage::Layer(layer),
            calls: 0,
            usage: Usage::default(),
            seconds: 0.0,
        };
        for opinion in &of_layer {
            record.calls += opinion.attempts;
            record.usage += opinion.usage;
        }
        record.seconds = clock.elapsed().as_secs_f64();
        stages.push(record);
        start = opinions.len();
        opinions.extend(of_layer);
        if stopped.is_some() {
            break;
        }
    }
    Ok(Evaluation {
        roles,
        opinions,
        stages,
        stopped,
    })
}

/// Repeating a request at temperature 0 would repeat its reply.
const RETRY_TEMPERATURE: f32 = 0.7;

/// Temperature of an attempt whose first was made at `first`.
pub(super) fn retry_temperature(first: f32, attempt: usize) -> f32 {
    if attempt > 0 && first < RETRY_TEMPERATURE {
        RETRY_TEMPERATURE
    } else {
        first
    }
}

/// Sampling of the call at a place. Greedy calls carry no seed: equal calls stay equal, wherever they are made.
pub(super) fn draw(temperature: f32, top_p: f32, run: u64, place: Place) -> Sampling {
    if temperature == 0.0 {
        Sampling::greedy()
    } else {
        Sampling {
            temperature,
            top_p,
            top_k: None,
            seed: seed(run, place),
        }
    }
}
