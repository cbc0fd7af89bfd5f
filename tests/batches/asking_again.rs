//! What a batch did not bring is asked for again, a number of times; what it brought never is.

use serde_json::Value;
use widedeep::chat::ChatError;
use widedeep::cost::Served;
use widedeep::network::{Missing, Opinion};
use widedeep::run::Judged;

use super::server::{Ending, Said, Server};
use super::{Run, honest, interactively, network, repeated, say, settings, text, timeless, widedeep};

/// Whether a request is about the second pair with its responses in their order.
fn is_chosen(body: &Value) -> bool {
    let text = text(body);
    let at = |part: &str| text.find(part).unwrap_or(usize::MAX);
    text.contains("What is 1?") && at("One says") < at("Two says")
}

fn opinions(judged: &[Judged]) -> Vec<&Opinion> {
    judged
        .iter()
        .flat_map(|judged| &judged.evaluation.as_ref().unwrap().opinions)
        .collect()
}

/// The only missing opinion's reason, among two opinions of each of three pairs.
async fn missing(server: &Server) -> ChatError {
    let mut run = Run::new(server, 3);
    run.network = network("single", &["reply.parser=compat", "reply.failure=missing"]);
    let judged = run.process(Some(settings())).await.unwrap();
    let missing: Vec<_> = opinions(&judged)
        .into_iter()
        .filter_map(|opinion| match &opinion.missing {
            Some(Missing::Call { error }) => Some(error.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(missing.len(), 1, "{missing:?}");
    missing[0].clone()
}

#[tokio::test]
async fn a_request_that_is_refused_is_a_missing_opinion_and_is_not_repeated() {
    let server = Server::start(|body, _| {
        if is_chosen(body) {
            Said::Refusal(400, "the content policy".to_owned())
        } else {
            Said::Reply(say(body))
        }
    });
    let error = missing(&server).await;
    assert!(
        matches!(&error, ChatError::Refused { status: 400, reason } if reason.contains("the content policy")),
        "{error:?}"
    );
    assert_eq!(repeated(&server.custom_ids()), 0);
}

#[tokio::test]
async fn a_request_that_failed_in_passing_goes_into_another_batch() {
    let server = Server::start(|body, before| match (is_chosen(body), before) {
        (true, 0) => Said::Refusal(500, "a hiccup".to_owned()),
        (true, 1) => Said::Nothing,
        _ => Said::Reply(say(body)),
    });
    let mut run = Run::new(&server, 3);
    run.network = network("single", &[]);
    let judged = run.process(Some(settings())).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&network("single", &[]), 3).await);
    assert_eq!(repeated(&server.custom_ids()), 2);
    // Neither the hiccup nor the silence costs anything.
    let ledger = run.store().ledger().unwrap();
    assert!(
        ledger
            .iter()
            .all(|line| line.unknown == 0 && line.served == Served::Batch)
    );
}

#[tokio::test]
async fn a_request_that_fails_in_every_batch_is_a_missing_opinion_in_the_end() {
    for said in [
        || Said::Refusal(503, "overloaded".to_owned()),
        || Said::Undone("server_error"),
        || Said::Nothing,
    ] {
        let server = Server::start(move |body, _| {
            if is_chosen(body) {
                said()
            } else {
                Said::Reply(say(body))
            }
        });
        let error = missing(&server).await;
        assert!(matches!(&error, ChatError::Unanswered { attempts: 3, .. }), "{error:?}");
        assert_eq!(repeated(&server.custom_ids()), 2);
    }
}

#[tokio::test]
async fn of_a_batch_that_ran_out_of_time_the_rest_is_asked_again() {
    for status in ["expired", "cancelled"] {
        let server = honest();
        server.ending(move |number, requests| match number {
            0 | 2 => Ending::Short(status, requests / 2),
            _ => Ending::After(1),
        });
        let run = Run::new(&server, 8);
        let judged = run.process(Some(settings())).await.unwrap();
        assert_eq!(timeless(&judged), interactively(&widedeep(), 8).await);
        let batches = server.batches();
        let cut: usize = [0, 2]
            .map(|number: usize| batches[number].custom_ids.len().div_ceil(2))
            .iter()
            .sum();
        assert_eq!(repeated(&server.custom_ids()), cut, "only what was not answered");
        let ledger = run.store().ledger().unwrap();
        assert!(
            ledger.iter().all(|line| line.unknown == 0),
            "what was not worked on costs nothing"
        );
    }
}

#[tokio::test]
async fn a_batch_that_is_refused_once_is_made_again_and_no_request_is_charged_for_it() {
    let server = honest();
    server.ending(|number, _| match number {
        1 => Ending::Refused("oops", "an accident".to_owned()),
        _ => Ending::After(1),
    });
    let run = Run::new(&server, 4);
    let judged = run.process(Some(settings())).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), 4).await);
    let asked = |number: usize| {
        let mut ids = server.batches()[number].custom_ids.clone();
        ids.sort();
        ids
    };
    assert_eq!(asked(1), asked(2));
    let lines = run.store().ledger().unwrap();
    assert!(lines.iter().all(|line| line.unknown == 0));
}

#[tokio::test]
async fn batches_that_are_refused_again_and_again_end_the_run_with_the_reason() {
    let server = honest();
    server.ending(|_, _| Ending::Refused("model_not_found", "there is no batch model m".to_owned()));
    let run = Run::new(&server, 4);
    let error = run.process(Some(settings())).await.unwrap_err().to_string();
    assert!(
        error.contains("model_not_found: there is no batch model m") && error.contains("batches/002.jsonl"),
        "{error}"
    );
    // When the cause is seen to, the run goes on.
    server.ending(|_, _| Ending::After(1));
    let judged = run.process(Some(settings())).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), 4).await);
}

#[tokio::test]
async fn an_endpoint_whose_queue_is_full_is_given_less_at_a_time() {
    let server = honest();
    server.ending(|_, requests| {
        if requests > 3 {
            Ending::Refused("token_limit_exceeded", "Enqueued token limit reached for m".to_owned())
        } else {
            Ending::After(1)
        }
    });
    let run = Run::new(&server, 9);
    let judged = run.process(Some(settings())).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), 9).await);
    let refused = server
        .batches()
        .iter()
        .filter(|batch| batch.custom_ids.len() > 3)
        .count();
    assert_eq!(refused, 2, "nine, then four; what was learnt is not forgotten");
}
