//! `compare`.

use crate::folder::{Folder, counted};

#[test]
fn a_model_compared_with_itself_keeps_every_unit() {
    let folder = Folder::new();
    let counts = counted().path("counts/counts.npy");
    let counts = counts.display();
    let ended = folder.good(&format!("compare {counts} {counts} --trained fr --pivot en --out same"));
    assert!(
        ended.stdout.contains("each with its own lambda and bar"),
        "{}",
        ended.stdout
    );
    assert!(
        ended
            .stdout
            .contains("trained languages (1): +0.0 specific and +0.0 related"),
        "{}",
        ended.stdout
    );
    for kind in ["own", "fixed"] {
        let comparison = folder.json(&format!("same/{kind}/comparison.json"));
        for language in comparison["languages"].as_array().unwrap() {
            assert!(language["set"]["became"].as_array().unwrap().is_empty());
            assert!(language["set"]["ceased"].as_array().unwrap().is_empty());
        }
        for file in [
            "changes.csv",
            "transitions.csv",
            "layers.csv",
            "numbers.csv",
            "overlap.csv",
            "transfer.csv",
        ] {
            assert!(
                folder.read(&format!("same/{kind}/{file}")).lines().count() > 1,
                "{file}"
            );
        }
        assert!(folder.read(&format!("same/{kind}/overlap.svg")).starts_with("<svg"));
    }
}

#[test]
fn halves_of_a_text_differ_and_the_second_can_take_over_the_first_ones_thresholds() {
    let folder = Folder::new();
    let [even, odd] = ["even", "odd"].map(|name| counted().path(&format!("counts/{name}.npy")).display().to_string());
    let ended = folder.good(&format!("compare {even} {odd} --method lape --out halves"));
    assert!(ended.stdout.contains("from / to"), "{}", ended.stdout);
    let changes = folder.read("halves/own/changes.csv");
    assert!(changes.starts_with("language,class,before,after,stayed,became,ceased,kept\n"));
    assert!(changes.lines().any(|row| row.starts_with("sw,set,")));
}

#[test]
fn other_languages_do_not_compare() {
    let folder = Folder::new();
    let counts = counted().path("counts/counts.npy");
    let counts = counts.display();
    let message = folder.wrong(&format!("compare {counts} {counts} --trained de --out same"));
    assert!(
        message.contains("language `de` is not among those counted (en, fr, sw)"),
        "{message}"
    );
    let message = folder.wrong(&format!("compare {counts} nowhere.npy --out same"));
    assert!(message.contains("`nowhere.json`"), "{message}");
}
