//! The store by itself: starting, opening, refusing.

use std::fs;

use rusqlite::{Connection, params};
use tempfile::tempdir;
use widedeep::chat::{CallKey, ChatModel, Origin};
use widedeep::pair::Pair;
use widedeep::run::{Baseline, Judge, Judged, RunConfig, Store, StoreError};

use super::support::scripted::text;
use super::{config, network, pairs, scripted, widedeep};

fn sql(folder: &std::path::Path, statement: &str) {
    let connection = Connection::open(folder.join("run.sqlite")).unwrap();
    connection.execute_batch(statement).unwrap();
}

fn message(error: &StoreError, folder: &std::path::Path) -> String {
    error.to_string().replace(&folder.display().to_string(), "[folder]")
}

#[test]
fn a_started_run_keeps_configuration_and_pairs_and_opens_again() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("runs/first");
    let pairs = pairs(3);
    drop(Store::start(&path, &widedeep(), &pairs).unwrap());
    let store = Store::open(&path).unwrap();
    assert_eq!(store.config(), &widedeep());
    assert_eq!(store.pairs().unwrap(), pairs);
    assert_eq!((store.judged().unwrap().len(), store.calls().unwrap()), (0, 0));
}

#[test]
fn candidates_come_back_byte_for_byte() {
    let folder = tempdir().unwrap();
    let odd = Pair {
        query: String::new(),
        response1: " \n{{ a }} \"b\" \\n \u{0} $x& 𝄞\u{2028}\u{feff}".to_owned(),
        response2: "'); DROP TABLE pairs; --\r\n\t".to_owned(),
        ..pairs(1).remove(0)
    };
    let store = Store::start(folder.path(), &widedeep(), std::slice::from_ref(&odd)).unwrap();
    assert_eq!(store.pairs().unwrap(), [odd]);
}

#[test]
fn a_call_is_found_under_its_key_with_request_and_reply() {
    let folder = tempdir().unwrap();
    let store = Store::start(folder.path(), &widedeep(), &pairs(1)).unwrap();
    let model = scripted(0);
    let request = widedeep::chat::Request {
        turns: Vec::new(),
        plan: widedeep::chat::ReplyPlan::Free { max_tokens: 3 },
        sampling: widedeep::chat::Sampling::greedy(),
        origin: Origin::default(),
    };
    let key = CallKey::of(model.identity(), &request);
    assert_eq!(store.call(&key).unwrap(), None);
    let (first, second) = (text("first"), text("second"));
    store.record("scripted", &[(key.clone(), &request, &first)]).unwrap();
    // What is recorded stays: a verdict may rest on it.
    store.record("scripted", &[(key.clone(), &request, &second)]).unwrap();
    let call = store.call(&key).unwrap().unwrap();
    assert_eq!(
        (call.request, call.reply, call.model.as_str()),
        (request, first, "scripted")
    );
    assert_eq!(store.calls().unwrap(), 1);
}

#[test]
fn a_second_hand_on_the_same_run_is_refused_and_readers_are_not() {
    let folder = tempdir().unwrap();
    let first = Store::start(folder.path(), &widedeep(), &pairs(1)).unwrap();
    let error = Store::start(folder.path(), &widedeep(), &pairs(1)).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }));
    insta::assert_snapshot!(message(&error, folder.path()), @"another process is at work on the run in `[folder]`; wait for it, or give this one another folder with `--out`");
    assert_eq!(Store::open(folder.path()).unwrap().pairs().unwrap().len(), 1);
    drop(first);
    assert!(Store::start(folder.path(), &widedeep(), &pairs(1)).is_ok());
}

#[test]
fn another_configuration_in_the_same_folder_is_refused_and_told_what_differs() {
    let folder = tempdir().unwrap();
    drop(Store::start(folder.path(), &widedeep(), &pairs(1)).unwrap());
    let other = RunConfig {
        seed: 8,
        ..config(network("widedeep", &["sampling.temperature=0.7", "roles.cap=2"]))
    };
    let error = Store::start(folder.path(), &other, &pairs(1)).unwrap_err();
    insta::assert_snapshot!(message(&error, folder.path()), @"`[folder]` holds a run of another configuration: `judge.network.network.roles.cap` was 3 and is 2, `judge.network.network.sampling.temperature` was 0.8 and is 0.7, `seed` was 7 and is 8; give this run another folder with `--out`, or delete that one");

    let shallow = config(network("widedeep", &["sampling.temperature=0.8", "layers=1"]));
    let error = Store::start(folder.path(), &shallow, &pairs(1)).unwrap_err();
    assert!(
        error.to_string().contains("`judge.network.network.layers.1."),
        "{error}"
    );

    let baseline = RunConfig {
        judge: Judge::Baseline(Baseline::Longer),
        ..widedeep()
    };
    let error = Store::start(folder.path(), &baseline, &pairs(1)).unwrap_err();
    assert!(error.to_string().contains("`judge.baseline` was unset"), "{error}");
    // Nothing of that touched the run.
    assert_eq!(Store::open(folder.path()).unwrap().config(), &widedeep());
}

#[test]
fn a_layer_without_keys_is_a_difference_too() {
    let folder = tempdir().unwrap();
    let jury = |overrides: &[&str]| config(network("jury", overrides));
    drop(Store::start(folder.path(), &jury(&[]), &pairs(1)).unwrap());
    assert!(Store::start(folder.path(), &jury(&["layers=2"]), &pairs(1)).is_err());
}

#[test]
fn a_run_goes_on_when_its_data_has_moved_but_not_when_it_has_changed() {
    let folder = tempdir().unwrap();
    drop(Store::start(folder.path(), &widedeep(), &pairs(1)).unwrap());
    let mut moved = widedeep();
    moved.data.path = "elsewhere/pairs.jsonl".into();
    drop(Store::start(folder.path(), &moved, &pairs(1)).unwrap());
    moved.data.blake3 = "0".repeat(64);
    let error = Store::start(folder.path(), &moved, &pairs(1)).unwrap_err();
    assert!(error.to_string().contains("`data.blake3` was"), "{error}");
}

#[test]
fn another_version_of_the_program_goes_on_with_a_run() {
    let folder = tempdir().unwrap();
    drop(Store::start(folder.path(), &widedeep(), &pairs(1)).unwrap());
    let newer = RunConfig {
        widedeep: "0.2.0".to_owned(),
        ..widedeep()
    };
    let store = Store::start(folder.path(), &newer, &pairs(1)).unwrap();
    assert_eq!(store.config().widedeep, "0.1.0", "the one that started it");
}

#[test]
fn a_run_of_a_newer_format_is_refused_and_left_as_it_is() {
    let folder = tempdir().unwrap();
    drop(Store::start(folder.path(), &widedeep(), &pairs(1)).unwrap());
    sql(
        folder.path(),
        "UPDATE meta SET value = 3 WHERE key = 'format'; UPDATE meta SET value = 'other' WHERE key = 'config'; DROP TABLE judged;
         PRAGMA wal_checkpoint(TRUNCATE)",
    );
    let before = fs::read(folder.path().join("run.sqlite")).unwrap();
    for error in [
        Store::start(folder.path(), &widedeep(), &pairs(1)).unwrap_err(),
        Store::open(folder.path()).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Newer { found: 3, .. }));
        insta::allow_duplicates! {
            insta::assert_snapshot!(message(&error, folder.path()), @"the run in `[folder]` has format 3, this program reads up to 2; use the newer widedeep that wrote it");
        }
    }
    assert_eq!(fs::read(folder.path().join("run.sqlite")).unwrap(), before);
}

#[test]
fn a_folder_without_a_run_says_how_to_start_one() {
    let folder = tempdir().unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    insta::assert_snapshot!(message(&error, folder.path()), @"there is no run in `[folder]`; start one with `widedeep eval DATA --out [folder]`");
}

#[test]
fn a_run_that_ended_before_its_first_rows_is_none_and_can_be_started() {
    let folder = tempdir().unwrap();
    for remains in [
        "",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
    ] {
        sql(folder.path(), remains);
        fs::write(folder.path().join("run.lock"), "").unwrap();
        assert!(matches!(Store::open(folder.path()), Err(StoreError::NoRun { .. })));
    }
    let store = Store::start(folder.path(), &widedeep(), &pairs(2)).unwrap();
    assert_eq!(store.pairs().unwrap().len(), 2);
}

#[test]
fn something_else_than_a_store_is_refused() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("run.sqlite"), "name,score\n".repeat(1000)).unwrap();
    let error = Store::start(folder.path(), &widedeep(), &pairs(1)).unwrap_err();
    insta::assert_snapshot!(message(&error, folder.path()), @"failed to read the store `[folder]/run.sqlite`: file is not a database");
    assert!(Store::open(folder.path()).is_err());

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::start(&file, &widedeep(), &pairs(1)).unwrap_err();
    assert!(matches!(error, StoreError::Path { .. }), "{error}");
}

#[test]
fn damaged_values_are_named() {
    let folder = tempdir().unwrap();
    let pairs = pairs(2);
    let store = Store::start(folder.path(), &widedeep(), &pairs).unwrap();
    let judged = Judged {
        pair: pairs[0].clone(),
        verdict: None,
        decision: None,
        evaluation: None,
    };
    store.finish(&judged).unwrap();
    sql(folder.path(), "UPDATE judged SET judged = '{\"made\"'");
    let error = store.judged().unwrap_err();
    insta::assert_snapshot!(message(&error, folder.path()), @"the run's store `[folder]/run.sqlite` is damaged: verdict of pair 3 cannot be read: EOF while parsing an object at line 1 column 7");
    sql(folder.path(), "UPDATE pairs SET pair = '{}' WHERE idx = 13");
    let error = store.pairs().unwrap_err();
    insta::assert_snapshot!(message(&error, folder.path()), @"the run's store `[folder]/run.sqlite` is damaged: pair 13 cannot be read: missing field `index` at line 1 column 2");
    drop(store);
    Connection::open(folder.path().join("run.sqlite"))
        .unwrap()
        .execute("UPDATE meta SET value = ?1 WHERE key = 'config'", params!["[]"])
        .unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(
        error.to_string().contains("its configuration cannot be read"),
        "{error}"
    );
    sql(folder.path(), "DELETE FROM meta WHERE key = 'config'");
    let error = Store::open(folder.path()).unwrap_err();
    insta::assert_snapshot!(message(&error, folder.path()), @"the run's store `[folder]/run.sqlite` is damaged: its configuration is missing");
}
