//! A model that says which words of a response carry the answer, in place of the rule for spans (spec h_neurons, section 2.5).
//!
//! A local model chooses among the runs of words of a short response, so that what it says is always a part of it; otherwise a model is asked to copy the words, and they
//! count only if the response has them. Unlike in the H-Neurons code nothing is passed as a list of tokens, whose quotes and
//! apostrophes lost many items there: words are text, found at their bytes.

use std::collections::HashMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::answered::{Answered, Span};
use super::asking::{AskingError, repeatedly};
use super::consistency::Consistency;
use super::journal::Journal;
use crate::chat::{ChatModel, ReplyPlan, Steering, Step};

/// The rule by which spans are found then; the number counts up when the request changes.
pub const QUOTED: &str = "quoted-1";

/// Requests that are sent together.
const GROUP: usize = 32;

/// Tokens of the longest answer.
const TOKENS: usize = 48;

/// Choices of a local model at most: all runs of a response of ten words. Longer responses are copied from.
const CHOICES: usize = 55;

/// What a model quoted: a line of `spans.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quoted {
    /// The question's set and id.
    pub id: String,
    /// The response.
    pub response: String,
    /// Bytes of the response; nothing where no reply was a part of it.
    pub bytes: Option<(usize, usize)>,
}

/// Marks the answer in the response that stands for each question that `consistency` keeps. What the journal holds is not asked for again; `done` hears how many of how
/// many there are.
pub async fn extract(
    model: &dyn ChatModel,
    answered: &mut [Answered],
    consistency: Consistency,
    journal: &mut Journal<Quoted>,
    mut done: impl FnMut(usize, usize),
) -> Result<(), AskingError> {
    let mut known: HashMap<(String, String), Option<(usize, usize)>> = journal
        .entries()
        .iter()
        .map(|quoted| ((quoted.id.clone(), quoted.response.clone()), quoted.bytes))
        .collect();
    let representative = |item: &Answered| {
        let kept = consistency.keep(&item.responses, &item.verdicts).ok()?;
        Some((item.question.key(), kept.response.to_owned()))
    };
    let open: Vec<(&Answered, String)> = answered
        .iter()
        .filter(|item| item.span == Span::ByRule)
        .filter_map(|item| Some((item, representative(item)?)))
        .filter(|(_, entry)| !known.contains_key(entry))
        .map(|(item, (_, response))| (item, response))
        .collect();
    let total = known.len() + open.len();
    for group in open.chunks(GROUP) {
        let spans = spans(model, group).await?;
        let quoted = group.iter().zip(spans).map(|((item, response), span)| Quoted {
            id: item.question.key(),
            response: response.clone(),
            bytes: span.map(|span| (span.start, span.end)),
        });
        let quoted: Vec<Quoted> = quoted.collect();
        for entry in &quoted {
            known.insert((entry.id.clone(), entry.response.clone()), entry.bytes);
        }
        journal.append(quoted)?;
        done(known.len(), total);
    }
    for item in answered.iter_mut().filter(|item| item.span == Span::ByRule) {
        if let Some(bytes) = representative(item).and_then(|entry| known.get(&entry)) {
            item.span = bytes.map_or(Span::Lost, |(start, end)| Span::Marked(start..end));
        }
    }
    Ok(())
}

async fn spans(model: &dyn ChatModel, group: &[(&Answered, String)]) -> Result<Vec<Option<Range<usize>>>, AskingError> {
    let contents: Vec<String> = group.iter().map(content).collect();
    let plan = |response: &str| match model.steering() {
        Steering::Scaffold => ReplyPlan::Scaffold(vec![runs(response).map_or_else(
            || Step::Generate {
                max_tokens: TOKENS,
                stop: vec!["\n".into()],
            },
            Step::Choose,
        )]),
        Steering::FreeText => ReplyPlan::Free { max_tokens: TOKENS },
    };
    let wanted: Vec<(&str, ReplyPlan)> = contents
        .iter()
        .zip(group)
        .map(|(content, (_, response))| (content.as_str(), plan(response)))
        .collect();
    repeatedly(model, &wanted, |place, reply| find(&group[place].1, reply)).await
}

fn content((item, response): &(&Answered, String)) -> String {
    format!(
        "Copy from a response the words that answer the question, exactly as they stand there, without the words around them.\n\
         Question: Who wrote Hamlet?\nResponse: The play was written by William Shakespeare.\nWords: William Shakespeare\n\
         Question: {}\nResponse: {response}\nReply with these words alone.",
        item.question.text
    )
}

/// Every run of words in the first line of a response, without the punctuation around it; `None` where there are none or too many.
fn runs(response: &str) -> Option<Vec<String>> {
    let line = response.trim_start().lines().next().unwrap_or("");
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut runs: Vec<String> = Vec::new();
    if words.len() * (words.len() + 1) / 2 > CHOICES {
        return None;
    }
    for first in 0..words.len() {
        // From the line itself: the spaces between words may be more than one.
        let mut end = 0;
        let start = words[..first].iter().fold(0, |at, word| {
            line[at..].find(word).map_or(at, |next| at + next + word.len())
        });
        let from = line[start..].trim_start();
        for word in &words[first..] {
            end += from[end..].find(word).map_or(0, |at| at + word.len());
            let run = from[..end].trim_matches(|c: char| c.is_ascii_punctuation());
            if !run.is_empty() && !runs.iter().any(|other| other == run) {
                runs.push(run.to_owned());
            }
        }
    }
    (!runs.is_empty()).then_some(runs)
}

/// Where a response has the words of a reply: as they stand, else without the quotes, the full stop or the `Words:` around them, else in other letters (ASCII).
fn find(response: &str, reply: &str) -> Option<Range<usize>> {
    let reply = reply.trim();
    let bare = reply.strip_prefix("Words:").unwrap_or(reply);
    let bare = bare.trim_matches(|c: char| c.is_whitespace() || "\"'“”‘’`*".contains(c));
    let stopped = bare.trim_end_matches('.');
    let lower = response.to_ascii_lowercase();
    [reply, bare, stopped]
        .into_iter()
        .filter(|words| !words.is_empty())
        .find_map(|words| {
            let at = whole(response, words).or_else(|| whole(&lower, &words.to_ascii_lowercase()))?;
            Some(at..at + words.len())
        })
}

/// The first place where words stand by themselves: "I" is no part of "It".
fn whole(text: &str, words: &str) -> Option<usize> {
    let inside = |before: Option<char>, after: Option<char>| {
        before
            .zip(after)
            .is_some_and(|(before, after)| before.is_alphanumeric() && after.is_alphanumeric())
    };
    text.match_indices(words).map(|(at, _)| at).find(|&at| {
        let end = at + words.len();
        !inside(text[..at].chars().next_back(), words.chars().next())
            && !inside(words.chars().next_back(), text[end..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::{find, runs};

    #[test]
    fn runs_are_parts_of_the_response() {
        let response = "It was  Zola, I think.\nYes";
        let found = runs(response).unwrap_or_default();
        assert_eq!(
            found,
            [
                "It",
                "It was",
                "It was  Zola",
                "It was  Zola, I",
                "It was  Zola, I think",
                "was",
                "was  Zola",
                "was  Zola, I",
                "was  Zola, I think",
                "Zola",
                "Zola, I",
                "Zola, I think",
                "I",
                "I think",
                "think"
            ]
        );
        assert!(found.iter().all(|run| response.contains(run.as_str())));
        assert_eq!(runs("Paris."), Some(vec!["Paris".to_owned()]));
        assert_eq!(runs(" . "), None);
        assert_eq!(runs(&"word ".repeat(11)), None);
    }

    #[test]
    fn words_are_found_where_they_stand() {
        let response = "It was O'Brien's ship, the Élan.";
        let found = |reply: &str| find(response, reply).map(|bytes| &response[bytes]);
        assert_eq!(found("O'Brien's ship"), Some("O'Brien's ship"));
        assert_eq!(found(" \"the Élan\" "), Some("the Élan"));
        assert_eq!(found("Words: o'brien's SHIP."), Some("O'Brien's ship"));
        assert_eq!(found("the Élan."), Some("the Élan."));
        assert_eq!(found("O’Brien"), None);
        assert_eq!(found("\"\""), None);
        assert_eq!(find("It is what I said", "I"), Some(11..12), "and not the first letter");
        assert_eq!(found("lan"), None);
        assert_eq!(found("a sailing vessel"), None);
    }
}
