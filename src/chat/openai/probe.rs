//! What an endpoint can do, found out by asking it once.
//!
//! Servers do not say which parts of the API they have, and some ignore what they do not know. So one small question is put with
//! everything at once, and the answer is looked at; only if it is refused, the parts are tried one after the other.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::answer::{Answer, Finish};
use super::failure::Failure;
use super::request::{Form, Question};
use super::retry::{Call, CallError, Caller};
use super::scores;
use crate::chat::{ChatError, ReplyFault, Sampling, Speaker, Turn, Usage};

/// What an endpoint can do. Kept with the run, so that resuming it does not probe again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Replies can be held to a JSON schema.
    pub structured: bool,
    /// Alternatives that are given for each token, with their probabilities; 0 if none are.
    pub top_logprobs: u8,
    /// Several replies to one request can be had (`n`).
    pub samples: bool,
    /// The name of the limit on a reply's tokens.
    pub length: LengthField,
    /// Parameters that the model refuses.
    pub without: BTreeSet<Parameter>,
}

/// OpenAI renamed the field; its newer models refuse the old name, other servers ignore the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LengthField {
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// A parameter that some models refuse: reasoning models fix their temperature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// `temperature`.
    Temperature,
    /// `top_p`.
    TopP,
    /// `seed`.
    Seed,
}

impl Parameter {
    const ALL: [(Self, &str); 3] = [
        (Self::Temperature, "temperature"),
        (Self::TopP, "top_p"),
        (Self::Seed, "seed"),
    ];
}

impl Capabilities {
    /// Text in, text out.
    pub fn plain() -> Self {
        Self {
            structured: false,
            top_logprobs: 0,
            samples: false,
            length: LengthField::MaxTokens,
            without: BTreeSet::new(),
        }
    }

    /// The same without what a refusal names, if it names something that can be left out.
    fn without_what(&self, refusal: &str) -> Option<Self> {
        let mut fewer = self.clone();
        if self.length == LengthField::MaxTokens && refusal.contains("max_completion_tokens") {
            fewer.length = LengthField::MaxCompletionTokens;
            return Some(fewer);
        }
        let (parameter, _) = Parameter::ALL
            .into_iter()
            .find(|(parameter, name)| !self.without.contains(parameter) && refusal.contains(name))?;
        fewer.without.insert(parameter);
        Some(fewer)
    }

    /// What an answer shows of all that was asked for.
    fn shown_by(&self, answer: &Answer) -> Self {
        let first = answer.choices().first();
        let structured = first.is_some_and(|choice| {
            let cut = choice.finish() == Finish::Length && choice.text().trim_start().starts_with('{');
            cut || scores::wire_text(choice.text()).is_some()
        });
        let alternatives = first.is_some_and(|choice| {
            let mut tokens = choice.tokens().iter();
            tokens.any(|token| token.top_logprobs.as_ref().is_some_and(|top| top.len() > 1))
        });
        Self {
            structured: self.structured && structured,
            top_logprobs: if alternatives { self.top_logprobs } else { 0 },
            samples: self.samples && answer.choices().len() == SAMPLES,
            ..self.clone()
        }
    }
}

const SAMPLES: usize = 2;
/// Reasoning models think before they write.
const MAX_TOKENS: usize = 512;
/// Enough to see that text comes at all.
const FEW_TOKENS: usize = 16;
/// Most alternatives that OpenAI and vLLM give; others stop at five.
const ALTERNATIVES: [u8; 2] = [20, 5];
/// Features, when asked for, make some servers answer with a server error: trying that again as often as a call would take long.
const FEATURE_ATTEMPTS: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

const QUESTION: &str = "Two assistants were asked for the capital of France. Assistant 1 answered “Paris”, Assistant 2 answered “Rome”. \
                        Say in a few words which answer is better, then give each a score from 1 to 10.";

/// What a probe found, and what it cost.
#[derive(Debug)]
pub(super) struct Probed {
    pub(super) can: Capabilities,
    pub(super) usage: Usage,
}

/// Asks an endpoint what it can do.
pub(super) async fn probe(caller: &Caller, model: &str) -> Result<Probed, ChatError> {
    let mut probe = Probe {
        caller,
        model,
        usage: Usage::default(),
    };
    let can = probe.run().await?;
    Ok(Probed {
        can,
        usage: probe.usage,
    })
}

struct Probe<'a> {
    caller: &'a Caller,
    model: &'a str,
    usage: Usage,
}

impl Probe<'_> {
    async fn run(&mut self) -> Result<Capabilities, ChatError> {
        let everything = Capabilities {
            structured: true,
            top_logprobs: ALTERNATIVES[0],
            samples: true,
            ..Capabilities::plain()
        };
        match self.ask(&everything, MAX_TOKENS, FEATURE_ATTEMPTS).await {
            Ok(answer) => {
                let shown = everything.shown_by(&answer);
                // A server may have left out two things because they do not go together; that is rare, and costs only comfort.
                return Ok(shown);
            }
            Err(error) if !may_be_a_feature(&error) => return Err(error.error),
            Err(_) => {}
        }
        let mut can = self.plain().await?;
        for feature in features() {
            let more = feature(&can);
            if let Some(more) = more
                && let Some(shown) = self.shows(&more).await?
                && shown == more
            {
                can = more;
            }
        }
        Ok(can)
    }

    /// The least that the endpoint takes.
    async fn plain(&mut self) -> Result<Capabilities, ChatError> {
        let mut can = Capabilities::plain();
        loop {
            let attempts = self.caller.patience.attempts;
            match self.ask(&can, FEW_TOKENS, attempts).await {
                // A reasoning model that had not come to its end works as well.
                Ok(_)
                | Err(CallError {
                    failure: Some(Failure::Garbled(ReplyFault::OutOfTokens)),
                    ..
                }) => return Ok(can),
                Err(CallError {
                    failure: Some(Failure::Rejected { reason, .. }),
                    error,
                }) => match can.without_what(&reason) {
                    Some(fewer) => can = fewer,
                    None => return Err(error),
                },
                Err(CallError { error, .. }) => return Err(error),
            }
        }
    }

    /// What the answer shows when so much is asked for; `None` if that is refused.
    async fn shows(&mut self, can: &Capabilities) -> Result<Option<Capabilities>, ChatError> {
        match self.ask(can, MAX_TOKENS, FEATURE_ATTEMPTS).await {
            Ok(answer) => Ok(Some(can.shown_by(&answer))),
            Err(error) if may_be_a_feature(&error) => Ok(None),
            Err(error) => Err(error.error),
        }
    }

    async fn ask(&mut self, can: &Capabilities, max_tokens: usize, attempts: NonZeroU32) -> Result<Answer, CallError> {
        let turns = [Turn {
            speaker: Speaker::User,
            content: QUESTION.into(),
        }];
        let question = Question {
            model: self.model,
            turns: &turns,
            sampling: Sampling {
                temperature: 0.7,
                top_p: 1.0,
                top_k: None,
                seed: 1,
            },
            form: Form::Judgement,
            max_tokens,
            samples: if can.samples { SAMPLES } else { 1 },
        };
        let body = question.body(can).map_err(|error| CallError {
            failure: None,
            error: ChatError::Template {
                reason: error.to_string(),
            },
        })?;
        let call = Call {
            body: &body,
            expected_tokens: question.expected_tokens(),
            most_completion: (max_tokens * question.samples) as u64,
            samples: question.samples,
            origin: None,
            attempts,
        };
        let answered = self.caller.call(&call).await?;
        self.usage += answered.usage;
        Ok(answered.answer)
    }
}

/// Each adds one thing to what is known to work; `None` where there is nothing to add.
fn features() -> [fn(&Capabilities) -> Option<Capabilities>; 4] {
    fn with(can: &Capabilities, add: impl FnOnce(&mut Capabilities)) -> Option<Capabilities> {
        let mut more = can.clone();
        add(&mut more);
        (more != *can).then_some(more)
    }
    [
        |can| with(can, |can| can.structured = true),
        |can| with(can, |can| can.samples = true),
        |can| with(can, |can| can.top_logprobs = ALTERNATIVES[0]),
        |can| with(can, |can| can.top_logprobs = can.top_logprobs.max(ALTERNATIVES[1])),
    ]
}

/// Whether a failure may be due to what was asked for beyond plain text.
fn may_be_a_feature(error: &CallError) -> bool {
    match &error.failure {
        // OpenAI answers 403 to models without log-probabilities, OpenRouter 404 where no provider has what is asked for. If that is not the
        // reason, the plain request will meet the same.
        Some(Failure::Rejected { status, .. }) => matches!(status, 403 | 404) || !error.error.is_fatal(),
        Some(Failure::Server { .. } | Failure::Garbled(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_openais_reasoning_models_name_what_to_leave_out() {
        let plain = Capabilities::plain();
        let renamed = plain
            .without_what(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            )
            .unwrap();
        assert_eq!(renamed.length, LengthField::MaxCompletionTokens);
        let refusal = "Unsupported value: 'temperature' does not support 0.7 with this model.";
        let fixed = renamed.without_what(refusal).unwrap();
        assert_eq!(fixed.without, [Parameter::Temperature].into());
        assert_eq!(
            fixed.without_what(refusal),
            None,
            "said before: it means something else"
        );
    }

    #[test]
    fn only_what_the_answer_shows_is_believed() {
        let everything = Capabilities {
            structured: true,
            top_logprobs: 20,
            samples: true,
            ..Capabilities::plain()
        };
        let shown = |json: &str| everything.shown_by(&Answer::read(json.as_bytes()).unwrap());
        let ignored = shown(r#"{"choices":[{"message":{"content":"Paris is better."}}]}"#);
        assert_eq!(ignored, Capabilities::plain());
        let scored = r#"{"message":{"content":"{\"evidence\":\"\",\"score1\":9,\"score2\":1}"},"logprobs":{"content":[
            {"token":"{","logprob":0,"top_logprobs":[{"token":"{","logprob":-0.1},{"token":" {","logprob":-3}]}]}}"#;
        assert_eq!(shown(&format!(r#"{{"choices":[{scored},{scored}]}}"#)), everything);
        let cut = r#"{"message":{"content":"{\"evidence\":\"Paris"},"finish_reason":"length"}"#;
        assert!(shown(&format!(r#"{{"choices":[{cut}]}}"#)).structured);
    }

    #[test]
    fn capabilities_survive_the_run_s_file() {
        let can = Capabilities {
            without: [Parameter::TopP].into(),
            ..Capabilities::plain()
        };
        let json = serde_json::to_string(&can).unwrap();
        assert_eq!(serde_json::from_str::<Capabilities>(&json).unwrap(), can);
    }
}
