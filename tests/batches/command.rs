//! `widedeep eval --batch`, as its users meet it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::honest;
use super::server::{Ending, Server};

/// A folder with a few pairs in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let pair = |i: usize| {
        let label = ["1", "2"][i % 2];
        json!({
            "query": format!("What is {i} + {i}?"), "response1": format!("It is {}.", 2 * i),
            "response2": format!("It is {}, I think.", 2 * i + i % 2), "label": label, "dataset": "eli5",
        })
    };
    let lines: Vec<String> = (0..4).map(|i| pair(i).to_string()).collect();
    std::fs::write(folder.path().join("pairs.jsonl"), lines.join("\n")).unwrap();
    folder
}

fn eval(folder: &Path, server: &Server, flags: &str) -> Output {
    command(folder, server, flags).output().unwrap()
}

fn command(folder: &Path, server: &Server, flags: &str) -> Command {
    let arguments = format!(
        "eval pairs.jsonl --model openai:m --base-url {} --api-key-env WIDEDEEP_NO_KEY {flags}",
        server.url()
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_widedeep"));
    command
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env_remove("RUST_LOG");
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_run_is_submitted_on_one_day_and_collected_on_others() {
    let server = honest();
    server.ending(|_, _| Ending::After(2));
    let folder = folder();
    let mut days = 0;
    let last = loop {
        days += 1;
        let output = eval(folder.path(), &server, "--batch --batch-no-wait --out run");
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        if !output.stdout.is_empty() {
            break output;
        }
        assert!(
            said(&output).contains("requests are in a batch and not answered yet")
                && said(&output).contains("give the same command again"),
            "{}",
            said(&output)
        );
        assert!(days < 30, "it does not come to an end");
    };
    assert!(days > 2, "{days}");
    assert!(String::from_utf8_lossy(&last.stdout).contains("4 of 4 pairs"));
    let single = eval(folder.path(), &server, "--out single");
    assert_eq!(single.status.code(), Some(0), "{}", said(&single));
    let read = |path: &str| std::fs::read_to_string(folder.path().join(path)).unwrap();
    assert_eq!(read("run/verdicts.csv"), read("single/verdicts.csv"));
    // The probe of either run, and nothing else of the first.
    let metrics: Value = serde_json::from_str(&read("run/metrics.json")).unwrap();
    assert!(metrics["cost"]["total"]["requests"].as_u64().unwrap() > 4);
}

#[cfg(unix)]
#[test]
fn a_run_that_is_killed_again_and_again_asks_nothing_twice() {
    let server = honest();
    let folder = folder();
    let batched = "--batch --batch-poll 1 --batch-pairs 2 --out run";
    for milliseconds in [40, 90, 140, 250, 400, 650, 1100, 1500, 1900] {
        let mut process = command(folder.path(), &server, batched)
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        // SIGKILL.
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let output = eval(folder.path(), &server, batched);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let single = eval(folder.path(), &server, "--out single");
    assert_eq!(single.status.code(), Some(0), "{}", said(&single));
    let read = |path: &str| std::fs::read_to_string(folder.path().join(path)).unwrap();
    assert_eq!(read("run/verdicts.csv"), read("single/verdicts.csv"));
    assert_eq!(super::repeated(&server.custom_ids()), 0);
}

#[test]
fn waiting_shows_how_the_batches_get_on() {
    let server = honest();
    server.ending(|_, _| Ending::After(2));
    let folder = folder();
    let output = eval(
        folder.path(),
        &server,
        "--batch --batch-poll 1 --network single --out run",
    );
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains("batch batch_0 in_progress: 0 of 8 answered")
            && said(&output).contains("batch batch_0 completed: 8 of 8 answered"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_run_that_goes_on_without_batches_says_that_some_are_open() {
    let server = honest();
    server.ending(|_, _| Ending::Never);
    let folder = folder();
    let output = eval(
        folder.path(),
        &server,
        "--batch --batch-no-wait --network single --out run",
    );
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = eval(folder.path(), &server, "--network single --out run");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains("8 requests of this run are in batches that are not collected"),
        "{}",
        said(&output)
    );
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let server = honest();
    let folder = folder();
    let output = eval(folder.path(), &server, "--network longer --batch --out run");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("`--batch` is for models behind an API"),
        "{}",
        said(&output)
    );
    let output = eval(folder.path(), &server, "--batch-no-wait --out run");
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("--batch"), "{}", said(&output));
}

#[test]
fn a_server_without_a_batch_api_is_named() {
    let server = honest();
    server.fail("GET /batches", &[super::server::Fault::Status(404)]);
    let folder = folder();
    let output = eval(folder.path(), &server, "--batch --network single --out run");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("no Batch API, so leave out `--batch`"),
        "{}",
        said(&output)
    );
}
