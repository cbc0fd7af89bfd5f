//! A process may end at any instant; another one goes on, on another day, and no request is made twice.

use std::fs;

use rusqlite::Connection;
use tokio_util::sync::CancellationToken;
use widedeep::run::{BatchSettings, Event, JudgeError};

use super::server::Ending;
use super::server::Fault::{LostAnswer, Status};
use super::{Run, honest, interactively, leaving, network, nonzero, repeated, settings, timeless, widedeep};

/// Lets the run go on to its end, and checks that nothing was asked twice.
async fn goes_on(run: &Run) {
    let judged = run.process(Some(settings())).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), run.pairs).await);
    assert_eq!(repeated(&run.server.custom_ids()), 0, "a request was made twice");
    let lines = run.store().ledger().unwrap();
    let entered: u64 = lines.iter().map(|line| line.requests).sum();
    assert_eq!(
        entered,
        run.server.custom_ids().len() as u64,
        "each is in the ledger once"
    );
    assert!(lines.iter().all(|line| line.unknown == 0));
}

/// As if the process had ended between the collection of a batch and the use of what it brought.
fn lose_replies(run: &Run) {
    let store = Connection::open(run.path().join("run.sqlite")).unwrap();
    assert!(store.execute("DELETE FROM calls", []).unwrap() > 0);
}

/// A process that is stopped when it reports on its batches for the first time.
async fn stopped_at_the_first_report(run: &Run) {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let mut listen = move |event: &Event<'_>| {
        if let Event::Batches(_) = event {
            stopping.cancel();
        }
    };
    let stopped = run.heard(Some(settings()), &stop, &mut listen).await;
    assert!(matches!(stopped, Err(JudgeError::Interrupted)));
}

#[tokio::test]
async fn who_does_not_wait_comes_back_until_all_is_done() {
    let server = honest();
    server.ending(|_, _| Ending::After(2));
    let run = Run::new(&server, 5);
    let mut visits = 0;
    let judged = loop {
        visits += 1;
        match run.process(Some(leaving())).await {
            Ok(judged) => break judged,
            Err(JudgeError::Submitted { requests, batches }) => assert!(requests > 0 && batches > 0),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(timeless(&judged), interactively(&widedeep(), 5).await);
    assert!(visits > 3, "{visits} visits");
    assert_eq!(repeated(&server.custom_ids()), 0);
}

#[tokio::test]
async fn a_process_that_is_stopped_while_it_waits_leaves_its_batches_to_the_next() {
    let server = honest();
    server.ending(|_, _| Ending::After(3));
    let run = Run::new(&server, 5);
    stopped_at_the_first_report(&run).await;
    assert_eq!(run.store().open_batches().unwrap().len(), 1);
    goes_on(&run).await;
}

#[tokio::test]
async fn what_was_collected_is_read_from_the_files_by_the_next_process() {
    let server = honest();
    let run = Run::new(&server, 5);
    // It is of a batch that has been collected.
    stopped_at_the_first_report(&run).await;
    assert!(run.store().open_batches().unwrap().is_empty());
    lose_replies(&run);
    goes_on(&run).await;
}

#[tokio::test]
async fn a_batch_that_was_created_just_before_the_end_is_found_by_its_tag() {
    let server = honest();
    let run = Run::new(&server, 5);
    // Created, the answer lost, and the list out of reach: as if the process had been killed between creation and note.
    server.fail("POST /batches", &[LostAnswer]);
    server.fail("GET /batches?limit=100", &[Status(403)]);
    let ended = run.process(Some(settings())).await;
    assert!(matches!(ended, Err(JudgeError::Batch(_))), "{ended:?}");
    let open = run.store().open_batches().unwrap();
    assert_eq!((open.len(), open[0].remote.as_deref()), (1, None));
    assert_eq!(server.batches().len(), 1);
    goes_on(&run).await;
}

#[tokio::test]
async fn a_row_that_lacks_the_batch_s_name_is_completed_by_the_tag_or_the_file() {
    for erased in ["remote = NULL, input_file = NULL", "remote = NULL, tag = 'another'"] {
        let server = honest();
        server.ending(|_, _| Ending::After(2));
        let run = Run::new(&server, 5);
        assert!(run.process(Some(leaving())).await.is_err());
        // Newer batches of the account stand before it in the list, which comes in pages.
        let mut others = Run::new(&server, 2);
        others.network = network("jury", &[]);
        let small = BatchSettings {
            requests: nonzero(4),
            ..settings()
        };
        others.process(Some(small)).await.unwrap();
        let made = server.batches().len();
        assert!(made > 4, "{made}");
        let store = Connection::open(run.path().join("run.sqlite")).unwrap();
        let update = format!("UPDATE batches SET state = 'planned', {erased}");
        assert_eq!(store.execute(&update, []).unwrap(), 1);
        drop(store);

        let judged = run.process(Some(settings())).await.unwrap();
        assert_eq!(timeless(&judged), interactively(&widedeep(), 5).await);
        assert_eq!(repeated(&server.custom_ids()), 0, "{erased}");
    }
}

#[tokio::test]
async fn a_batch_that_was_planned_and_never_created_is_forgotten() {
    for place in ["POST /files", "POST /batches"] {
        let server = honest();
        server.fail(place, &[Status(400)]);
        let run = Run::new(&server, 5);
        assert!(run.process(Some(settings())).await.is_err());
        assert_eq!(run.store().open_batches().unwrap().len(), 1, "the plan is there");
        assert_eq!(server.batches().len(), 0);
        goes_on(&run).await;
    }
}

#[tokio::test]
async fn a_run_goes_on_with_single_requests_and_the_other_way_round() {
    let server = honest();
    let run = Run::new(&server, 5);
    // Two stages in batches …
    server.ending(|number, _| if number < 2 { Ending::After(1) } else { Ending::Never });
    assert!(run.process(Some(leaving())).await.is_err());
    let collected = server.batches()[..2]
        .iter()
        .map(|batch| batch.custom_ids.len())
        .sum::<usize>() as u64;
    assert_eq!(run.store().calls().unwrap(), collected);
    // … the rest one by one.
    let judged = run.process(None).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), 5).await);
    assert_eq!(server.batches().len(), 3, "what was in the third was asked again");

    let server = honest();
    let run = Run::new(&server, 5);
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let mut listen = move |event: &Event<'_>| {
        if let Event::Finished { .. } = event {
            stopping.cancel();
        }
    };
    assert!(run.heard(None, &stop, &mut listen).await.is_err());
    let before = server.requests("POST /chat");
    assert!(before > 0);
    let judged = run.process(Some(settings())).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), 5).await);
    assert_eq!(server.requests("POST /chat"), before);
    assert!(!server.batches().is_empty());
}

#[tokio::test]
async fn files_that_were_deleted_are_asked_for_again() {
    let server = honest();
    let run = Run::new(&server, 3);
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let mut listen = move |event: &Event<'_>| {
        if let Event::Batches(_) = event {
            stopping.cancel();
        }
    };
    assert!(run.heard(Some(settings()), &stop, &mut listen).await.is_err());
    lose_replies(&run);
    fs::remove_dir_all(run.path().join("batches")).unwrap();
    let judged = run.process(Some(settings())).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), 3).await);
    assert_eq!(repeated(&server.custom_ids()), 3);
}
