//! The default network and the default model over two pairs of the demo: everything that such a run prints and leaves behind.

use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

use crate::folder::{Folder, text};
use crate::support::default_model;

const COMMAND: &str =
    "eval demo --limit 2 --network widedeep --set reply.evidence_tokens=16 --set roles.max_tokens=16 --out run";

struct Run {
    folder: Folder,
    printed: String,
}

/// Judged once for all tests of this file.
static RUN: LazyLock<Run> = LazyLock::new(|| {
    let folder = Folder::lasting("cli-judging");
    let printed = text(&folder.judged(COMMAND).stdout);
    Run { folder, printed }
});

#[test]
fn the_summary_has_its_headline_figures() {
    for row in [
        "2 of 2 pairs of demo judged by the network widedeep (2 layers) with",
        "selected: the first 2",
        "verdicts by mean/all/argmax, tie margin 0",
        " accuracy ",
        " macro-F1 (all three classes) ",
        " Cohen's kappa ",
        " human model1 ",
        " mean/all/argmax             * chosen ",
        " neurons whose verdict changes with the order ",
        " layer 2 ",
        " layer2 ",
    ] {
        let found = RUN.printed.lines().filter(|line| line.starts_with(row)).count();
        assert!(found > 0, "no line starts with `{row}` in:\n{}", RUN.printed);
    }
}

#[test]
fn every_pair_has_a_verdict() {
    let table = RUN.folder.read("run/verdicts.csv");
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<HashMap<String, String>> = rows.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row["index"], index.to_string());
        assert!(["model1", "model2", "tie"].contains(&row["verdict"].as_str()));
        assert_eq!(row["missing"], "0");
        for score in ["score1", "score2"] {
            assert!((1.0..=10.0).contains(&row[score].parse::<f64>().unwrap()));
        }
    }
}

#[test]
fn every_opinion_has_scores_a_distribution_and_its_whole_call() {
    let opinions = RUN.folder.opinions("run");
    let asked = RUN.folder.metrics("run")["counts"]["opinions"].as_u64().unwrap();
    assert_eq!(opinions.len() as u64, asked);
    assert!(opinions.len() >= 8, "two pairs in two layers and two orders");
    for opinion in &opinions {
        assert_eq!(opinion["missing"], Value::Null);
        for (i, side) in ["score1", "score2"].iter().enumerate() {
            let distribution: Vec<f64> = serde_json::from_value(opinion["distribution"][i].clone()).unwrap();
            let sum: f64 = distribution.iter().sum();
            assert!((sum - 1.0).abs() < 1e-4, "{sum}");
            let expected: f64 = distribution
                .iter()
                .zip(1_u8..)
                .map(|(p, score)| p * f64::from(score))
                .sum();
            let stored = opinion["expected"][side].as_f64().unwrap();
            assert!((expected - stored).abs() < 1e-4, "{expected} {stored}");
            // The score is the most probable one.
            let score = usize::try_from(opinion["scores"][side].as_u64().unwrap()).unwrap();
            assert!(distribution.iter().all(|p| *p <= distribution[score - 1]));
        }
        let prompt = opinion["prompt"].as_array().unwrap();
        let speakers: Vec<&str> = prompt.iter().map(|turn| turn["speaker"].as_str().unwrap()).collect();
        assert_eq!(speakers, ["system", "user"]);
        assert!(prompt[1]["content"].as_str().unwrap().contains("Assistant 2"));
        let reply = opinion["reply"].as_str().unwrap();
        // The reply is as shown to the neuron: in the swapped order its first score is response 2's.
        let shown = if opinion["order"] == "12" {
            ["score1", "score2"]
        } else {
            ["score2", "score1"]
        };
        let lines = format!(
            "\nScore of Assistant 1: {}\nScore of Assistant 2: {}",
            opinion["scores"][shown[0]], opinion["scores"][shown[1]]
        );
        assert!(reply.ends_with(&lines), "{reply}");
    }
}

#[test]
fn the_figures_are_kept_with_all_cells_of_the_grid() {
    let metrics = RUN.folder.metrics("run");
    let cells = metrics["grid"]["cells"].as_array().unwrap();
    let mut names: Vec<&str> = cells.iter().map(|cell| cell["cell"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 12, "{names:?}");
    assert_eq!(metrics["overall"]["n"], 2);
}

#[test]
fn scores_are_the_same_without_the_model() {
    let folder = &RUN.folder;
    folder.widedeep("score run").success().stdout_eq(RUN.printed.clone());
    let json = folder.output("score run --json");
    assert_eq!(text(&json.stdout), folder.read("run/metrics.json"));
}

#[test]
fn another_cell_decides_otherwise_and_changes_nothing_on_disk() {
    // A copy: other tests open the run at the same time, and SQLite has files of its own beside a database that is open.
    let folder = Folder::new();
    std::fs::create_dir(folder.path("run")).unwrap();
    for name in ["metrics.json", "opinions.jsonl", "run.sqlite", "verdicts.csv"] {
        std::fs::copy(RUN.folder.path("run").join(name), folder.path("run").join(name)).unwrap();
    }
    let before = folder.files("run");
    let output = folder.output("score run --cell vote-neuron/last/expected --tie-margin 0.5");
    assert_eq!(output.status.code(), Some(0));
    let out = text(&output.stdout);
    assert!(
        out.contains("verdicts by vote-neuron/last/expected, tie margin 0.5\n"),
        "{out}"
    );
    assert!(
        out.contains("the run itself decided by mean/all/argmax, tie margin 0"),
        "{out}"
    );
    assert!(output.stderr.is_empty());
    let after = folder.files("run");
    let names =
        |files: &[(std::path::PathBuf, Vec<u8>)]| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    assert!(before == after, "a file changed");
}

#[test]
fn a_finished_run_asks_nothing_again() {
    let folder = &RUN.folder;
    let before = folder.files("run");
    let again = folder.judged(COMMAND);
    assert_eq!(text(&again.stdout), RUN.printed, "to the seconds that the calls took");
    let err = text(&again.stderr);
    assert!(
        err.starts_with("going on with a run of 2 pairs of which 2 are done\nwrote "),
        "{err}"
    );
    for (path, content) in before {
        if path.extension().is_some_and(|extension| extension != "sqlite") {
            assert!(std::fs::read(&path).unwrap() == content, "{} changed", path.display());
        }
    }
}

#[test]
fn the_run_knows_its_model_by_the_name_that_was_given() {
    let models = &RUN.folder.metrics("run")["run"]["models"];
    assert_eq!(Path::new(models[0].as_str().unwrap()), default_model());
}
