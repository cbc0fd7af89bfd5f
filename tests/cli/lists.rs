//! What there is: networks, models, benchmarks.

use serde_json::Value;
use widedeep::network::{Network, SHIPPED};

use crate::folder::{Folder, text};

#[test]
fn networks_are_listed_with_the_baselines() {
    let output = Folder::new().output("networks list");
    assert_eq!(output.status.code(), Some(0));
    let listed = text(&output.stdout);
    let listed = listed.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("networks-listed", listed);
}

#[test]
fn every_network_is_shown_as_a_file_that_can_be_used() {
    let folder = Folder::new();
    for (name, file) in SHIPPED {
        let output = folder.output(&format!("networks show {name}"));
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stdout), *file);
        assert_eq!(
            Network::parse(&text(&output.stdout), name, &[]).unwrap().name,
            name.to_owned()
        );
    }
}

#[test]
fn a_network_that_is_not_there_is_answered_with_those_that_are() {
    Folder::new()
        .widedeep("networks show widedeeep")
        .code(2)
        .stdout_eq("")
        .stderr_eq(snapbox::str![[r#"
error: there is no shipped network `widedeeep`; there are widedeep, widedeep-unanimous, widedeep-sequential, widedeep-compat, widedeep-whitebox, faireval, single, jury

"#]]);
}

#[test]
fn models_and_benchmarks_are_listed_for_people_and_for_programs() {
    let folder = Folder::new();
    for (shelf, known) in [("models", "smollm2-135m"), ("data", "llmeval2")] {
        let json = folder.output(&format!("{shelf} list --json"));
        assert_eq!(json.status.code(), Some(0));
        let rows: Vec<Value> = serde_json::from_slice(&json.stdout).unwrap();
        let table = folder.output(&format!("{shelf} list"));
        assert_eq!(table.status.code(), Some(0));
        let table = text(&table.stdout);
        let row = rows.iter().find(|row| row["name"] == known).unwrap();
        assert_eq!(row["present"], false);
        assert!(
            row["path"]
                .as_str()
                .unwrap()
                .starts_with(folder.path("home").to_str().unwrap())
        );
        for row in &rows {
            let name = row["name"].as_str().unwrap();
            let line = table
                .lines()
                .find(|line| line.trim_start().starts_with(&format!("{name} ")));
            assert!(line.unwrap().trim_end().ends_with("absent"), "{table}");
        }
    }
}

#[test]
fn what_has_not_been_pulled_has_no_path_and_the_message_says_how_to_get_it() {
    let folder = Folder::new();
    folder
        .widedeep("models path")
        .code(2)
        .stdout_eq("")
        .stderr_eq(snapbox::str![[r#"
error: model `smollm2-135m` has not been pulled; run `widedeep models pull smollm2-135m`

"#]]);
    folder
        .widedeep("data path llmeval2")
        .code(2)
        .stdout_eq("")
        .stderr_eq(snapbox::str![[r#"
error: dataset `llmeval2` has not been pulled; run `widedeep data pull llmeval2`

"#]]);
    folder
        .widedeep("data path llmeval")
        .code(2)
        .stdout_eq("")
        .stderr_eq(snapbox::str![[r#"
error: no dataset is called `llmeval`; did you mean `llmeval2`? (`widedeep data list` shows all)

"#]]);
}
