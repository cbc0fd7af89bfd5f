//! What is not tried again, and what its error says.

use widedeep::chat::openai::{Features, KeySource, SetupError};
use widedeep::chat::{ChatError, ChatModel, OpenAiModel};

use super::server::{FaultServer, Reaction, error, json_answer, reply};
use super::{ask, connect, endpoint, request};

#[tokio::test]
async fn what_every_call_would_meet_is_met_once_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "sk-0123456789").unwrap();
    for (status, parts) in [
        (401, ["“no entry”", "does not accept the key from `"]),
        (402, ["“no entry”", "no credit left"]),
        (403, ["“no entry”", "may not use `m`"]),
        (404, ["“no entry”", "no model `m`"]),
        (405, ["HTTP 405", "base URL"]),
    ] {
        let server = FaultServer::start(move |_| error(status, "no entry", &[])).await;
        let mut endpoint = endpoint(&server);
        endpoint.key = KeySource::File(path.clone());
        let model = OpenAiModel::connect(endpoint).await.unwrap();
        let error = ask(&model, "a").await.unwrap_err();
        let message = error.to_string();
        assert!(error.is_fatal(), "{message}");
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        assert!(message.contains(&server.url()), "{message}");
        assert_eq!(server.requests(), 1, "{message}");
    }
}

#[tokio::test]
async fn without_a_key_a_401_asks_for_one() {
    let server = FaultServer::start(|_| error(401, "who are you?", &[])).await;
    let error = ask(&connect(&server).await, "a").await.unwrap_err();
    assert!(error.to_string().contains("put one into `OPENAI_API_KEY`"), "{error}");
}

#[tokio::test]
async fn an_account_without_credit_is_not_asked_again_though_its_status_is_429() {
    let server = FaultServer::start(|_| {
        json_answer(
            429,
            &serde_json::json!({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}),
        )
    })
    .await;
    let error = ask(&connect(&server).await, "a").await.unwrap_err();
    assert!(error.is_fatal() && error.to_string().contains("no credit"), "{error}");
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn what_concerns_one_request_is_a_missing_reply_and_the_next_one_goes_on() {
    for status in [400, 413, 422] {
        let server = FaultServer::start(move |received| match received.id.as_str() {
            "bad" => error(status, "maximum context length is 8192 tokens", &[]),
            _ => reply("fine"),
        })
        .await;
        let model = connect(&server).await;
        let error = ask(&model, "bad").await.unwrap_err();
        assert!(
            matches!(error, ChatError::Refused { status: s, .. } if s == status),
            "{error}"
        );
        assert!(!error.is_fatal() && error.to_string().contains("8192"), "{error}");
        assert_eq!(ask(&model, "good").await.unwrap().text, "fine");
        assert_eq!(server.requests(), 2);
    }
}

#[tokio::test]
async fn a_403_after_replies_is_about_one_request() {
    let server = FaultServer::start(|received| match received.id.as_str() {
        "flagged" => error(403, "your input was flagged", &[]),
        _ => reply("fine"),
    })
    .await;
    let model = connect(&server).await;
    ask(&model, "good").await.unwrap();
    let error = ask(&model, "flagged").await.unwrap_err();
    assert!(!error.is_fatal() && error.to_string().contains("flagged"), "{error}");
}

#[tokio::test]
async fn redirects_are_shown_instead_of_followed() {
    let server = FaultServer::start(|_| {
        let to = vec![("location", "https://elsewhere.example/v1".to_owned())];
        Reaction::Answer(308, to, "text/plain", vec![])
    })
    .await;
    let error = ask(&connect(&server).await, "a").await.unwrap_err();
    assert!(
        error.is_fatal() && error.to_string().contains("https://elsewhere.example/v1"),
        "{error}"
    );
}

#[tokio::test]
async fn an_endpoint_that_refuses_the_probe_cannot_be_set_up() {
    // A 404 may be about what the probe asks for beyond text, so text alone is asked for as well.
    for (status, words, requests) in [(401, "wants an API key", 1), (404, "no model `m`", 2)] {
        let server = FaultServer::start(move |_| error(status, "no", &[])).await;
        let mut endpoint = endpoint(&server);
        endpoint.features = Features::Probed;
        let error = OpenAiModel::connect(endpoint).await.unwrap_err();
        assert!(matches!(error, SetupError::Endpoint { .. }));
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(server.requests(), requests);
    }
}

#[tokio::test]
async fn one_call_learns_for_all_that_the_key_is_wrong() {
    let server = FaultServer::start(|_| error(401, "no entry", &[])).await;
    let model = connect(&server).await;
    let replies = model
        .reply_all((0..200).map(|i| request(&i.to_string())).collect())
        .await;
    assert!(
        replies
            .iter()
            .all(|reply| reply.as_ref().is_err_and(ChatError::is_fatal))
    );
    // Those that were under way with it, no more.
    assert!(server.requests() <= 8, "{}", server.requests());
}
