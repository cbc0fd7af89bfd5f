//! Role generation: which angles of view matter for this pair (spec section 3).

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::evaluate::{EvaluateError, Setting, draw, retry_temperature};
use super::seed::Place;
use super::spec::{Form, RoleParser, Roles};
use crate::chat::{CallKey, ChatError, ReplyPlan, Request, Steering, Step, Usage};
use crate::pair::{Order, Pair};
use crate::prompt::{Angles, Nonce, Rendered, Shown, roles};

/// The roles of a pair's neurons, and how they came about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleOutcome {
    /// One per neuron; `None` is a judge without role.
    pub roles: Vec<Option<String>>,
    /// Whether nothing could be read and the fallback roles are used: two, or one where no more are asked for.
    pub fallback: bool,
    /// Requests made; 0 where roles are not generated.
    pub attempts: usize,
    /// Key of the last request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallKey>,
    /// The last reply as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// Tokens of all attempts.
    pub usage: Usage,
}

/// Most tokens of one name in a steered list.
const NAME_TOKENS: usize = 16;

/// A list of roles put into the mouth of a model that can be steered. Where it is known how many roles can be used, each name is asked for
/// between its delimiters, so that the list always parses and nothing is written that would be thrown away; else the model goes
/// on freely after the first delimiter.
fn role_steps(most: Option<usize>, close: char, max_tokens: usize) -> Vec<Step> {
    let Some(most) = most else {
        let stop = vec!["\n\n\n".to_owned()];
        return vec![
            Step::Force(roles::OPEN.to_string()),
            Step::Generate { max_tokens, stop },
        ];
    };
    let name = Step::Generate {
        max_tokens: NAME_TOKENS.min(max_tokens),
        stop: [close, roles::OPEN, '\n', ':'].iter().map(char::to_string).collect(),
    };
    let between = Step::Force(format!("{close}\n{}", roles::OPEN));
    let mut steps = vec![Step::Force(roles::OPEN.to_string()), name.clone()];
    for _ in 1..most {
        steps.extend([between.clone(), name.clone()]);
    }
    steps.push(Step::Force(close.to_string()));
    steps
}

/// Decides the roles for one pair.
pub(super) async fn roles_of(pair: &Pair, nonce: &Nonce, setting: &Setting<'_>) -> Result<RoleOutcome, EvaluateError> {
    let network = setting.network;
    let (limit, cap, attempts, max_tokens, temperature, parser) = match &network.roles {
        Roles::None => {
            return Ok(RoleOutcome {
                roles: vec![None],
                ..RoleOutcome::default()
            });
        }
        Roles::Fixed { names } => {
            let roles = names.iter().cloned().map(Some).collect();
            return Ok(RoleOutcome {
                roles,
                ..RoleOutcome::default()
            });
        }
        Roles::Generated {
            limit,
            cap,
            attempts,
            max_tokens,
            temperature,
            parser,
        } => (*limit, *cap, *attempts, *max_tokens, *temperature, *parser),
    };
    let shown = Shown {
        query: &pair.query,
        first: &pair.response1,
        second: &pair.response2,
    };
    let angles = limit.map_or(Angles::Unlimited, Angles::Limited);
    let Rendered { system, user } = setting
        .prompts
        .roles(network.prompt, setting.family, &shown, nonce, angles)?;
    let model = setting.panel.model(network.model_of(0, 0));
    let turns = super::layer::turns(system, user);
    // `limit` neurons at most, as in the published code's limited mode (spec 3.1).
    let width = [limit, cap].into_iter().flatten().map(NonZeroUsize::get).min();
    let plan = match (network.reply.form, model.steering()) {
        (Form::Scaffold, Steering::Scaffold) => {
            ReplyPlan::Scaffold(role_steps(width, setting.family.close, max_tokens))
        }
        _ => ReplyPlan::Free { max_tokens },
    };
    let mut outcome = RoleOutcome::default();
    for attempt in 0..attempts.get() {
        let temperature = match parser {
            RoleParser::Compat => temperature,
            RoleParser::Robust => retry_temperature(temperature, attempt),
        };
        let place = Place {
            pair: pair.index,
            stage: 0,
            neuron: 0,
            order: Order::Forward,
            sample: 0,
            attempt,
        };
        let request = Request {
            turns: turns.clone(),
            plan: plan.clone(),
            sampling: draw(temperature, 1.0, setting.seed, place),
            origin: place.origin(),
        };
        outcome.attempts += 1;
        outcome.call = Some(CallKey::of(model.identity(), &request));
        let replies = model.reply_all(vec![request]).await;
        let miscounted = || ChatError::miscounted(model.identity(), 1, 0);
        let reply = match replies.into_iter().next().ok_or_else(miscounted)? {
            Ok(reply) => reply,
            Err(error) if error.is_fatal() => return Err(error.into()),
            // A pair too long for role generation may still be judged under the fallback roles.
            Err(_) => break,
        };
        outcome.usage += reply.usage;
        let close = setting.family.close;
        let parsed = match parser {
            RoleParser::Robust => roles::robust::parse(&reply.text, close, cap),
            RoleParser::Compat => roles::compat::parse(&reply.text, close),
        };
        outcome.raw = Some(reply.text);
        // An empty name cannot be an angle of view; the published code keeps it all the same.
        outcome.roles = parsed.into_iter().map(Some).collect();
        outcome.roles.truncate(width.unwrap_or(usize::MAX));
        if !outcome.roles.is_empty() {
            return Ok(outcome);
        }
    }
    outcome.fallback = true;
    outcome.roles = roles::FALLBACK.iter().map(|&role| Some(role.to_owned())).collect();
    outcome.roles.truncate(width.unwrap_or(usize::MAX));
    Ok(outcome)
}
