//! `steer`.

use serde_json::Value;

use crate::folder::{Folder, counted, model};

fn folder() -> Folder {
    let folder = Folder::new();
    std::fs::copy(counted().path("units/units.json"), folder.path("units.json")).unwrap();
    folder.write("prompts.txt", "The weather in the mountains is\nMy favourite food is\n");
    folder
}

fn outputs(folder: &Folder) -> Vec<Value> {
    folder
        .read("steer/outputs.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_factor_of_1_changes_no_letter_and_outputs_are_heard_in_their_language() {
    let folder = folder();
    let steer = "steer units.json --scale fr=1 --prompts prompts.txt --tokens 24 --draws 1 --out steer";
    let ended = folder.with_model(steer);
    assert!(
        ended.stderr.contains("the detector does not know sw"),
        "{}",
        ended.stderr
    );
    let outputs = outputs(&folder);
    assert_eq!(outputs.len(), 6);
    for nth in 0..2 {
        assert_eq!(outputs[nth]["condition"], "base");
        assert_eq!(outputs[nth + 2]["condition"], "steered");
        assert_eq!(outputs[nth + 4]["condition"]["random"], 0);
        assert_eq!(outputs[nth]["text"], outputs[nth + 2]["text"]);
        assert_eq!(outputs[nth]["text"], outputs[nth + 4]["text"]);
        assert_eq!(outputs[nth]["heard"]["language"], "en", "{}", outputs[nth]);
    }
    assert!(
        folder
            .read("steer/shares.csv")
            .starts_with("units,language,outputs\nbase,en,2\n")
    );
    // Greedy: the same again.
    folder.with_model(steer);
    assert_eq!(self::outputs(&folder), outputs);
}

#[test]
fn strong_factors_change_what_is_written() {
    let folder = folder();
    folder.with_model(
        "steer units.json --scale fr=30 --scale en=0 --prompts prompts.txt --tokens 12 --draws 0 --out steer",
    );
    let outputs = outputs(&folder);
    assert_eq!(outputs.len(), 4);
    assert!((0..2).any(|nth| outputs[nth]["text"] != outputs[nth + 2]["text"]));
}

#[test]
fn wrong_scalings_and_languages_are_refused() {
    let folder = folder();
    for scaling in ["fr", "fr=much", "=2", "fr=inf"] {
        let message = folder.wrong(&format!("steer units.json --scale {scaling} --prompt x --out steer"));
        assert!(
            message.contains("write a language and a factor, such as `fr=2`"),
            "{message}"
        );
    }
    let message = folder.wrong(&model(
        "steer units.json --scale de=2 --prompts prompts.txt --out steer",
    ));
    assert!(
        message.contains("no units of language `de` were identified, only of en, fr, sw"),
        "{message}"
    );
}
