//! The files beside the store.

use serde_json::Value;
use widedeep::pair::Label::{Model1, Tie};
use widedeep::report::{ExportError, Reaggregate, export, recompute};
use widedeep::run::Baseline;

use super::runs::{Run, examples, pair};
use super::summary::with_gaps;

fn exported(run: &Run) -> widedeep::report::Written {
    export(&run.store, run.path(), &run.metrics()).unwrap()
}

#[test]
fn verdicts_are_a_table_with_one_row_per_finished_pair() {
    let run = with_gaps();
    let text = std::fs::read_to_string(exported(&run).verdicts).unwrap();
    insta::assert_snapshot!(text, @r#"
    index,id,dataset,label,verdict,score1,score2,n_opinions,missing,n_roles,roles,correct,stopped
    0,q0,mine,model1,model1,7.2,6.8,8,3,2,Accuracy | Clarity,true,
    1,q1,mine,model1,,,,4,4,1,Accuracy,,
    2,q2,"notes, ""quoted""",model2,tie,7.083333,7.041667,12,0,3,Accuracy | Clarity | Depth,false,
    3,q3,mine,,tie,7.375,7.375,8,0,2,Accuracy | Clarity,,
    "#);
}

#[test]
fn a_baseline_has_verdicts_without_scores_and_no_opinions() {
    let run = Run::baseline(Baseline::Longer, &[pair(0, "shp", Some(Tie), [2, 1])]);
    let written = exported(&run);
    assert_eq!(written.opinions, None);
    let text = std::fs::read_to_string(written.verdicts).unwrap();
    assert_eq!(text.lines().nth(1), Some("0,q0,shp,tie,model1,,,,,,,false,"));
}

#[test]
fn a_run_without_a_finished_pair_has_a_header_only() {
    let config = super::runs::by_network(super::runs::network(&[]));
    let run = Run::start(&config, &[pair(0, "shp", None, [1, 1])]);
    let written = exported(&run);
    let text = std::fs::read_to_string(written.verdicts).unwrap();
    assert_eq!(
        text,
        "index,id,dataset,label,verdict,score1,score2,n_opinions,missing,n_roles,roles,correct,stopped\n"
    );
    assert_eq!(std::fs::read_to_string(written.opinions.unwrap()).unwrap(), "");
}

#[test]
fn every_opinion_comes_with_its_prompt_and_its_reply() {
    let run = with_gaps();
    let text = std::fs::read_to_string(exported(&run).opinions.unwrap()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count();
    assert_eq!((of("roles"), of("opinion")), (4, 8 + 4 + 12 + 8));

    let roles = &lines[0];
    assert_eq!((&roles["kind"], &roles["pair"]), (&"roles".into(), &0.into()));
    assert_eq!(roles["roles"], serde_json::json!(["Accuracy", "Clarity"]));
    assert_eq!((&roles["attempts"], &roles["fallback"]), (&1.into(), &true.into()));
    assert_eq!(roles["reply"], "$Accuracy&\n$Clarity&");
    assert_eq!(roles["prompt"][1]["content"], "which angles matter? (pair 0)");

    let first = &lines[1];
    assert_eq!(
        (&first["layer"], &first["neuron"], &first["order"]),
        (&0.into(), &0.into(), &"12".into())
    );
    assert_eq!(
        (&first["dataset"], &first["role"]),
        (&"mine".into(), &"Accuracy".into())
    );
    assert_eq!(first["scores"], serde_json::json!({"score1": 8, "score2": 6}));
    assert_eq!(
        first["prompt"][0],
        serde_json::json!({"speaker": "system", "content": "You judge."})
    );
    assert_eq!(first["prompt"][1]["speaker"], "user");
    assert!(first["reply"].as_str().unwrap().starts_with("well: judge pair 0"));

    let unreadable = &lines[2];
    assert_eq!(unreadable["missing"]["stage"], "reply");
    assert_eq!(unreadable["reply"], "I would rather not say.");
    let too_long = &lines[3];
    assert_eq!(too_long["missing"]["error"]["why"], "too-long");
    assert!(too_long["prompt"].is_null() && too_long["reply"].is_null());
}

#[test]
fn metrics_are_written_as_they_are() {
    let run = examples([Tie, Tie, Model1]);
    let written = exported(&run);
    let text = std::fs::read_to_string(written.metrics).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json, serde_json::to_value(run.metrics()).unwrap());
    assert!(text.starts_with("{\n  \"run\": {\n"), "{text}");
    assert_eq!(json["run"]["models"], serde_json::json!(["tiny"]));
    assert_eq!(
        json["overall"]["confusion"],
        serde_json::json!([[1, 0, 0], [0, 0, 0], [0, 1, 1]])
    );
    assert_eq!(json["grid"]["chosen"], "mean/all/argmax");
    assert_eq!(json["grid"]["cells"][0]["score"]["n"], 3);
    assert!(json["grid"]["cells"][1]["score"].is_null());
    assert_eq!(json["counts"]["missing"], serde_json::json!({"prompt too long": 1}));
    assert_eq!(json["position"]["reading"], "argmax");
    assert_eq!(json["position"]["conflicting"], 9);
    assert_eq!(json["discussion"]["changed"], 2);
    assert_eq!(json["roles"]["mean_width"], 7.0 / 3.0);
    assert_eq!(json["stages"]["stages"][0]["stage"], "roles");
    assert_eq!(json["stages"]["stages"][0]["per_pair"]["prompt_tokens"], 100.0);
    assert_eq!(json["bootstrap"]["seed"], 7);
}

#[test]
fn files_of_an_earlier_export_are_replaced_and_nothing_else_is_left() {
    let run = examples([Tie, Tie, Model1]);
    let written = exported(&run);
    std::fs::write(&written.verdicts, "old").unwrap();
    assert_eq!(exported(&run), written);
    assert!(
        std::fs::read_to_string(&written.verdicts)
            .unwrap()
            .starts_with("index,")
    );
    let left: Vec<_> = std::fs::read_dir(run.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("run."))
        .collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn verdicts_agree_with_the_metrics_where_a_run_is_decided_again() {
    let run = examples([Tie, Tie, Model1]);
    let again = Reaggregate {
        cell: Some("vote-call/all/argmax".parse().unwrap()),
        tie_margin: None,
    };
    let found = recompute(run.path(), &widedeep::pair::Taxonomy::embedded(), again).unwrap();
    let written = export(&found.store, run.path(), &found.metrics).unwrap();
    let mut table = csv::Reader::from_path(written.verdicts).unwrap();
    let verdicts: Vec<String> = table.records().map(|row| row.unwrap()[4].to_owned()).collect();
    assert_eq!(verdicts, ["model1", "tie", "model2"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let run = examples([Tie, Tie, Tie]);
    let absent = run.path().join("absent");
    let error = export(&run.store, &absent, &run.metrics()).unwrap_err();
    assert!(matches!(error, ExportError::Write { .. }));
    let message = error.to_string();
    assert!(
        message.starts_with("failed to write `") && message.contains("absent/verdicts.csv`"),
        "{message}"
    );
}
