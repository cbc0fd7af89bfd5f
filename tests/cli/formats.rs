//! Every format that can be read, by way of the command, and what is said about datasets that nobody knows.

use snapbox::cmd::OutputAssert;
use snapbox::str;

use crate::folder::{Folder, fixture};

fn eval(folder: &Folder, name: &str, options: &str) -> OutputAssert {
    std::fs::copy(fixture(name), folder.path(name)).unwrap();
    folder.widedeep(&format!("eval {name} --out run {options}"))
}

#[test]
fn published_formats_are_told_from_their_content() {
    for (name, format, verdicts) in [
        ("judgebench.jsonl", "judgebench", ["model2", "tie", "tie"]),
        ("llmbar.json", "llmbar", ["model2", "tie", "model2"]),
    ] {
        let folder = Folder::new();
        eval(&folder, name, "--network longer").success();
        assert_eq!(folder.metrics("run")["run"]["data"]["format"], format);
        let table = folder.read("run/verdicts.csv");
        let mut rows = csv::Reader::from_reader(table.as_bytes());
        let at = rows
            .headers()
            .unwrap()
            .iter()
            .position(|name| name == "verdict")
            .unwrap();
        let found: Vec<String> = rows.records().map(|row| row.unwrap()[at].to_owned()).collect();
        assert_eq!(found, verdicts, "{name}");
    }
}

#[test]
fn the_same_format_can_be_named() {
    let folder = Folder::new();
    eval(&folder, "llmbar.json", "--network longer --format llmbar").success();
    let folder = Folder::new();
    eval(&folder, "llmbar.json", "--network longer --format llmeval2")
        .code(2)
        .stderr_eq(str![[r#"
error: llmbar.json:1: not valid JSON: [..]

"#]]);
}

#[test]
fn a_dataset_outside_the_taxonomy_is_judged_as_questions_and_answers_and_the_user_is_told() {
    for name in ["own.csv", "own.jsonl"] {
        // Told before the model is looked for, which ends this run.
        eval(&Folder::new(), name, "--model absent.gguf")
            .code(2)
            .stderr_eq(str![[r#"
dataset `custom` is not in the taxonomy: judged with the prompts of the family `qa` (see --taxonomy)
error: there is no model file `absent.gguf`; give the path of a GGUF file, or a name from `widedeep models list`

"#]]);
        // No prompts, no family.
        eval(&Folder::new(), name, "--network longer")
            .success()
            .stderr_eq(str![[r#"
dataset `custom` is not in the taxonomy: no task type or ability (see --taxonomy)
wrote run/verdicts.csv, run/metrics.json

"#]]);
    }
}

#[test]
fn unknown_datasets_are_told_of_in_one_line() {
    eval(&Folder::new(), "judgebench.jsonl", "--network longer")
        .success()
        .stderr_eq(str![[r#"
datasets `mmlu-pro-physics`, `livebench-reasoning`, `livecodebench` are not in the taxonomy: no task type or ability (see --taxonomy)
wrote run/verdicts.csv, run/metrics.json

"#]]);
}
