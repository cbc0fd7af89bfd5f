//! Requests about files and batches fail as all requests do.

use widedeep::run::JudgeError;

use super::server::Fault::{Cut, LostAnswer, Status};
use super::{Run, honest, interactively, settings, timeless, widedeep};

#[tokio::test]
async fn failures_that_pass_are_sat_out() {
    let expected = interactively(&widedeep(), 4).await;
    for place in [
        "GET /batches?",
        "POST /files",
        "POST /batches",
        "GET /batches/",
        "GET /files/",
    ] {
        let server = honest();
        server
            .fail(place, &[Status(500), Cut])
            .fail(place, &[Status(429), Status(429), Status(429)]);
        let run = Run::new(&server, 4);
        let judged = run.process(Some(settings())).await.unwrap();
        assert_eq!(timeless(&judged), expected, "{place}");
    }
}

#[tokio::test]
async fn a_batch_whose_creation_was_not_confirmed_is_found_and_not_made_twice() {
    let server = honest();
    server.fail("POST /batches", &[LostAnswer]);
    let run = Run::new(&server, 4);
    let judged = run.process(Some(settings())).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), 4).await);
    let batches = server.batches();
    assert_ne!(batches[0].custom_ids, batches[1].custom_ids);
    assert_eq!(server.requests("POST /batches"), batches.len());
}

#[tokio::test]
async fn an_endpoint_that_is_silent_for_a_while_loses_no_batch() {
    let server = honest();
    // More than the attempts of one look.
    server.fail("GET /batches/", &[Status(503); 8]);
    let run = Run::new(&server, 2);
    let judged = run.process(Some(settings())).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), 2).await);
}

async fn error_of(place: &str, status: u16) -> String {
    let server = honest();
    server.fail(place, &[Status(status); 20]);
    let run = Run::new(&server, 2);
    let error = run.process(Some(settings())).await.unwrap_err();
    assert!(matches!(error, JudgeError::Batch(_)), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn a_server_without_a_batch_api_is_told_from_one_that_refuses() {
    for status in [404, 405, 501] {
        for place in ["GET /batches?", "POST /files"] {
            let error = error_of(place, status).await;
            assert!(
                error.contains("no Batch API") && error.contains("leave out `--batch`"),
                "{error}"
            );
        }
    }
    let error = error_of("GET /batches?", 401).await;
    assert!(error.contains("it wants an API key"), "{error}");
    let error = error_of("POST /batches", 400).await;
    assert!(
        error.contains("HTTP 400") && error.contains("as the test wants it"),
        "{error}"
    );
    let error = error_of("GET /batches/", 404).await;
    assert!(
        error.contains("not known there") && error.contains("project"),
        "{error}"
    );
}
