//! The same command gives the same run, sampling included.

use crate::folder::{Folder, SHORT_NETWORK, SHORT_PAIRS, without_seconds};

fn folder() -> Folder {
    let folder = Folder::new();
    folder
        .write("pairs.jsonl", SHORT_PAIRS)
        .write("short.toml", SHORT_NETWORK);
    folder
}

fn assert_same(folder: &Folder, one: &str, other: &str) {
    for file in ["verdicts.csv", "opinions.jsonl"] {
        let content = |run: &str| folder.read(&format!("{run}/{file}"));
        assert_eq!(content(one), content(other), "{file}");
    }
    let metrics = |run: &str| without_seconds(&folder.metrics(run));
    assert_eq!(metrics(one), metrics(other));
}

#[test]
fn a_discussion_repeats_byte_for_byte() {
    let folder = folder();
    for run in ["one", "other"] {
        folder.judged(&format!("eval pairs.jsonl --network short.toml --out {run}"));
    }
    assert_same(&folder, "one", "other");
}

#[test]
fn sampled_replies_repeat_with_the_seed_and_change_with_it() {
    let folder = folder();
    let sampled = "--network faireval --set reply.evidence_tokens=8 --set calls.samples=2 --limit 1";
    for (run, seed) in [("one", 5), ("same", 5), ("other", 6)] {
        folder.judged(&format!("eval pairs.jsonl {sampled} --seed {seed} --out {run}"));
    }
    assert_same(&folder, "one", "same");
    let replies = |run: &str| -> Vec<String> {
        let opinions = folder.opinions(run);
        opinions.iter().map(|opinion| opinion["reply"].to_string()).collect()
    };
    let (one, other) = (replies("one"), replies("other"));
    assert_eq!(one.len(), 4, "two samples in two orders");
    assert!(one.iter().zip(&other).any(|(a, b)| a != b), "{one:?}");
    let mut distinct = one.clone();
    distinct.sort();
    distinct.dedup();
    assert!(distinct.len() > 2, "samples of one prompt differ: {one:?}");
}
