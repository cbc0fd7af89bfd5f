//! The request as it goes over the wire.

use async_openai::types::chat::{
    ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage,
    ChatCompletionRequestUserMessage, CreateChatCompletionRequest, ResponseFormat, ResponseFormatJsonSchema,
};
use serde_json::json;

use super::{Capabilities, LengthField, Parameter};
use crate::chat::{Sampling, Speaker, Turn};

/// Seeds are cut to 31 bits: some servers keep them in a signed 32-bit integer.
const SEED_BITS: u64 = 0x7fff_ffff;

/// What models are told beside the schema, which not every server shows them.
const JSON_NOTE: &str = "\n\nGive your answer as a JSON object with the keys `evidence` (your evaluation as text), `score1` (the score of \
                         Assistant 1) and `score2` (the score of Assistant 2), and write nothing else.";

/// What the reply should look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Text.
    Free,
    /// Evidence and scores, by whatever means the endpoint has.
    Judgement,
}

/// A conversation to be continued.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) model: &'a str,
    pub(super) turns: &'a [Turn],
    pub(super) sampling: Sampling,
    pub(super) form: Form,
    pub(super) max_tokens: usize,
    pub(super) samples: usize,
}

impl Question<'_> {
    /// The body of the request, for an endpoint that can do so much.
    pub(super) fn body(&self, can: &Capabilities) -> serde_json::Result<Vec<u8>> {
        let structured = self.form == Form::Judgement && can.structured;
        let last = self.turns.len().saturating_sub(1);
        let messages = self.turns.iter().enumerate().map(|(i, turn)| {
            let note = if structured && i == last { JSON_NOTE } else { "" };
            message(turn, note)
        });
        let sends = |parameter: Parameter| !can.without.contains(&parameter);
        let max_tokens = u32::try_from(self.max_tokens).unwrap_or(u32::MAX);
        let mut request = CreateChatCompletionRequest {
            model: self.model.to_owned(),
            messages: messages.collect(),
            temperature: sends(Parameter::Temperature).then_some(self.sampling.temperature),
            // 1 is what servers take it to be.
            top_p: (sends(Parameter::TopP) && self.sampling.top_p < 1.0).then_some(self.sampling.top_p),
            n: u8::try_from(self.samples).ok().filter(|&n| n > 1),
            response_format: structured.then(schema),
            ..CreateChatCompletionRequest::default()
        };
        if self.form == Form::Judgement && can.top_logprobs > 0 {
            request.logprobs = Some(true);
            request.top_logprobs = Some(can.top_logprobs);
        }
        #[expect(deprecated, reason = "the only names that servers other than OpenAI's know")]
        {
            match can.length {
                LengthField::MaxTokens => request.max_tokens = Some(max_tokens),
                LengthField::MaxCompletionTokens => request.max_completion_tokens = Some(max_tokens),
            }
            // Greedy calls have no seed: equal calls stay equal.
            if sends(Parameter::Seed) && self.sampling.temperature > 0.0 {
                request.seed = i64::try_from(self.sampling.seed & SEED_BITS).ok();
            }
        }
        serde_json::to_vec(&request)
    }

    /// Tokens that may be billed, roughly: four bytes each in the prompt, and all that the replies may have.
    pub(super) fn expected_tokens(&self) -> u64 {
        let bytes: usize = self.turns.iter().map(|turn| turn.content.len()).sum();
        (bytes / 4 + 4 * self.turns.len() + self.max_tokens * self.samples) as u64
    }
}

fn message(turn: &Turn, note: &str) -> ChatCompletionRequestMessage {
    let text = format!("{}{note}", turn.content);
    match turn.speaker {
        Speaker::System => ChatCompletionRequestSystemMessage::from(text).into(),
        Speaker::User => ChatCompletionRequestUserMessage::from(text).into(),
        Speaker::Assistant => ChatCompletionRequestAssistantMessage::from(text).into(),
    }
}

/// Evidence before scores, so that the scores follow from it; whole scores, so that one token tells them apart.
fn schema() -> ResponseFormat {
    let score = |number: u8| {
        json!({
            "type": "integer",
            "enum": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
            "description": format!("score of Assistant {number}"),
        })
    };
    ResponseFormat::JsonSchema {
        json_schema: ResponseFormatJsonSchema {
            name: "judgement".into(),
            description: None,
            schema: json!({
                "type": "object",
                "properties": {
                    "evidence": { "type": "string", "description": "evaluation evidence" },
                    "score1": score(1),
                    "score2": score(2),
                },
                "required": ["evidence", "score1", "score2"],
                "additionalProperties": false,
            }),
            strict: Some(true),
        },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::Value;

    use super::*;

    fn body(form: Form, samples: usize, temperature: f32, can: &Capabilities) -> Value {
        let turn = |speaker, content: &str| Turn {
            speaker,
            content: content.into(),
        };
        let question = Question {
            model: "m",
            turns: &[turn(Speaker::System, "s"), turn(Speaker::User, "u")],
            sampling: Sampling {
                temperature,
                top_p: 1.0,
                top_k: None,
                seed: u64::MAX,
            },
            form,
            max_tokens: 9,
            samples,
        };
        serde_json::from_slice(&question.body(can).unwrap()).unwrap()
    }

    #[test]
    fn a_plain_request_holds_nothing_that_small_servers_do_not_know() {
        let mut expected = json!({
            "model": "m", "temperature": 0.0, "max_tokens": 9,
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        });
        let plain = Capabilities::plain();
        assert_eq!(body(Form::Judgement, 1, 0.0, &plain), expected);
        expected["temperature"] = json!(0.5);
        expected["seed"] = json!(SEED_BITS);
        assert_eq!(body(Form::Free, 1, 0.5, &plain), expected);
    }

    #[test]
    fn what_the_endpoint_can_do_is_asked_for_where_scores_are_wanted() {
        let can = Capabilities {
            structured: true,
            top_logprobs: 20,
            samples: true,
            length: LengthField::MaxCompletionTokens,
            without: [Parameter::Temperature, Parameter::Seed].into(),
        };
        let judgement = body(Form::Judgement, 3, 0.5, &can);
        assert_eq!(judgement["response_format"]["json_schema"]["strict"], true);
        assert_eq!(
            (&judgement["logprobs"], &judgement["top_logprobs"], &judgement["n"]),
            (&json!(true), &json!(20), &json!(3))
        );
        assert!(
            judgement["messages"][1]["content"]
                .as_str()
                .unwrap()
                .contains("`score1`")
        );
        assert_eq!(judgement["messages"][0]["content"], "s");
        assert_eq!(
            (&judgement["max_completion_tokens"], &judgement["max_tokens"]),
            (&json!(9), &Value::Null)
        );
        assert_eq!(
            (&judgement["temperature"], &judgement["seed"]),
            (&Value::Null, &Value::Null)
        );
        let free = body(Form::Free, 1, 0.5, &can);
        assert_eq!(
            (&free["response_format"], &free["logprobs"], &free["n"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        // The schema's order is the order in which models write.
        let text = serde_json::to_string(&schema()).unwrap();
        assert!(
            text.find("\"evidence\"").unwrap() < text.find("\"score1\"").unwrap(),
            "{text}"
        );
    }
}
