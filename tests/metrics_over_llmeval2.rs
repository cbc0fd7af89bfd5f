//! The metrics over the published benchmarks: trivial predictors have known scores (spec sections 10.4 and 11.3), and any mistake in
//! a metric shows in one of them. `tests/reference/metrics.py` prints the same values with scikit-learn.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{fs, iter::zip};

use serde_json::Value;
use widedeep::{
    agreement::{Bootstrap, Confusion, Summary, by_group},
    pair::Label,
};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/");

fn read(file: &str) -> String {
    let path = format!("{DATA}{file}");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("this test needs the benchmark file `{path}`: {error}"))
}

fn json_lines(file: &str) -> Vec<Value> {
    read(file)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

struct Row {
    dataset: String,
    gold: Label,
    response1: String,
    response2: String,
}

fn llmeval2() -> Vec<Row> {
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let row = |row: &Value| Row {
        dataset: text(row, "dataset"),
        gold: match row["human"].as_str().unwrap() {
            "model1" => Label::Model1,
            "model2" => Label::Model2,
            "TIE" => Label::Tie,
            other => panic!("no label: {other}"),
        },
        response1: text(row, "response1"),
        response2: text(row, "response2"),
    };
    json_lines("llmeval2/LLMEval2_benchmark.json").iter().map(row).collect()
}

fn faireval() -> Vec<Row> {
    let answers = |model: &str| json_lines(&format!("faireval/answer_{model}.jsonl"));
    let text = |row: &Value| row["text"].as_str().unwrap().to_owned();
    let gold = read("faireval/review_gpt35_vicuna-13b_human.txt");
    zip(gold.lines(), zip(answers("gpt35"), answers("vicuna-13b")))
        .map(|(gold, (gpt35, vicuna))| Row {
            dataset: "faireval".to_owned(),
            gold: match gold {
                "CHATGPT" => Label::Model1,
                "VICUNA13B" => Label::Model2,
                "TIE" => Label::Tie,
                other => panic!("no label: {other}"),
            },
            response1: text(&gpt35),
            response2: text(&vicuna),
        })
        .collect()
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

fn longer(row: &Row, size: fn(&str) -> usize, margin: usize) -> Label {
    let (size1, size2) = (size(&row.response1), size(&row.response2));
    if size1.abs_diff(size2) <= margin {
        Label::Tie
    } else if size1 > size2 {
        Label::Model1
    } else {
        Label::Model2
    }
}

fn longer_by_chars(row: &Row) -> Label {
    longer(row, chars, 0)
}

fn summary(rows: &[Row], predict: impl Fn(&Row) -> Label) -> Summary {
    Summary::of(rows.iter().map(|row| (row.gold, predict(row))), Bootstrap::default()).unwrap()
}

#[track_caller]
fn assert_near(actual: f64, expected: f64, digits: i32, what: &str) {
    assert!(
        (actual - expected).abs() < 0.51 * 10_f64.powi(-digits),
        "{what}: {actual} is not {expected}"
    );
}

/// Accuracy, macro-F1 over all three classes, and kappa, to six digits.
#[track_caller]
fn assert_summary(found: &Summary, [accuracy, macro_f1, kappa]: [f64; 3], what: &str) {
    assert_near(found.accuracy, accuracy, 6, &format!("{what}, accuracy"));
    assert_near(found.macro_f1_all, macro_f1, 6, &format!("{what}, macro-F1"));
    assert_near(found.kappa.unwrap(), kappa, 6, &format!("{what}, kappa"));
}

#[test]
fn trivial_predictors_over_llmeval2_have_their_known_scores() {
    let rows = llmeval2();
    assert_eq!(rows.len(), 2553);
    let scores = |predict: &dyn Fn(&Row) -> Label| summary(&rows, predict);

    assert_summary(
        &scores(&|_| Label::Model1),
        [0.411_281, 0.194_283, 0.0],
        "always model1",
    );
    assert_summary(
        &scores(&|_| Label::Model2),
        [0.399_922, 0.190_450, 0.0],
        "always model2",
    );
    assert_summary(&scores(&|_| Label::Tie), [0.188_797, 0.105_876, 0.0], "always TIE");
    assert_summary(
        &scores(&longer_by_chars),
        [0.450_842, 0.337_302, 0.078_481],
        "longer, characters",
    );
    assert_summary(
        &scores(&|row| longer(row, str::len, 0)),
        [0.451_234, 0.337_592, 0.079_132],
        "longer, bytes",
    );
    assert_summary(
        &scores(&|row| longer_by_chars(row).swapped()),
        [0.358_402, 0.268_926, -0.076_944],
        "shorter",
    );
    assert_summary(
        &scores(&|row| longer(row, chars, 20)),
        [0.416_765, 0.377_942, 0.080_678],
        "margin of 20",
    );
}

#[test]
fn confusions_over_llmeval2_are_the_known_ones() {
    let rows = llmeval2();
    let by_chars = Confusion::from_counts([[572, 471, 7], [440, 575, 6], [237, 241, 4]]);
    assert_eq!(summary(&rows, longer_by_chars).confusion, by_chars);
    let with_margin = Confusion::from_counts([[484, 371, 195], [357, 484, 180], [195, 191, 96]]);
    assert_eq!(summary(&rows, |row| longer(row, chars, 20)).confusion, with_margin);
}

#[test]
fn characters_and_bytes_disagree_on_five_rows_only() {
    let differs = |(index, row): (usize, &Row)| (longer_by_chars(row) != longer(row, str::len, 0)).then_some(index);
    let rows: Vec<usize> = llmeval2().iter().enumerate().filter_map(differs).collect();
    assert_eq!(rows, [129, 148, 233, 1239, 2523]);
}

#[test]
fn without_ties_llmeval2_has_2071_rows_and_over_all_rows_both_macro_f1_coincide() {
    let found = summary(&llmeval2(), longer_by_chars);
    assert_eq!(found.n_without_tie, 2071);
    assert_near(
        found.accuracy_without_tie.unwrap(),
        (572.0 + 575.0) / 2071.0,
        12,
        "accuracy without ties",
    );
    assert_near(found.macro_f1_present, found.macro_f1_all, 12, "macro-F1");
    assert_near(found.tie_rate, 17.0 / 2553.0, 12, "tie rate");
}

#[test]
fn the_longer_response_per_dataset_has_its_known_accuracy_and_kappa() {
    let rows = llmeval2();
    let groups = by_group(
        rows.iter()
            .map(|row| (row.dataset.as_str(), row.gold, longer_by_chars(row))),
        Bootstrap::default(),
    );
    let expected = [
        ("bagel", 175, 0.4171, -0.0531),
        ("code-contests", 45, 0.5111, 0.0407),
        ("eli5", 149, 0.5101, 0.0168),
        ("hellaswag", 160, 0.4625, -0.0681),
        ("hh-rlhf", 140, 0.5929, 0.1907),
        ("mt-bench", 275, 0.3745, 0.1537),
        ("openmeva", 245, 0.2245, -0.0380),
        ("pku-saferlhf", 160, 0.4500, -0.0932),
        ("reward-aira-portuguese", 160, 0.5875, 0.1750),
        ("rlhf-reward-chinese", 160, 0.6000, 0.2000),
        ("rlhf-reward-russian", 160, 0.5938, 0.1980),
        ("shp", 160, 0.5938, 0.1925),
        ("summarizefeedback", 282, 0.3369, 0.0736),
        ("summeval", 91, 0.3956, 0.1207),
        ("webgpt", 191, 0.4241, 0.0999),
    ];
    assert_eq!(groups.len(), expected.len());
    for ((name, found), (dataset, n, accuracy, kappa)) in zip(&groups, expected) {
        assert_eq!((name.as_str(), found.n), (dataset, n));
        assert_near(found.accuracy, accuracy, 4, dataset);
        assert_near(found.kappa.unwrap(), kappa, 4, dataset);
    }
}

#[test]
fn trivial_predictors_over_faireval_have_their_known_scores() {
    let rows = faireval();
    let labels = Label::ALL.map(|label| rows.iter().filter(|row| row.gold == label).count());
    assert_eq!(labels, [41, 25, 14]);

    assert_summary(
        &summary(&rows, |_| Label::Model1),
        [0.5125, 0.225_895, 0.0],
        "always CHATGPT",
    );
    let longer = summary(&rows, longer_by_chars);
    assert_summary(&longer, [0.4875, 0.354_583, 0.192_913], "longer");
    assert_eq!(longer.confusion.predicted(Label::Model2), 59);
}

#[test]
fn at_accuracy_060_the_intervals_are_as_wide_as_published() {
    // Spec section 8: ±1.9 points for N = 2,553 and ±10.7 for N = 80.
    let half_width = |agreed, n: u64| {
        let confusion = Confusion::from_counts([[agreed, n - agreed, 0], [0; 3], [0; 3]]);
        let interval = Summary::of_counts(confusion, Bootstrap::default())
            .unwrap()
            .accuracy_wilson
            .unwrap();
        (interval.high - interval.low) / 2.0
    };
    assert!((half_width(1532, 2553) - 0.019).abs() < 0.0005);
    assert!((half_width(48, 80) - 0.107).abs() < 0.003);
}
