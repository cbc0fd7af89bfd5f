//! Judging through an API: caches that runs share, missing opinions.

use std::time::Duration;

use rusqlite::Connection;
use snapbox::str;

use crate::folder::{Folder, text};
use crate::loopback::{Answer, Loopback, judge, pairs};

fn server() -> Loopback {
    Loopback::start(Duration::ZERO, |text, _| judge(text))
}

/// Requests of the ledger by who answered them.
fn served(folder: &Folder, run: &str, by: &str) -> i64 {
    let store = Connection::open(folder.path(run).join("run.sqlite")).unwrap();
    store
        .query_row(
            "SELECT count(*) FROM requests WHERE served = ?1 AND pair IS NOT NULL",
            [by],
            |row| row.get(0),
        )
        .unwrap()
}

#[test]
fn networks_that_ask_the_same_share_their_calls_and_the_ledger_tells_billed_from_reused() {
    let (folder, server) = (Folder::new(), server());
    folder.write("pairs.jsonl", pairs(6));
    let eval = |network: &str, cache: &str| {
        let flags = server.flags();
        folder
            .widedeep(&format!(
                "eval pairs.jsonl --network {network} --out {network} {cache} {flags}"
            ))
            .success();
    };
    eval("widedeep", "--cache calls.sqlite");
    let first = server.arrivals().len();
    assert_eq!(served(&folder, "widedeep", "model"), i64::try_from(first).unwrap());
    // The same calls, but for those that it leaves out.
    eval("widedeep-unanimous", "--cache calls.sqlite");
    assert_eq!(server.arrivals().len(), first);
    assert_eq!(served(&folder, "widedeep-unanimous", "model"), 0);
    let reused = served(&folder, "widedeep-unanimous", "cache");
    assert!(reused > 0 && reused <= served(&folder, "widedeep", "model"), "{reused}");
    // Other calls.
    eval("single", "--cache calls.sqlite");
    assert!(server.arrivals().len() > first);
    assert_eq!(served(&folder, "single", "cache"), 0);

    // What came from the cache is what would have been answered.
    std::fs::rename(folder.path("widedeep-unanimous"), folder.path("cached")).unwrap();
    eval("widedeep-unanimous", "");
    for file in ["verdicts.csv", "opinions.jsonl"] {
        let read = |run: &str| folder.read(&format!("{run}/{file}"));
        assert_eq!(read("cached"), read("widedeep-unanimous"), "{file}");
    }
}

#[test]
fn two_runs_at_once_may_use_one_cache() {
    let (folder, server) = (
        Folder::new(),
        Loopback::start(Duration::from_millis(3), |text, _| judge(text)),
    );
    folder.write("pairs.jsonl", pairs(20));
    let start = |run: &str| {
        let arguments = format!(
            "eval pairs.jsonl --network single --cache calls.sqlite --out {run} {}",
            server.flags()
        );
        folder.command(&arguments).spawn().unwrap()
    };
    let mut both = [start("one"), start("two")];
    assert!(both.iter_mut().all(|child| child.wait().unwrap().success()));
    assert_eq!(folder.read("one/verdicts.csv"), folder.read("two/verdicts.csv"));
    let cache = Connection::open(folder.path("calls.sqlite")).unwrap();
    let calls: i64 = cache
        .query_row("SELECT count(*) FROM calls", [], |row| row.get(0))
        .unwrap();
    assert_eq!(calls, 40);
}

#[test]
fn a_file_that_is_no_cache_is_refused_and_left_as_it_is() {
    let (folder, server) = (Folder::new(), server());
    folder.write("pairs.jsonl", pairs(1));
    let other = Connection::open(folder.path("other.sqlite")).unwrap();
    other.execute_batch("CREATE TABLE mine (a)").unwrap();
    drop(other);
    folder.write("notes.txt", "These are my notes, and no database at all.\n".repeat(40));
    for file in ["other.sqlite", "notes.txt"] {
        let before = std::fs::read(folder.path(file)).unwrap();
        let output = folder.output(&format!(
            "eval pairs.jsonl --network single --cache {file} --out run {}",
            server.flags()
        ));
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(file), "{}", text(&output.stderr));
        assert_eq!(std::fs::read(folder.path(file)).unwrap(), before);
    }
    assert!(server.arrivals().is_empty());
}

/// Refuses the pairs in which 1 and 3 are asked about, until it is told to be kind.
fn moody(text: &str, before: usize) -> Answer {
    let refused = ["What is 1 + 1?", "What is 3 + 3?"]
        .iter()
        .any(|query| text.contains(query));
    if refused && before == 0 {
        Answer::Error(400, "that is not a question for a model")
    } else {
        judge(text)
    }
}

#[test]
fn too_many_missing_opinions_fail_the_run_with_their_reasons_and_can_be_asked_for_again() {
    let (folder, server) = (Folder::new(), Loopback::start(Duration::ZERO, moody));
    folder.write("pairs.jsonl", pairs(4));
    let eval = |more: &str| {
        folder.widedeep(&format!(
            "eval pairs.jsonl --network single --out run {} {more}",
            server.flags()
        ))
    };
    eval("--max-missing 0.4").code(1).stdout_eq(str![[r#"
...
 missing opinions: request refused [..]4
...
"#]]).stderr_eq(str![[r#"
...
error: 4 of 8 opinions are missing, more than `--max-missing 0.4` allows: request refused (4); opinions.jsonl says why for each, and the same command with `--retry-missing` asks for them again

"#]]);
    assert_eq!(folder.metrics("run")["counts"]["missing"]["request refused"], 4);
    let opinions = folder.opinions("run");
    let reasons: Vec<String> = opinions
        .iter()
        .filter(|opinion| !opinion["missing"].is_null())
        .map(|opinion| opinion["missing"].to_string())
        .collect();
    assert_eq!(reasons.len(), 4);
    assert!(
        reasons
            .iter()
            .all(|reason| reason.contains("not a question for a model")),
        "{reasons:?}"
    );

    // Half is what is allowed.
    eval("").success();
    assert_eq!(server.arrivals().len(), 8, "finished pairs are not judged again");
    eval("--retry-missing --max-missing 0").success();
    assert_eq!(server.arrivals().len(), 12, "only what was missing is asked for");
    assert_eq!(folder.metrics("run")["counts"]["missing"], serde_json::json!({}));
    eval("--max-missing 1.5").code(2).stderr_eq(str![[r#"
error: invalid value '1.5' for '--max-missing <SHARE>': a share lies between 0 and 1, such as `0.1`

For more information, try '--help'.

"#]]);
}
