//! What a comparison leaves on disk.

use widedeep::agreement::Share;
use widedeep::report::compare::{Terms, compare, export_comparison, runs_in};
use widedeep::run::Baseline;

use crate::cost::spend;
use crate::stored::{ONE, TWO, baseline, compared, folders, free_machine, judged};

#[test]
fn every_table_is_a_file_with_a_row_for_everything() {
    let (longer, one, two) = (
        baseline(Baseline::Longer),
        judged("one", 0, ONE),
        judged("a<b>&c$d$", 0, TWO),
    );
    spend(&one, 100);
    let terms = Terms {
        tariff: free_machine(),
        hand_over: Some(Share::new(0.5).unwrap()),
        ..Terms::default()
    };
    let found = compare(&folders(&[&longer, &one, &two]), &terms).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let written = export_comparison(&found, folder.path()).unwrap();
    let rows = |name: &str| {
        let mut reader = csv::Reader::from_path(folder.path().join(name)).unwrap();
        reader.records().map(Result::unwrap).count()
    };
    assert_eq!(rows("compare.csv"), 3);
    assert_eq!(rows("pairs.csv"), 3 * 3);
    assert_eq!(rows("pareto.csv"), 3);
    assert_eq!(rows("hand-over.csv"), 2 * 6);
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&written.json).unwrap()).unwrap();
    assert_eq!(json["configurations"].as_array().unwrap().len(), 3);
    let svg = std::fs::read_to_string(written.plot.unwrap()).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("longer (free)"), "what costs nothing is a line");
    assert!(svg.contains("a&lt;b&gt;&amp;c$d$@tiny"), "names are text, not markup");
}

#[test]
fn comparing_changes_nothing_in_the_runs() {
    let run = judged("one", 0, ONE);
    let before = run.store.judged().unwrap();
    compared(&[&run]);
    assert_eq!(run.store.judged().unwrap(), before);
}

#[test]
fn a_folder_of_runs_stands_for_them_and_one_without_is_told() {
    let parent = tempfile::tempdir().unwrap();
    assert!(
        runs_in(parent.path())
            .unwrap_err()
            .to_string()
            .contains("there is no run in")
    );
    let run = judged("one", 0, ONE);
    let inside = parent.path().join("one");
    std::fs::create_dir(&inside).unwrap();
    std::fs::copy(run.path().join("run.sqlite"), inside.join("run.sqlite")).unwrap();
    assert_eq!(runs_in(parent.path()).unwrap(), std::slice::from_ref(&inside));
    assert_eq!(runs_in(&inside).unwrap(), [inside]);
}
