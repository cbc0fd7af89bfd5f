//! Waiting: as long as the server asks, and as often as the limits want it.

use std::time::{Duration, Instant};

use widedeep::chat::{ChatModel, OpenAiModel};

use super::server::{FaultServer, Reaction, error, reply};
use super::{ask, connect, endpoint, number, request};

#[tokio::test]
async fn retry_after_is_honoured_by_the_call_and_by_those_that_wait_behind_it() {
    let server = FaultServer::start(|received| {
        if received.id == "first" && received.attempt == 1 {
            error(429, "slow down", &[("retry-after", "1")])
        } else {
            reply("fine")
        }
    })
    .await;
    let model = connect(&server).await;
    let start = Instant::now();
    let second = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        ask(&model, "second").await.unwrap();
        start.elapsed()
    };
    let (first, second) = tokio::join!(ask(&model, "first"), second);
    first.unwrap();
    assert!(second >= Duration::from_millis(990), "{second:?}");
    let waited = server.times()[1] - server.times()[0];
    assert!(waited >= Duration::from_millis(990), "{waited:?}");
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn too_many_requests_never_cost_an_opinion() {
    let server = FaultServer::start(|received| {
        if received.attempt < 12 {
            error(429, "slow down", &[])
        } else {
            reply("fine")
        }
    })
    .await;
    // Three attempts may fail; eleven refusals do not count.
    assert_eq!(ask(&connect(&server).await, "a").await.unwrap().text, "fine");
}

#[tokio::test]
async fn a_server_that_asks_for_more_than_there_is_patience_stops_the_run() {
    let server = FaultServer::start(|_| error(429, "daily limit", &[("retry-after", "3600")])).await;
    let start = Instant::now();
    // Those that have not been sent yet do not wait for the hour to pass.
    let model = connect(&server).await;
    let replies = model
        .reply_all((0..100).map(|i| request(&i.to_string())).collect())
        .await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    for reply in replies {
        let error = reply.unwrap_err();
        assert!(error.is_fatal(), "{error}");
        for part in ["asks to wait 3600 s", "daily limit", "run the same command again later"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
    assert!(server.requests() <= 8, "{}", server.requests());
}

#[tokio::test]
async fn a_server_that_never_stops_being_busy_stops_the_run_as_well() {
    let server = FaultServer::start(|_| error(429, "slow down", &[])).await;
    let mut endpoint = endpoint(&server);
    endpoint.patience.longest_wait = Duration::from_millis(200);
    let model = OpenAiModel::connect(endpoint).await.unwrap();
    let error = ask(&model, "a").await.unwrap_err();
    assert!(
        error.is_fatal() && error.to_string().contains("has answered so for"),
        "{error}"
    );
}

#[tokio::test]
async fn requests_per_minute_are_kept_in_every_window() {
    let server = FaultServer::start(|_| reply("fine")).await;
    let mut endpoint = endpoint(&server);
    endpoint.limits.requests_per_minute = Some(number(1200));
    let model = OpenAiModel::connect(endpoint).await.unwrap();
    let requests = (0..25).map(|i| request(&i.to_string())).collect();
    for reply in model.reply_all(requests).await {
        reply.unwrap();
    }
    // 1,200 a minute are two at once and then one in 50 ms. Arrivals are blurred by some milliseconds on the way, so a window of half a
    // second may see one more.
    let times = server.times();
    for (i, &start) in times.iter().enumerate() {
        let within = times[i..]
            .iter()
            .filter(|&&time| time - start < Duration::from_millis(500))
            .count();
        assert!(within <= 12, "{within} requests in half a second");
    }
    assert!(times[24] - times[0] >= Duration::from_millis(1100));
}

#[tokio::test]
async fn tokens_per_minute_hold_requests_back() {
    let server = FaultServer::start(|_| reply("fine")).await;
    let mut endpoint = endpoint(&server);
    // Each request is expected to take 16 tokens and 4 for its prompt, and takes 13; 60 are there at once, 1 more comes a second.
    endpoint.limits.tokens_per_minute = Some(number(120));
    let model = OpenAiModel::connect(endpoint).await.unwrap();
    let many = (0..5).map(|i| request(&i.to_string())).collect();
    let waits = tokio::time::timeout(Duration::from_millis(500), model.reply_all(many)).await;
    assert!(waits.is_err());
    assert!((3..=4).contains(&server.requests()), "{}", server.requests());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrency_finds_what_the_server_bears() {
    // Bears six requests at once.
    let inside = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let guard = std::sync::Arc::clone(&inside);
    let server = FaultServer::start(move |_| {
        let now = guard.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let guard = std::sync::Arc::clone(&guard);
        let answer = if now < 6 {
            reply("fine")
        } else {
            error(429, "slow down", &[])
        };
        let stays = Duration::from_millis(if now < 6 { 10 } else { 0 });
        std::thread::spawn(move || {
            std::thread::sleep(stays);
            guard.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
        });
        Reaction::Late(stays, Box::new(answer))
    })
    .await;
    let mut endpoint = endpoint(&server);
    endpoint.limits.first_concurrency = 2.try_into().unwrap();
    let model = OpenAiModel::connect(endpoint).await.unwrap();
    let requests = (0..400).map(|i| request(&i.to_string())).collect();
    for reply in model.reply_all(requests).await {
        reply.unwrap();
    }
    let history = model.concurrency_history();
    let highest = history.iter().map(|change| change.to).max().unwrap();
    assert!((4..=14).contains(&highest), "{highest} in {history:?}");
    assert!(model.concurrency() < 14);
    // Most requests were let in: the limit was found, not run against all the time.
    assert!(server.requests() < 600, "{}", server.requests());
}
