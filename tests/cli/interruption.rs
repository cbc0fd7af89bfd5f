//! A run that is stopped at any moment goes on with the same command.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::folder::{Folder, SHORT_NETWORK, SHORT_PAIRS, text};

/// Either layer of the network makes two calls per pair.
const COMMAND: &str = "eval pairs.jsonl --network short.toml --out";

/// Calls that a run has committed so far; none while there is no store yet.
fn calls(run: &Path) -> i64 {
    let store = Connection::open_with_flags(run.join("run.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY);
    store
        .and_then(|store| store.query_row("SELECT count(*) FROM calls", [], |row| row.get(0)))
        .unwrap_or(0)
}

/// Starts the run and waits until it has committed so many calls.
fn started(folder: &Folder, run: &str, until: i64) -> Child {
    let mut command = folder.judge(&format!("{COMMAND} {run}"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    while calls(&folder.path(run)) < until {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the run ended before {until} calls"
        );
        assert!(
            begun.elapsed() < Duration::from_secs(300),
            "{until} calls take too long"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .arg(name)
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(sent.success());
}

/// What was decided, and by which scores.
fn decided(folder: &Folder, run: &str) -> (String, Vec<Value>) {
    let opinions = folder.opinions(run);
    let scores = opinions.iter().map(|opinion| {
        json!([
            opinion["pair"],
            opinion["layer"],
            opinion["role"],
            opinion["order"],
            opinion["scores"]
        ])
    });
    (folder.read(&format!("{run}/verdicts.csv")), scores.collect())
}

#[test]
fn a_killed_and_interrupted_run_ends_like_an_undisturbed_one() {
    let folder = Folder::new();
    folder
        .write("pairs.jsonl", SHORT_PAIRS)
        .write("short.toml", SHORT_NETWORK);

    // In the second layer of the first pair.
    let mut killed = started(&folder, "disturbed", 2);
    signal(&killed, "-KILL");
    killed.wait().unwrap();
    let kept = calls(&folder.path("disturbed"));
    assert!(kept < 4, "the run was not caught in the middle of a pair");

    // In the second layer of the second pair; somebody else starts on the same folder meanwhile.
    let interrupted = started(&folder, "disturbed", 6);
    let rival = folder.output("eval pairs.jsonl --network longer --out disturbed");
    signal(&interrupted, "-INT");
    let output = interrupted.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(
        text(&output.stderr),
        "interrupted: 1 of 2 pairs are done; give the same command again to go on\n"
    );
    assert!(output.stdout.is_empty(), "no summary of half a run");
    assert_eq!(rival.status.code(), Some(1));
    let said = text(&rival.stderr);
    assert!(
        said.contains("another process is at work on the run in `disturbed`"),
        "{said}"
    );

    // Half a run has figures.
    let half = folder.output("score disturbed");
    assert_eq!(half.status.code(), Some(0));
    assert!(text(&half.stdout).starts_with("1 of 2 pairs of pairs.jsonl judged"));
    let before = calls(&folder.path("disturbed"));
    assert_eq!(before, 6);

    let last = folder.judged(&format!("{COMMAND} disturbed"));
    let said = text(&last.stderr);
    assert!(
        said.starts_with("going on with a run of 2 pairs of which 1 are done\n"),
        "{said}"
    );
    assert_eq!(calls(&folder.path("disturbed")), 8, "only what was missing was asked");

    folder.judged(&format!("{COMMAND} undisturbed"));
    assert_eq!(decided(&folder, "disturbed"), decided(&folder, "undisturbed"));
}
