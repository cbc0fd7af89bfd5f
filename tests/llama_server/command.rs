//! `widedeep eval --model openai:…`: judging, going on, keys.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::folder::{Folder, text};
use crate::proxy::Proxy;
use crate::server::{KEY, SLOTS, server};

/// A small model may write evidence for ever: then the opinion is missing, which is not what these tests are about.
const SHORT: [&str; 6] = [
    "--set",
    "reply.max_tokens=80",
    "--set",
    "reply.attempts=1",
    "--max-missing",
    "1",
];

/// A network whose scores are nearly certain.
const TENS: &str = r#"name = "tens"
summary = "one order, drawn at random"

[roles]
source = "fixed"
names = ["score1 is 10 and score2 is 10"]

[calls]
orders = "one"

[sampling]
temperature = 0.7

[[layers]]
"#;

/// The program with its key in a file.
fn asking(folder: &Folder, url: &str, arguments: &str) -> Command {
    folder.write("key", KEY);
    let mut command = folder.command(arguments);
    command
        .args(["--model", "openai:smollm2", "--api-key-file", "key", "--base-url", url])
        .env_remove("OPENAI_API_KEY");
    command
}

fn succeeds(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    output
}

fn requests_made(opinions: &[Value]) -> usize {
    let made = opinions.iter().map(|opinion| opinion["attempts"].as_u64().unwrap());
    usize::try_from(made.sum::<u64>()).unwrap()
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// Takes the verdicts back, as if the program had been killed before it came to them.
fn forget_verdicts(run: &Path) {
    let store = rusqlite::Connection::open(run.join("run.sqlite")).unwrap();
    assert!(store.execute("DELETE FROM judged", []).unwrap() > 0);
}

#[test]
fn pairs_are_judged_once_and_a_run_that_goes_on_asks_nothing_again() {
    let server = server();
    let proxy = Proxy::before(server.address());
    let folder = Folder::new();
    let command = || {
        let mut command = asking(
            &folder,
            &proxy.url(),
            "eval demo --limit 2 --network single --set calls.orders=one --out run",
        );
        command.args(SHORT);
        command.env("RUST_LOG", "trace");
        command
    };
    let first = succeeds(command());
    let opinions = folder.opinions("run");
    assert_eq!(opinions.len(), 2);
    let scored = opinions.iter().filter(|opinion| !opinion["scores"].is_null()).count();
    assert!(scored > 0, "{opinions:#?}");
    for opinion in &opinions {
        assert!(opinion["scores"].is_null() != opinion["missing"].is_null(), "{opinion}");
        assert!(opinion["usage"]["completion"].as_u64().unwrap() > 0, "{opinion}");
    }
    let asked = proxy.requests();
    let probes = asked - requests_made(&opinions);
    assert!((1..=8).contains(&probes), "{probes} requests beside the judgements");

    let finished = succeeds(command());
    assert_eq!(text(&finished.stdout), text(&first.stdout));
    forget_verdicts(&folder.path("run"));
    let resumed = succeeds(command());
    assert_eq!(proxy.requests(), asked, "what is stored is not asked again");
    assert_eq!(folder.opinions("run"), opinions);

    // What the log says at its most talkative, what is printed, what is kept.
    let kept = folder.files("run").into_iter().map(|(_, bytes)| bytes);
    for bytes in [first, finished, resumed]
        .into_iter()
        .flat_map(|output| [output.stdout, output.stderr])
        .chain(kept)
    {
        assert!(!holds(&bytes, "canary"), "the key shows");
    }
}

#[test]
fn more_samples_than_the_server_has_slots_all_come_with_expected_scores() {
    let server = server();
    let folder = Folder::new();
    folder.write(
        "pairs.jsonl",
        r#"{"query":"Is ice cold?","response1":"Yes.","response2":"No."}"#,
    );
    // SmolLM2 writes `10` as `1` and `0`, and of a `1` that was not written nobody says whether a `0` would have followed. So there is no
    // distribution unless both scores begin with `1`; the role sees to that.
    folder.write("network.toml", TENS);
    let samples = 2 * SLOTS;
    let arguments = format!("eval pairs.jsonl --network network.toml --set calls.samples={samples} --out run");
    let mut command = asking(&folder, &server.url(), &arguments);
    command.args(SHORT);
    succeeds(command);
    let opinions = folder.opinions("run");
    assert_eq!(opinions.len(), samples);
    assert!(
        opinions.iter().all(|opinion| opinion["missing"]["stage"] != "call"),
        "{opinions:#?}"
    );
    let expected: Vec<&Value> = opinions
        .iter()
        .filter(|opinion| !opinion["expected"].is_null())
        .collect();
    assert!(expected.len() >= samples / 2, "{opinions:#?}");
    for opinion in expected {
        for (i, side) in ["score1", "score2"].iter().enumerate() {
            let distribution: Vec<f64> = serde_json::from_value(opinion["distribution"][i].clone()).unwrap();
            assert!((distribution.iter().sum::<f64>() - 1.0).abs() < 1e-4, "{opinion}");
            let mean: f64 = distribution
                .iter()
                .zip(1_u8..)
                .map(|(p, score)| p * f64::from(score))
                .sum();
            let stored = opinion["expected"][side].as_f64().unwrap();
            assert!((mean - stored).abs() < 1e-4, "{opinion}");
        }
    }
}

#[test]
fn a_wrong_key_ends_the_run_and_is_said_to_come_from_its_file() {
    let server = server();
    let folder = Folder::new();
    let mut command = asking(&folder, &server.url(), "eval demo --limit 2 --network single --out run");
    folder.write("key", "sk-wrong-key-0123");
    let output = command.env("RUST_LOG", "trace").output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let error = said.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(
        error.contains("HTTP 401") && error.contains("does not accept the key from `key`"),
        "{error}"
    );
    assert!(output.stdout.is_empty());
    let kept = folder.files("run").into_iter().map(|(_, bytes)| bytes);
    for bytes in kept.chain([output.stderr]) {
        assert!(!holds(&bytes, "sk-wrong"), "the key shows");
    }
}
