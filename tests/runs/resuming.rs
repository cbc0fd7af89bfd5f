//! Judging all pairs of a run: events, stopping, and going on after a stop.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::BoxFuture;
use tempfile::tempdir;
use tokio_util::sync::CancellationToken;
use widedeep::chat::{CallKey, ChatError, ChatModel, Fit, Identity, Reply, Request, Steering};
use widedeep::pair::Label;
use widedeep::run::{Baseline, Desk, Event, Judge, JudgeError, Limits, RunConfig, Store, judge};

use super::support::scripted::Scripted;
use super::{ONE_AT_A_TIME, PROMPTS, TAXONOMY, config, judge_all, network, pairs, run, scripted, timeless, widedeep};

fn keys(model: &Scripted) -> Vec<CallKey> {
    model
        .asked()
        .iter()
        .map(|request| CallKey::of(model.identity(), request))
        .collect()
}

#[test]
fn a_killed_run_resumes_without_repeating_calls_and_ends_with_the_same_verdicts() {
    let pairs = pairs(3);
    let whole = tempdir().unwrap();
    let uninterrupted = scripted(u64::MAX).shared();
    let verdicts = run(whole.path(), &widedeep(), &pairs, &uninterrupted, ONE_AT_A_TIME).unwrap();
    let total = uninterrupted.asked().len();
    assert!(verdicts.iter().any(|judged| judged.verdict == Some(Label::Model1)));
    assert!(verdicts.iter().any(|judged| judged.verdict == Some(Label::Model2)));
    let opinions = || {
        verdicts
            .iter()
            .filter_map(|judged| judged.evaluation.as_ref())
            .flat_map(|e| &e.opinions)
    };
    assert!(opinions().any(|opinion| opinion.attempts > 1), "some are asked again");

    for calls in 0..u64::try_from(total).unwrap() {
        let folder = tempdir().unwrap();
        let first = scripted(calls).shared();
        let error = run(folder.path(), &widedeep(), &pairs, &first, ONE_AT_A_TIME).unwrap_err();
        assert!(error.to_string().ends_with(": the backend is gone"), "{error}");
        assert_eq!(Store::open(folder.path()).unwrap().calls().unwrap(), calls);

        let second = scripted(u64::MAX).shared();
        let resumed = run(folder.path(), &widedeep(), &pairs, &second, ONE_AT_A_TIME).unwrap();
        assert_eq!(timeless(&resumed), timeless(&verdicts));
        assert_eq!(u64::try_from(second.asked().len()).unwrap(), total as u64 - calls);
        let committed: HashSet<CallKey> = keys(&first).into_iter().take(usize::try_from(calls).unwrap()).collect();
        assert!(keys(&second).iter().all(|key| !committed.contains(key)));
    }
}

#[test]
fn a_finished_run_makes_no_calls_and_keeps_its_verdicts() {
    let folder = tempdir().unwrap();
    let first = run(
        folder.path(),
        &widedeep(),
        &pairs(3),
        &scripted(u64::MAX).shared(),
        ONE_AT_A_TIME,
    )
    .unwrap();
    let idle = scripted(0).shared();
    let second = run(folder.path(), &widedeep(), &pairs(3), &idle, ONE_AT_A_TIME).unwrap();
    assert_eq!(first, second);
    assert!(idle.asked().is_empty());
}

#[test]
fn pairs_at_the_same_time_end_with_the_same_verdicts_as_one_at_a_time() {
    let (one, many) = (tempdir().unwrap(), tempdir().unwrap());
    let model = || scripted(u64::MAX).shared();
    let first = run(one.path(), &widedeep(), &pairs(7), &model(), ONE_AT_A_TIME).unwrap();
    let second = run(many.path(), &widedeep(), &pairs(7), &model(), Limits { concurrency: 4 }).unwrap();
    assert_eq!(timeless(&first), timeless(&second));
    let indices: Vec<usize> = second.iter().map(|judged| judged.pair.index).collect();
    assert_eq!(indices, [3, 13, 23, 33, 43, 53, 63], "in source order");
}

#[test]
fn listeners_hear_the_start_and_every_finished_pair_with_its_counts() {
    let folder = tempdir().unwrap();
    let jury = config(network("jury", &["reply.attempts=1"]));
    // Eight calls for the first pair, then nothing.
    run(folder.path(), &jury, &pairs(3), &scripted(10).shared(), ONE_AT_A_TIME).unwrap_err();
    let store = Arc::new(Store::start(folder.path(), &jury, &pairs(3)).unwrap());
    let mut heard = Vec::new();
    judge_all(
        &store,
        scripted(u64::MAX).shared(),
        ONE_AT_A_TIME,
        &CancellationToken::new(),
        &mut |event| {
            heard.push(match event {
                Event::Started { pairs, finished } => format!("{pairs} pairs, {} finished", finished.len()),
                Event::Finished { judged, tally } => format!(
                    "pair {}: {} calls, {} replayed, {} tokens",
                    judged.pair.index, tally.asked, tally.replayed, tally.tokens
                ),
                Event::Batches(batches) => format!("{batches:?}"),
            });
        },
    )
    .unwrap();
    assert_eq!(
        heard,
        [
            "3 pairs, 1 finished",
            "pair 13: 6 calls, 2 replayed, 660 tokens",
            "pair 23: 14 calls, 2 replayed, 1540 tokens",
        ]
    );
}

#[test]
fn a_cancelled_run_stops_with_everything_finished_in_the_store() {
    let folder = tempdir().unwrap();
    let store = Arc::new(Store::start(folder.path(), &widedeep(), &pairs(5)).unwrap());
    let stop = CancellationToken::new();
    let mut finished = 0;
    let error = judge_all(
        &store,
        scripted(u64::MAX).shared(),
        ONE_AT_A_TIME,
        &stop,
        &mut |event| {
            if let Event::Finished { .. } = event {
                finished += 1;
                if finished == 2 {
                    stop.cancel();
                }
            }
        },
    )
    .unwrap_err();
    assert!(matches!(error, JudgeError::Interrupted));
    assert_eq!(finished, 2);
    assert_eq!(store.judged().unwrap().len(), 2);
    drop(store);
    let resumed = run(
        folder.path(),
        &widedeep(),
        &pairs(5),
        &scripted(u64::MAX).shared(),
        ONE_AT_A_TIME,
    )
    .unwrap();
    assert_eq!(resumed.len(), 5);
}

/// Never answers.
struct Silent(Identity);

impl ChatModel for Silent {
    fn identity(&self) -> &Identity {
        &self.0
    }
    fn steering(&self) -> Steering {
        Steering::FreeText
    }
    fn fit(&self, _: &Request) -> Option<Fit> {
        None
    }
    fn reply_all(&self, _: Vec<Request>) -> BoxFuture<'_, Vec<Result<Reply, ChatError>>> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn a_cancelled_run_does_not_wait_for_a_model_that_never_answers() {
    let folder = tempdir().unwrap();
    let store = Arc::new(Store::start(folder.path(), &widedeep(), &pairs(2)).unwrap());
    let stop = CancellationToken::new();
    let model = Arc::new(Silent(scripted(0).identity().clone()));
    let canceller = std::thread::spawn({
        let stop = stop.clone();
        move || {
            std::thread::sleep(Duration::from_millis(30));
            stop.cancel();
        }
    });
    let error = judge_all(&store, model, ONE_AT_A_TIME, &stop, &mut |_| {}).unwrap_err();
    canceller.join().unwrap();
    assert!(matches!(error, JudgeError::Interrupted));
}

#[test]
fn a_failing_backend_stops_the_run_and_names_the_pair() {
    let folder = tempdir().unwrap();
    let error = run(
        folder.path(),
        &widedeep(),
        &pairs(2),
        &scripted(0).shared(),
        ONE_AT_A_TIME,
    )
    .unwrap_err();
    insta::assert_snapshot!(error, @"pair 3: the backend is gone");
}

#[test]
fn a_model_that_was_not_loaded_is_named_before_anything_is_asked() {
    let folder = tempdir().unwrap();
    let store = Arc::new(Store::start(folder.path(), &widedeep(), &pairs(1)).unwrap());
    let none = BTreeMap::new();
    let stop = CancellationToken::new();
    let mut deaf = |_: &Event<'_>| {};
    let desk = Desk {
        store: &store,
        models: &none,
        prompts: &PROMPTS,
        taxonomy: &TAXONOMY,
        meter: &Arc::default(),
        cache: None,
        limits: ONE_AT_A_TIME,
    };
    insta::assert_snapshot!(block_on(judge(&desk, &stop, &mut deaf)).unwrap_err(), @"the run judges with the model `scripted`, which is not at hand: load it under this name");

    let mixed = widedeep::network::Network::parse(
        "name = \"mixed\"\nsummary = \"two models\"\n[[layers]]\n[[layers.neurons]]\nmodel = \"other\"\n",
        "mixed",
        &[],
    );
    let folder = tempdir().unwrap();
    let model = scripted(u64::MAX).shared();
    let error = run(folder.path(), &config(mixed.unwrap()), &pairs(1), &model, ONE_AT_A_TIME).unwrap_err();
    assert!(matches!(error, JudgeError::NoModel { name } if name == "other"));
    assert!(model.asked().is_empty());
}

#[test]
fn each_pair_is_judged_in_the_words_of_its_datasets_family() {
    let folder = tempdir().unwrap();
    let model = scripted(u64::MAX).shared();
    let single = config(network("single", &["reply.attempts=1"]));
    run(folder.path(), &single, &pairs(3), &model, ONE_AT_A_TIME).unwrap();
    let said: Vec<bool> = model
        .asked()
        .iter()
        .step_by(2)
        .zip(["'s Answer ", "'s Summary ", "'s Solution "])
        .map(|(request, noun)| super::user(request).contains(noun))
        .collect();
    assert_eq!(said, [true; 3]);
}

#[test]
fn pairs_without_any_score_are_finished_without_verdict() {
    let folder = tempdir().unwrap();
    let mute = Scripted::free(|_| Ok(super::support::scripted::text("No."))).shared();
    let judged = run(folder.path(), &widedeep(), &pairs(2), &mute, ONE_AT_A_TIME).unwrap();
    assert_eq!(judged.len(), 2);
    for judged in &judged {
        assert_eq!((judged.verdict, judged.decision), (None, None));
        assert!(
            judged
                .evaluation
                .as_ref()
                .unwrap()
                .opinions
                .iter()
                .all(|opinion| opinion.missing.is_some())
        );
    }
}

#[test]
fn every_opinions_call_is_in_the_store() {
    let folder = tempdir().unwrap();
    let judged = run(
        folder.path(),
        &widedeep(),
        &pairs(4),
        &scripted(u64::MAX).shared(),
        ONE_AT_A_TIME,
    )
    .unwrap();
    let store = Store::open(folder.path()).unwrap();
    for evaluation in judged.iter().filter_map(|judged| judged.evaluation.as_ref()) {
        let roles = store.call(evaluation.roles.call.as_ref().unwrap()).unwrap().unwrap();
        assert_eq!(Some(roles.reply.text), evaluation.roles.raw);
        for opinion in &evaluation.opinions {
            let call = store.call(&opinion.call).unwrap().unwrap();
            assert_eq!(call.model, opinion.model);
            if opinion.order == widedeep::pair::Order::Forward {
                assert_eq!(call.reply.text, opinion.review);
            }
        }
    }
}

#[test]
fn baselines_need_no_model() {
    for (baseline, expected) in [
        (Baseline::Longer, [Label::Tie, Label::Tie, Label::Model1]),
        (Baseline::AlwaysModel1, [Label::Model1; 3]),
    ] {
        let folder = tempdir().unwrap();
        let config = RunConfig {
            judge: Judge::Baseline(baseline),
            ..widedeep()
        };
        let judged = run(folder.path(), &config, &pairs(3), &scripted(0).shared(), ONE_AT_A_TIME).unwrap();
        let verdicts: Vec<Label> = judged.iter().filter_map(|judged| judged.verdict).collect();
        assert_eq!(verdicts, expected);
    }
}
