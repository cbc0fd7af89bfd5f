//! A run advances in waves, and decides what it would have decided otherwise.

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use widedeep::chat::openai::{Capabilities, Features};
use widedeep::cost::Served;
use widedeep::run::{BatchSettings, Event, Store};

use super::server::Ending;
use super::{Run, honest, interactively, network, nonzero, repeated, settings, timeless, widedeep};

#[tokio::test]
async fn batches_decide_what_single_requests_decide() {
    let server = honest();
    let run = Run::new(&server, 12);
    let judged = run.process(Some(settings())).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), 12).await);

    // Roles and two layers, each with its repetitions, for twelve pairs that need different numbers of them.
    let batches = server.batches();
    assert!((3..=9).contains(&batches.len()), "{} batches", batches.len());
    assert!(batches[0].custom_ids.len() >= 12, "all pairs are in the first wave");
    assert_eq!(repeated(&server.custom_ids()), 0);
    assert_eq!(server.requests("POST /chat"), 0);
}

#[tokio::test]
async fn every_request_of_a_batch_has_the_key_of_a_stored_call_and_a_ledger_entry() {
    let server = honest();
    let run = Run::new(&server, 6);
    run.process(Some(settings())).await.unwrap();
    let store = run.store();
    let ids = server.custom_ids();
    assert_eq!(store.calls().unwrap(), ids.len() as u64);
    for id in &ids {
        let key = serde_json::from_value(Value::from(id.as_str())).unwrap();
        assert!(store.call(&key).unwrap().is_some(), "{id}");
    }
    let single = Run::new(&honest(), 6);
    single.process(None).await.unwrap();
    let sums = |store: &Store, served: Served| {
        let lines = store.ledger().unwrap();
        assert!(lines.iter().all(|line| line.served == served && line.unknown == 0));
        let tokens: u64 = lines
            .iter()
            .map(|line| line.tokens.prompt + line.tokens.completion)
            .sum();
        (lines.iter().map(|line| line.requests).sum::<u64>(), tokens)
    };
    assert_eq!(sums(&store, Served::Batch), sums(&single.store(), Served::Model));
}

#[tokio::test]
async fn the_request_file_is_kept_as_it_was_sent() {
    let server = honest();
    let run = Run::new(&server, 3);
    run.process(Some(settings())).await.unwrap();
    let made = server.batches().remove(0);
    let kept = std::fs::read_to_string(run.path().join("batches/001.jsonl")).unwrap();
    let ids: Vec<String> = kept
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(
                (&line["method"], &line["url"]),
                (&"POST".into(), &"/v1/chat/completions".into())
            );
            assert_eq!(line["body"]["model"], "m");
            line["custom_id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids, made.custom_ids);
}

#[tokio::test]
async fn a_wave_is_split_where_files_would_be_too_large_and_nobody_waits_for_the_batches_of_others() {
    let server = honest();
    // The second batch takes its time.
    server.ending(|number, _| Ending::After(if number == 1 { 40 } else { 1 }));
    let run = Run::new(&server, 10);
    let small = BatchSettings {
        requests: nonzero(5),
        ..settings()
    };
    let judged = run.process(Some(small)).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), 10).await);
    let batches = server.batches();
    assert!(batches.iter().all(|batch| batch.custom_ids.len() <= 5));
    assert_eq!(repeated(&server.custom_ids()), 0);
    assert!(batches.len() > 6);
}

#[tokio::test]
async fn a_window_bounds_the_pairs_that_are_under_way_together() {
    let server = honest();
    let run = Run::new(&server, 9);
    let narrow = BatchSettings {
        window: nonzero(3),
        ..settings()
    };
    let judged = run.process(Some(narrow)).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), 9).await);
    assert_eq!(server.batches()[0].custom_ids.len(), 3, "one call for roles for each");
}

#[tokio::test]
async fn samples_that_differ_in_their_seed_alone_share_a_line() {
    let server = honest();
    let mut run = Run::new(&server, 4);
    run.network = network("faireval", &[]);
    run.endpoint.features = Features::Known(Capabilities {
        samples: true,
        ..Capabilities::plain()
    });
    let judged = run.process(Some(settings())).await.unwrap();
    assert!(
        judged
            .iter()
            .all(|judged| judged.evaluation.as_ref().unwrap().opinions.len() == 6)
    );
    assert_eq!(server.batches()[0].custom_ids.len(), 8, "two orders for each pair");
}

#[tokio::test]
async fn listeners_hear_how_batches_get_on() {
    let server = honest();
    server.ending(|_, _| Ending::After(3));
    let run = Run::new(&server, 2);
    let mut heard = Vec::new();
    let mut listen = |event: &Event<'_>| {
        if let Event::Batches(batches) = event {
            heard.extend(
                batches
                    .iter()
                    .map(|batch| (batch.remote.clone(), batch.status.clone(), batch.counts)),
            );
        }
    };
    run.heard(Some(settings()), &CancellationToken::new(), &mut listen)
        .await
        .unwrap();
    let first: Vec<&str> = heard
        .iter()
        .filter(|(remote, ..)| remote == "batch_0")
        .map(|(_, status, _)| status.as_str())
        .collect();
    assert_eq!(first, ["in_progress", "in_progress", "completed"]);
    let (_, _, counts) = heard.iter().find(|(_, status, _)| status == "completed").unwrap();
    assert_eq!((counts.total, counts.completed), (2, 2));
}
