//! JudgeBench, LLMBar, and the own formats.

use crate::*;

fn labels(dataset: &Dataset) -> Vec<Option<Label>> {
    dataset.pairs.iter().map(|pair| pair.label).collect()
}

#[test]
fn judgebench_is_read_with_its_sources_as_datasets() {
    let dataset = read(&fixture("judgebench.jsonl"), BadLines::Stop).unwrap();
    assert_eq!(dataset.format, Format::JudgeBench);
    assert_eq!(
        labels(&dataset),
        [Some(Label::Model1), Some(Label::Model2), Some(Label::Model1)]
    );
    let first = &dataset.pairs[0];
    assert_eq!(first.dataset, "mmlu-pro-physics");
    assert_eq!(first.id.as_deref(), Some("0b8f2f66-6a1e-5d0e-9a3c-1f6f0a4f2c01"));
    assert_eq!(first.response1, " t = sqrt(2h/g) = 2 s, so the answer is B.\n");
}

#[test]
fn llmbar_is_read_from_its_array() {
    let dataset = read(&fixture("llmbar.json"), BadLines::Stop).unwrap();
    assert_eq!(dataset.format, Format::LlmBar);
    assert_eq!(
        labels(&dataset),
        [Some(Label::Model1), Some(Label::Model2), Some(Label::Model2)]
    );
    assert_eq!(indices(&dataset.pairs, |pair| pair.dataset == "llmbar"), [0, 1, 2]);
    assert_eq!(dataset.pairs[2].response2, "Drops drummed on the roof until dawn.\n");
}

#[test]
fn own_json_lines_may_lack_label_dataset_and_id() {
    let dataset = read(&fixture("own.jsonl"), BadLines::Stop).unwrap();
    assert_eq!(dataset.format, Format::Jsonl);
    assert_eq!(
        labels(&dataset),
        [Some(Label::Model1), Some(Label::Model2), None, Some(Label::Tie)]
    );
    let ids: Vec<_> = dataset.pairs.iter().map(|pair| pair.id.as_deref()).collect();
    assert_eq!(ids, [Some("x-1"), Some("17"), None, None]);
    let names: Vec<_> = dataset.pairs.iter().map(|pair| pair.dataset.as_str()).collect();
    assert_eq!(names, ["webgpt", "custom", "custom", "custom"]);
    assert_eq!(
        (dataset.pairs[0].response1.as_str(), dataset.pairs[0].response2.as_str()),
        (" a", "b\r\n")
    );
}

#[test]
fn own_csv_keeps_line_breaks_and_spaces_inside_cells() {
    let dataset = read(&fixture("own.csv"), BadLines::Stop).unwrap();
    assert_eq!(dataset.format, Format::Csv);
    assert_eq!(labels(&dataset), [Some(Label::Model1), Some(Label::Tie), None]);
    let [first, second, third] = &dataset.pairs[..] else {
        panic!("three records")
    };
    assert_eq!(
        (first.query.as_str(), first.response1.as_str()),
        ("one, two", " a\r\nstill a")
    );
    assert_eq!(
        (second.response2.as_str(), second.dataset.as_str(), &second.id),
        ("he said \"b\"", "custom", &None)
    );
    assert_eq!(
        (third.index, third.response1.as_str(), third.id.as_deref()),
        (2, "", Some("17"))
    );
}

#[test]
fn every_documented_spelling_of_a_label_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("labels.csv");
    std::fs::write(
        &path,
        "query,response1,response2,label\nq,a,b,MODEL1\nq,a,b,1\nq,a,b,a\nq,a,b,Model2\nq,a,b,2\nq,a,b,B\nq,a,b,TIE\nq,a,b,Tie\nq,a,b,\n",
    )
    .unwrap();
    let (one, two, tie) = (Some(Label::Model1), Some(Label::Model2), Some(Label::Tie));
    assert_eq!(
        labels(&read(&path, BadLines::Stop).unwrap()),
        [one, one, one, two, two, two, tie, tie, None]
    );
}
