//! Endpoints that are down stop the run instead of eating its opinions.

use std::time::{Duration, Instant};

use widedeep::chat::openai::{Endpoint, Features, KeySource, Outage};
use widedeep::chat::{ChatModel, OpenAiModel};

use super::server::{FaultServer, error, reply};
use super::{ask, endpoint, number, request};

#[tokio::test]
async fn an_endpoint_that_only_fails_is_given_up() {
    let server = FaultServer::start(|_| error(503, "down for maintenance", &[])).await;
    let mut endpoint = endpoint(&server);
    endpoint.outage = Outage {
        failures: number(12),
        lasting: Duration::ZERO,
    };
    endpoint.patience.attempts = number(100);
    let model = OpenAiModel::connect(endpoint).await.unwrap();
    let replies = model
        .reply_all((0..200).map(|i| request(&i.to_string())).collect())
        .await;
    assert_eq!(replies.len(), 200);
    for reply in replies {
        let error = reply.unwrap_err();
        assert!(error.is_fatal(), "{error}");
        assert!(
            error.to_string().contains("is down") && error.to_string().contains("run the same command again"),
            "{error}"
        );
    }
    // Twelve, and what was under way meanwhile.
    assert!(server.requests() < 40, "{}", server.requests());
    let before = server.requests();
    assert!(ask(&model, "later").await.unwrap_err().is_fatal());
    assert_eq!(server.requests(), before, "nothing is sent any more");
}

#[tokio::test]
async fn waiting_calls_end_when_the_endpoint_is_given_up() {
    let server = FaultServer::start(|received| match received.id.as_str() {
        "waits" => error(503, "later", &[("retry-after", "15")]),
        _ => error(503, "down", &[]),
    })
    .await;
    let mut endpoint = endpoint(&server);
    endpoint.outage = Outage {
        failures: number(6),
        lasting: Duration::ZERO,
    };
    let model = OpenAiModel::connect(endpoint).await.unwrap();
    let start = Instant::now();
    let replies = model
        .reply_all(["waits", "a", "b", "c", "d"].map(request).to_vec())
        .await;
    assert!(replies[0].as_ref().unwrap_err().is_fatal());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_poisonous_request_does_not_take_the_endpoint_down() {
    let server = FaultServer::start(|received| match received.id.as_str() {
        "poison" => error(500, "tokeniser crashed", &[]),
        _ => reply("fine"),
    })
    .await;
    let mut endpoint = endpoint(&server);
    endpoint.outage = Outage {
        failures: number(2),
        lasting: Duration::ZERO,
    };
    let model = OpenAiModel::connect(endpoint).await.unwrap();
    for _ in 0..4 {
        assert!(!ask(&model, "poison").await.unwrap_err().is_fatal());
        assert!(ask(&model, "good").await.is_ok());
    }
}

#[tokio::test]
async fn a_place_where_nobody_listens_is_an_outage() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let server = FaultServer::start(|_| reply("")).await;
    let quick = endpoint(&server);
    let endpoint = Endpoint {
        base_url: format!("http://{address}/v1").parse().unwrap(),
        ..quick
    };
    let model = OpenAiModel::connect(endpoint.clone()).await.unwrap();
    let error = ask(&model, "a").await.unwrap_err();
    assert!(error.is_fatal(), "{error}");
    assert!(
        error.to_string().contains("3 attempts of one call failed") && error.to_string().contains("refused"),
        "{error}"
    );
    let probed = Endpoint {
        features: Features::Probed,
        key: KeySource::None,
        ..endpoint
    };
    let error = OpenAiModel::connect(probed).await.unwrap_err();
    assert!(error.to_string().contains("cannot be used"), "{error}");
}
