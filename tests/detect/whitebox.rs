//! A detector as a neuron of an evaluator network.

use std::process::Command;

use serde_json::Value;

use super::{Folder, made_up, support, text};

const NETWORK: &str = r#"name = "boxed"
summary = "one role and a detector"

[roles]
source = "fixed"
names = ["Accuracy", "Invention"]

[reply]
evidence_tokens = 2

[[layers]]
[[layers.neurons]]
[[layers.neurons]]
kind = "detector"
detector = "detector.json"
model = "model.gguf"
"#;

const PAIRS: &str = r#"{"query":"What is the capital of France?","response1":"Paris.","response2":"The town of Quandary, which nobody has seen. It lies in the hills. Take a boat there.","label":"1","dataset":"eli5","id":"a"}
"#;

fn eval(folder: &Folder, detector: &str) -> std::process::Output {
    folder
        .write("network.toml", NETWORK.replace("detector.json", detector))
        .write("pairs.jsonl", PAIRS);
    let link = folder.path("model.gguf");
    if !link.exists() {
        std::fs::hard_link(support::default_model(), &link)
            .or_else(|_| std::fs::copy(support::default_model(), &link).map(|_| ()))
            .unwrap();
    }
    Command::new(env!("CARGO_BIN_EXE_widedeep"))
        .args([
            "eval",
            "pairs.jsonl",
            "--network",
            "network.toml",
            "--out",
            "run",
            "--threads",
            "1",
            "--model",
            "model.gguf",
        ])
        .current_dir(folder.path(""))
        .env("WIDEDEEP_HOME", folder.path(""))
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

#[test]
fn its_opinions_are_stored_and_aggregated_like_those_of_others() {
    let folder = Folder::new();
    made_up(&support::default_model())
        .write(&folder.path("detector.json"))
        .unwrap();
    let output = eval(&folder, "detector.json");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let opinions: Vec<Value> = folder
        .read("run/opinions.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["kind"] == "opinion")
        .collect();
    let mut of_detector = Vec::new();
    for opinion in &opinions {
        if opinion["model"] == "detector:detector.json@model.gguf" {
            let review = opinion["review"].as_str().unwrap();
            assert!(
                review.contains("a probability of 0.") && review.contains("Score of Assistant 2: "),
                "{review}"
            );
            of_detector.push(opinion["scores"].clone());
        }
    }
    assert_eq!(opinions.len(), 4, "two neurons, both orders");
    assert_eq!(of_detector.len(), 2);
    assert_eq!(of_detector[0], of_detector[1], "it does not mind the order");
    assert!(!of_detector[0].is_null());
}

#[test]
fn a_detector_for_another_model_is_refused_before_anything_is_judged() {
    let folder = Folder::new();
    let mut detector = serde_json::to_value(made_up(&support::default_model())).unwrap();
    detector["model"]["sha256"] = "cd".repeat(32).into();
    let detector = serde_json::json!({ "format": 1, "detector": detector });
    folder.write("other.json", detector.to_string());
    let output = eval(&folder, "other.json");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("units of another file"),
        "{}",
        text(&output.stderr)
    );
    assert!(!folder.path("run").exists());
}
