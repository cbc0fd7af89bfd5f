//! The answer as it comes over the wire.
//!
//! Read by shapes of our own: servers differ in what they leave out (ids, times, `total_tokens`) and in the values of enumerations
//! (`service_tier`, `finish_reason`), and a reply that has been paid for should not be lost to a field that nobody reads.

use serde::Deserialize;
use serde_json::Value;

use crate::chat::{ReplyFault, Usage};

/// What is read of an answer.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    pub(super) choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<WireUsage>,
    #[serde(default)]
    pub(super) error: Option<Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    index: Option<u64>,
    #[serde(default)]
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    logprobs: Option<Logprobs>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Logprobs {
    #[serde(default)]
    content: Option<Vec<Token>>,
}

/// A token of the text, and what might have stood in its place.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Token {
    #[serde(rename = "token")]
    pub(super) text: String,
    #[serde(default)]
    pub(super) bytes: Option<Vec<u8>>,
    #[serde(default)]
    pub(super) logprob: f64,
    #[serde(default)]
    pub(super) top_logprobs: Option<Vec<Alternative>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Alternative {
    pub(super) token: String,
    #[serde(default)]
    pub(super) logprob: f64,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct WireUsage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

/// How a choice ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    Length,
    Filtered,
}

impl Answer {
    pub(super) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        let mut answer: Self = serde_json::from_slice(body)?;
        if let Some(choices) = &mut answer.choices {
            choices.sort_by_key(|choice| choice.index);
        }
        Ok(answer)
    }

    pub(super) fn choices(&self) -> &[Choice] {
        self.choices.as_deref().unwrap_or_default()
    }

    /// What the server counted; `None` if it did not say.
    pub(super) fn usage(&self) -> Option<Usage> {
        let usage = self.usage?;
        let prompt = usage.prompt_tokens?;
        let cached = usage.prompt_tokens_details.and_then(|details| details.cached_tokens);
        Some(Usage {
            prompt,
            cached_prompt: cached.unwrap_or(0).min(prompt),
            completion: usage.completion_tokens.unwrap_or(0),
        })
    }

    /// What is wrong with the answer as a whole: nothing if any of its choices is of use, or was withheld on purpose.
    pub(super) fn fault(&self) -> Option<ReplyFault> {
        let choices = self.choices();
        let first = choices.first().map_or(Some(ReplyFault::NoChoices), Choice::fault)?;
        choices.iter().all(|choice| choice.fault().is_some()).then_some(first)
    }
}

impl Choice {
    pub(super) fn text(&self) -> &str {
        self.message.content.as_deref().unwrap_or_default()
    }

    pub(super) fn refusal(&self) -> Option<&str> {
        self.message.refusal.as_deref().filter(|text| !text.is_empty())
    }

    pub(super) fn tokens(&self) -> &[Token] {
        let content = self.logprobs.as_ref().and_then(|logprobs| logprobs.content.as_deref());
        content.unwrap_or_default()
    }

    pub(super) fn finish(&self) -> Finish {
        match self.finish_reason.as_deref() {
            Some("length" | "max_tokens") => Finish::Length,
            Some("content_filter") => Finish::Filtered,
            _ => Finish::Stop,
        }
    }

    /// Why this choice has no text, unless it was withheld.
    pub(super) fn fault(&self) -> Option<ReplyFault> {
        let withheld = self.refusal().is_some() || self.finish() == Finish::Filtered;
        if withheld || !self.text().trim().is_empty() {
            return None;
        }
        Some(match self.finish() {
            Finish::Length => ReplyFault::OutOfTokens,
            _ => ReplyFault::NoText,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(json: &str) -> Answer {
        Answer::read(json.as_bytes()).unwrap()
    }

    #[test]
    fn servers_may_leave_out_and_invent_what_nobody_reads() {
        let answer = read(
            r#"{"service_tier":"on_demand","choices":[
                {"index":1,"message":{"content":"b"},"finish_reason":"eos"},
                {"index":0,"message":{"role":"x","content":"a","tool_calls":7},"logprobs":{"content":null}}
            ],"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}}"#,
        );
        let texts: Vec<&str> = answer.choices().iter().map(Choice::text).collect();
        assert_eq!(texts, ["a", "b"]);
        let usage = Usage {
            prompt: 9,
            cached_prompt: 4,
            completion: 2,
        };
        assert_eq!(answer.usage(), Some(usage));
        assert_eq!(read(r#"{"choices":[{"message":{"content":"a"}}]}"#).usage(), None);
        assert_eq!(read(r#"{"usage":{"prompt_tokens":null}}"#).usage(), None);
    }

    #[test]
    fn an_answer_without_text_says_why() {
        let fault = |choices: &str| read(&format!(r#"{{"choices":{choices}}}"#)).fault();
        assert_eq!(fault("[]"), Some(ReplyFault::NoChoices));
        assert_eq!(fault("null"), Some(ReplyFault::NoChoices));
        assert_eq!(fault(r#"[{"message":{"content":null}}]"#), Some(ReplyFault::NoText));
        assert_eq!(
            fault(r#"[{"message":{"content":""},"finish_reason":"length"}]"#),
            Some(ReplyFault::OutOfTokens)
        );
        assert_eq!(fault(r#"[{"message":{"refusal":"I cannot"}}]"#), None, "withheld");
        assert_eq!(
            fault(r#"[{"message":{"content":""}},{"message":{"content":"a"}}]"#),
            None,
            "one is of use"
        );
    }
}
