//! `silence`.

use crate::folder::{Folder, counted, model};

/// A folder with the units of [`counted`].
fn folder() -> Folder {
    let folder = Folder::new();
    std::fs::copy(counted().path("units/units.json"), folder.path("units.json")).unwrap();
    folder
}

const SILENCE: &str = "silence units.json texts --tokens 40 --draws 1 --out silence";

#[test]
fn the_matrix_has_every_language_beside_random_units_and_an_interrupted_run_goes_on() {
    let folder = folder();
    let ended = folder.with_model(SILENCE);
    assert!(
        ended
            .stdout
            .contains("silencing a language's units harms that language most in")
            && ended.stdout.contains("left out: en"),
        "{}",
        ended.stdout
    );
    let rows = folder.read("silence/matrix.csv");
    assert!(rows.starts_with("silenced,evaluated,units,nll_change,perplexity_change,random_nll_change,random_draws\n"));
    assert_eq!(rows.lines().count(), 1 + 9);
    assert!(folder.read("silence/matrix.svg").starts_with("<svg"));
    assert_eq!(
        folder.json("silence/dominance.json")["verdicts"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Some unit was silenced, and it mattered.
    let matrix = folder.json("silence/matrix.json");
    let changes: Vec<f64> = serde_json::from_value::<Vec<Vec<f64>>>(matrix["nll"].clone())
        .unwrap()
        .concat();
    assert!(changes.iter().any(|change| change.abs() > 1e-3), "{changes:?}");

    // As after an interruption: the last rows are missing.
    let (losses, written) = (folder.read("silence/losses.json"), folder.read("silence/matrix.csv"));
    let mut stored: serde_json::Value = serde_json::from_str(&losses).unwrap();
    let rows = stored["rows"].as_array_mut().unwrap();
    assert_eq!(rows.len(), 1 + 3 + 3);
    rows.truncate(3);
    folder.write("silence/losses.json", stored.to_string());
    let again = folder.with_model(SILENCE);
    assert!(
        again.stderr.contains("going on: 3 of 7 rows are measured"),
        "{}",
        again.stderr
    );
    assert_eq!(again.stdout, ended.stdout);
    assert_eq!(folder.read("silence/matrix.csv"), written);

    let message = folder.wrong(&model(&format!("{SILENCE} --seed 9")));
    assert!(
        message.contains("`silence/losses.json` holds losses of another model") && message.contains("--again"),
        "{message}"
    );
}

#[test]
fn silencing_nothing_changes_nothing_to_the_last_bit() {
    let folder = folder();
    // No unit belongs to English alone among so few tokens of a selection so small.
    folder.good(&format!(
        "identify {} --lambda 0 --top 0.0001 --bar-value 2 --out none",
        counted().path("counts/counts.npy").display()
    ));
    folder.with_model("silence none/units.json texts --tokens 30 --draws 1 --out silence");
    let matrix = folder.json("silence/matrix.json");
    let changes: Vec<f64> = serde_json::from_value::<Vec<Vec<f64>>>(matrix["nll"].clone())
        .unwrap()
        .concat();
    assert_eq!(changes, [0.0; 9]);
    assert_eq!(folder.json("silence/dominance.json")["rows"], 0);
}

#[test]
fn languages_without_units_and_units_of_other_models_are_refused() {
    let folder = folder();
    folder.write(
        "texts/de.txt",
        "Der Fluss entspringt in den Hügeln über der alten Stadt.",
    );
    let message = folder.wrong(&model(SILENCE));
    assert!(
        message.contains("no units of language `de` were identified, only of en, fr, sw"),
        "{message}"
    );
    let text = folder.read("units.json");
    folder.write("units.json", text.replace("\"layers\": 30", "\"layers\": 31"));
    let message = folder.wrong(&model("silence units.json texts --languages en --out other"));
    assert!(
        message.contains("has 31 layers of 1536 units") && message.contains("30 layers"),
        "{message}"
    );
}
