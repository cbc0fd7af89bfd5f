//! Ledgers and budgets see every attempt.

use std::future::ready;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;

use widedeep::chat::openai::{Attempt, AttemptResult, Change, Outcome, Permit, Watch};
use widedeep::chat::{ChatError, ChatModel, OpenAiModel, Usage};

use super::server::{FaultServer, Reaction, error, json_answer, reply};
use super::{ask, endpoint, request};

#[derive(Default)]
struct Seen {
    attempts: Mutex<Vec<(u64, u32, AttemptResult)>>,
    usage: Mutex<Usage>,
    changes: Mutex<Vec<Change>>,
    /// Attempts that are let through.
    allowed: Option<usize>,
}

impl Watch for Seen {
    fn before<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Result<Permit, ChatError>> {
        assert!(attempt.expected_tokens >= 16);
        assert!(attempt.most.prompt + attempt.most.completion >= attempt.expected_tokens);
        let made = self.attempts.lock().unwrap().len();
        Box::pin(ready(match self.allowed {
            Some(allowed) if made >= allowed => Err(ChatError::Backend {
                reason: "the budget is spent".into(),
            }),
            _ => Ok(Permit(i64::try_from(made).unwrap())),
        }))
    }

    fn after(&self, attempt: &Attempt, permit: Permit, outcome: &Outcome) {
        assert_eq!(permit.0, i64::try_from(self.attempts.lock().unwrap().len()).unwrap());
        self.attempts
            .lock()
            .unwrap()
            .push((attempt.call, attempt.number, outcome.result));
        *self.usage.lock().unwrap() += outcome.usage.unwrap_or_default();
    }

    fn concurrency(&self, change: &Change) {
        self.changes.lock().unwrap().push(*change);
    }
}

#[tokio::test]
async fn every_attempt_is_told_with_what_came_of_it() {
    let server = FaultServer::start(|received| match received.attempt {
        1 => error(429, "", &[]),
        2 => error(502, "", &[]),
        3 => Reaction::Drop,
        4 => json_answer(200, &serde_json::json!({"choices": [], "usage": {"prompt_tokens": 5}})),
        _ => reply("fine"),
    })
    .await;
    let mut endpoint = endpoint(&server);
    endpoint.patience.attempts = super::number(9);
    let seen = Arc::new(Seen::default());
    let model = OpenAiModel::connect_watched(endpoint, Arc::clone(&seen) as Arc<dyn Watch>)
        .await
        .unwrap();
    let reply = ask(&model, "a").await.unwrap();
    let results: Vec<AttemptResult> = seen
        .attempts
        .lock()
        .unwrap()
        .iter()
        .map(|(.., result)| *result)
        .collect();
    assert_eq!(
        results,
        [
            AttemptResult::TooManyRequests,
            AttemptResult::ServerError,
            AttemptResult::NoAnswer,
            AttemptResult::Unusable,
            AttemptResult::Answered
        ]
    );
    assert_eq!(*seen.usage.lock().unwrap(), reply.usage);
    assert_eq!((reply.usage.prompt, reply.usage.completion), (15, 3));
    assert_eq!(*seen.changes.lock().unwrap(), model.concurrency_history());
}

#[tokio::test]
async fn a_budget_can_forbid_an_attempt_before_it_is_made() {
    let server = FaultServer::start(|_| reply("fine")).await;
    let seen = Arc::new(Seen {
        allowed: Some(3),
        ..Seen::default()
    });
    let mut endpoint = endpoint(&server);
    endpoint.limits.concurrency = 1.try_into().unwrap();
    let model = OpenAiModel::connect_watched(endpoint, seen).await.unwrap();
    let replies = model.reply_all((0..5).map(|i| request(&i.to_string())).collect()).await;
    let made = replies.iter().filter(|reply| reply.is_ok()).count();
    assert_eq!((made, server.requests()), (3, 3));
    assert!(
        replies
            .iter()
            .filter_map(|reply| reply.as_ref().err())
            .all(ChatError::is_fatal)
    );
}
