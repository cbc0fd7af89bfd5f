//! From a choice of the server's answer to a reply.

use super::Capabilities;
use super::answer::{Choice, Finish};
use super::request::Form;
use super::scores;
use super::transport::Transport;
use crate::chat::{ChatError, Reply, Stopped, Usage};

/// A choice as a reply.
pub(super) fn reply(
    choice: &Choice,
    form: Form,
    can: &Capabilities,
    usage: Usage,
    transport: &Transport,
) -> Result<Reply, ChatError> {
    if let Some(fault) = choice.fault() {
        return Err(ChatError::BadReply { fault });
    }
    if let Some(refusal) = choice.refusal() {
        return Err(ChatError::Withheld {
            reason: format!("“{}”", transport.shown(refusal)),
        });
    }
    let stopped = match choice.finish() {
        Finish::Stop => Stopped::EndOfTurn,
        Finish::Length => Stopped::Limit,
        Finish::Filtered => {
            return Err(ChatError::Withheld {
                reason: "a content filter cut it off".into(),
            });
        }
    };
    let raw = choice.text();
    let (text, chosen) = match form {
        Form::Free => (None, None),
        Form::Judgement => (
            // A reply that breaks the form is left as it is: the parser may still make something of it.
            can.structured.then(|| scores::wire_text(raw)).flatten(),
            scores::distributions(raw, choice.tokens()),
        ),
    };
    Ok(Reply {
        text: transport.reply_text(text.unwrap_or_else(|| raw.to_owned())),
        chosen: chosen.unwrap_or_default(),
        stopped: vec![stopped],
        usage,
    })
}

/// The usage of one of several samples that came in one answer: the prompt was paid for once, the replies are taken as equally long.
pub(super) fn share(total: Usage, sample: usize, samples: usize) -> Usage {
    let n = samples.max(1) as u64;
    let rest = total.completion % n;
    let extra = u64::from((sample as u64) < rest);
    let completion = total.completion / n + extra;
    if sample == 0 {
        Usage { completion, ..total }
    } else {
        Usage {
            completion,
            ..Usage::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_samples_sum_to_the_whole() {
        let total = Usage {
            prompt: 100,
            cached_prompt: 64,
            completion: 32,
        };
        for samples in 1..7 {
            let mut sum = Usage::default();
            for sample in 0..samples {
                sum += share(total, sample, samples);
            }
            assert_eq!(sum, total);
        }
    }
}
