//! A model as the judge of answers, in place of the rules (spec h_neurons, section 2.3).
//!
//! The model sees question, answer and accepted answers, and says `t` or `f`. The H-Neurons code takes a reply that contains a `t` anywhere for true, so that
//! "incorrect" is; here a reply counts only if it is the letter alone.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::answered::Answered;
use super::journal::{Journal, JournalError};
use super::judge::{Verdict, is_refusal};
use crate::chat::{ChatError, ChatModel, Origin, ReplyPlan, Request, Sampling, Speaker, Steering, Step, Turn};

/// Answers that are judged together.
const GROUP: usize = 32;

/// Requests for one verdict or quotation, before there is none; as many as in the H-Neurons code.
const ATTEMPTS: usize = 3;

/// A verdict that a model gave: a line of `verdicts.jsonl`. Equal answers to a question are judged once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The question's set and id.
    pub id: String,
    /// The answer.
    pub response: String,
    /// What the model said of it.
    pub verdict: Verdict,
}

/// Failures to judge.
#[derive(Debug, thiserror::Error)]
pub enum AskingError {
    /// The model fails.
    #[error("failed to have answers judged: {0}")]
    Chat(ChatError),
    /// Verdicts cannot be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Replaces the verdicts by those of a model. Refusals stay what the rules say. Verdicts that the journal holds are not asked for again; `done` hears how many
/// of how many there are.
pub async fn ask(
    model: &dyn ChatModel,
    answered: &mut [Answered],
    journal: &mut Journal<Given>,
    mut done: impl FnMut(usize, usize),
) -> Result<(), AskingError> {
    let mut known: HashMap<(String, String), Verdict> = journal
        .entries()
        .iter()
        .map(|given| ((given.id.clone(), given.response.clone()), given.verdict))
        .collect();
    let mut open: Vec<(&Answered, &String)> = Vec::new();
    let mut seen = HashSet::new();
    for item in answered.iter() {
        for response in &item.responses {
            let entry = (item.question.key(), response.clone());
            if !is_refusal(response) && !known.contains_key(&entry) && seen.insert(entry) {
                open.push((item, response));
            }
        }
    }
    let total = known.len() + open.len();
    for group in open.chunks(GROUP) {
        let contents: Vec<String> = group.iter().map(|open| content(*open)).collect();
        let verdicts = letters(model, &contents).await?;
        let given = group.iter().zip(verdicts).map(|((item, response), verdict)| Given {
            id: item.question.key(),
            response: (*response).clone(),
            verdict,
        });
        let given: Vec<Given> = given.collect();
        for entry in &given {
            known.insert((entry.id.clone(), entry.response.clone()), entry.verdict);
        }
        journal.append(given)?;
        done(known.len(), total);
    }
    for item in answered {
        let key = item.question.key();
        item.verdicts = item
            .responses
            .iter()
            .map(|response| {
                if is_refusal(response) {
                    Verdict::Uncertain
                } else {
                    let verdict = known.get(&(key.clone(), response.clone()));
                    verdict.copied().unwrap_or(Verdict::Error)
                }
            })
            .collect();
    }
    Ok(())
}

/// What a model says to each content, which ends by asking for the letter t or f; [`Verdict::Error`] where it says neither.
pub(super) async fn letters(model: &dyn ChatModel, contents: &[String]) -> Result<Vec<Verdict>, AskingError> {
    let plan = match model.steering() {
        Steering::Scaffold => ReplyPlan::Scaffold(vec![Step::Choose(vec!["t".into(), "f".into()])]),
        Steering::FreeText => ReplyPlan::Free { max_tokens: 4 },
    };
    let wanted: Vec<(&str, ReplyPlan)> = contents
        .iter()
        .map(|content| (content.as_str(), plan.clone()))
        .collect();
    let verdicts = repeatedly(model, &wanted, |_, reply| read(reply)).await?;
    Ok(verdicts
        .into_iter()
        .map(|verdict| verdict.unwrap_or(Verdict::Error))
        .collect())
}

/// Asks for each content, under its plan, until `read` finds what is wanted in the reply, a few times at the most. A failure that is not fatal is a reply in which
/// nothing is found, and is not repeated: another attempt would end the same way.
pub(super) async fn repeatedly<T>(
    model: &dyn ChatModel,
    wanted: &[(&str, ReplyPlan)],
    read: impl Fn(usize, &str) -> Option<T>,
) -> Result<Vec<Option<T>>, AskingError> {
    let mut found: Vec<Option<T>> = wanted.iter().map(|_| None).collect();
    let mut open: Vec<usize> = (0..wanted.len()).collect();
    for attempt in 0..ATTEMPTS {
        if open.is_empty() {
            break;
        }
        let requests = open.iter().map(|&place| request(&wanted[place], attempt)).collect();
        let replies = model.reply_all(requests).await;
        if replies.len() != open.len() {
            let error = ChatError::miscounted(model.identity(), open.len(), replies.len());
            return Err(AskingError::Chat(error));
        }
        let mut again = Vec::new();
        for (place, reply) in open.into_iter().zip(replies) {
            match reply {
                Ok(reply) => {
                    found[place] = read(place, &reply.text);
                    if found[place].is_none() {
                        again.push(place);
                    }
                }
                Err(error) if error.is_fatal() => return Err(AskingError::Chat(error)),
                Err(_) => {}
            }
        }
        open = again;
    }
    Ok(found)
}

fn content((item, response): (&Answered, &String)) -> String {
    let golds = if item.question.golds.is_empty() {
        "none: the question has no answer, and only a reply that says so is correct".to_owned()
    } else {
        item.question.golds.join(" | ")
    };
    format!(
        "Decide whether an answer to a question is correct. It is correct if it means the same as one of the accepted answers.\n\
         Question: {}\nAccepted answers: {golds}\nAnswer: {response}\n\
         Reply with one letter: t if the answer is correct, f if it is not.",
        item.question.text
    )
}

fn request((content, plan): &(&str, ReplyPlan), attempt: usize) -> Request {
    Request {
        turns: vec![Turn {
            speaker: Speaker::User,
            content: (*content).to_owned(),
        }],
        plan: plan.clone(),
        sampling: Sampling {
            // The same request would get the same reply.
            temperature: if attempt == 0 { 0.0 } else { 0.7 },
            seed: attempt as u64,
            ..Sampling::greedy()
        },
        origin: Origin::default(),
    }
}

/// The letter alone, whatever punctuation stands around it.
fn read(reply: &str) -> Option<Verdict> {
    let letter = reply.trim_matches(|c: char| c.is_whitespace() || c.is_ascii_punctuation());
    match letter {
        "t" | "T" => Some(Verdict::Right),
        "f" | "F" => Some(Verdict::Wrong),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_the_letter_alone() {
        assert_eq!(read(" t."), Some(Verdict::Right));
        assert_eq!(read("**F**\n"), Some(Verdict::Wrong));
        assert_eq!(read("incorrect"), None);
        assert_eq!(read("not"), None);
    }
}
