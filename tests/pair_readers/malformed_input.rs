//! What is said about input that cannot be read.

use crate::*;

/// The message for a file of this content, without the directory.
fn message(name: &str, format: Option<Format>, content: impl AsRef<[u8]>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, content).unwrap();
    let error = pair::read(&Source { path, format }, BadLines::Stop).unwrap_err();
    error.to_string().replace(&format!("{}/", dir.path().display()), "")
}

#[test]
fn llmeval2_lines_are_reported_with_file_line_and_fault() {
    let good = r#"{"query":"q","response1":"a","response2":"b","human":"TIE","dataset":"d"}"#;
    let said = |line: &str| {
        message(
            "pairs.json",
            Some(Format::Llmeval2),
            format!("\u{feff}{good}\r\n\r\n{line}\r\n{good}"),
        )
    };
    insta::assert_snapshot!(said(r#"{"query":"q","response1":"a","human":"TIE","dataset":"d"}"#), @"pairs.json:3: missing field `response2`; present: `query`, `response1`, `human`, `dataset`");
    insta::assert_snapshot!(said(r#"{"query":"q","response1":"a","response2":"b","human":"tie","dataset":"d"}"#), @"pairs.json:3: unknown label `tie`; allowed: `model1`, `model2`, `TIE`");
    insta::assert_snapshot!(said(r#"{"query":3,"response1":"a","response2":"b","human":"TIE","dataset":"d"}"#), @"pairs.json:3: field `query` is a number, expected a string");
    insta::assert_snapshot!(said(r#"{"query":null,"response1":"a","response2":"b","human":"TIE","dataset":"d"}"#), @"pairs.json:3: field `query` is null, expected a string");
    insta::assert_snapshot!(said(r#"{"query":"q","response1":"a","response2":"b","human":"TIE","dataset":"d","id":"1"}"#), @"pairs.json:3: unexpected field `id`; a line of llmeval2 has exactly `query`, `response1`, `response2`, `human`, `dataset`; for files with more use `--format jsonl`");
    insta::assert_snapshot!(said(r#"{"query":"q","query":"r","response1":"a","response2":"b","human":"TIE","dataset":"d"}"#), @"pairs.json:3: field `query` occurs twice");
    insta::assert_snapshot!(said(r#"{"query":"q","response1":"a"#), @"pairs.json:3: not valid JSON: EOF while parsing a string (column 27)");
    insta::assert_snapshot!(said(r#"["q","a","b"]"#), @"pairs.json:3: expected a JSON object, found an array");
    insta::assert_snapshot!(said(&format!("{good} {good}")), @"pairs.json:3: not valid JSON: trailing characters (column 75)");
}

#[test]
fn bytes_that_are_not_utf8_are_located() {
    let line = b"{\"query\":\"caf\xE9\"}\n";
    insta::assert_snapshot!(message("a.jsonl", Some(Format::Jsonl), line), @"a.jsonl:1: invalid UTF-8 at byte 14 of the text; save the file as UTF-8");
    let csv = b"query,response1,response2\nq,a,b\nq,\"a\n\xE9\",b\n";
    insta::assert_snapshot!(message("a.csv", None, csv), @"a.csv:3: invalid UTF-8 at byte 3 of the text; save the file as UTF-8");
    let array = b"[{\"input\":\"\",\n\"output_1\":\"\xE9\",\"output_2\":\"\",\"label\":1}]";
    insta::assert_snapshot!(message("a.json", Some(Format::LlmBar), array), @"a.json:1: invalid UTF-8 at byte 26 of the text; save the file as UTF-8");
}

#[test]
fn an_empty_file_says_so() {
    insta::assert_snapshot!(message("a.json", Some(Format::Llmeval2), "\u{feff}\n \n"), @"`a.json` is empty: there is no pair in it");
    insta::assert_snapshot!(message("a.csv", None, "query,response1,response2\n"), @"`a.csv` is empty: there is no pair in it");
    insta::assert_snapshot!(message("a.json", Some(Format::LlmBar), " [ ] "), @"`a.json` is empty: there is no pair in it");
}

#[test]
fn a_path_that_does_not_exist_is_named() {
    let error = read(Path::new("no/such.jsonl"), BadLines::Stop).unwrap_err();
    assert_eq!(error.to_string(), "cannot read `no/such.jsonl`");
    let source = Source {
        path: "Cargo.toml".into(),
        format: Some(Format::FairEval),
    };
    let error = pair::read(&source, BadLines::Stop).unwrap_err();
    insta::assert_snapshot!(error, @"`Cargo.toml` is not a FairEval directory: it is a file; give the directory that holds `question.jsonl`");
    let error = faireval::Files::in_dir(Path::new("no/such")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read `no/such`");
}

#[test]
fn judgebench_lines_are_reported_with_file_line_and_fault() {
    let text = std::fs::read_to_string(fixture("judgebench.jsonl")).unwrap();
    insta::assert_snapshot!(message("jb.jsonl", None, text.replace("B>A", "A=B")), @"jb.jsonl:2: unknown label `A=B`; allowed: `A>B`, `B>A`");
    insta::assert_snapshot!(message("jb.jsonl", None, text.replacen("\"response_B\": \"Cy.\", ", "", 1)), @"jb.jsonl:2: missing field `response_B`; present: `pair_id`, `original_id`, `source`, `question`, `response_model`, `response_A`, `label`");
}

#[test]
fn llmbar_items_are_reported_on_the_line_where_they_start() {
    let text = std::fs::read_to_string(fixture("llmbar.json")).unwrap();
    let said = |text: String| message("bar.json", None, text);
    insta::assert_snapshot!(said(text.replacen("\"label\": 2", "\"label\": 0", 1)), @"bar.json:8: unknown label `0`; allowed: `1`, `2`");
    insta::assert_snapshot!(said(text.replacen("\"label\": 2", "\"label\": [2]", 1)), @"bar.json:8: field `label` is an array, expected 1 or 2");
    insta::assert_snapshot!(said(text.replacen("\"output_2\": \"enots\",", "", 1)), @"bar.json:8: missing field `output_2`; present: `input`, `output_1`, `label`");
    insta::assert_snapshot!(said(text.replacen("\"output_2\": \"enots\",", "oops", 1)), @"bar.json:11: not valid JSON: key must be a string (column 5)");
    insta::assert_snapshot!(said(text.replacen("},\n", "}\n", 1)), @"bar.json:8: not valid JSON: expected `,` or `]` after an item (column 3)");
    insta::assert_snapshot!(said(text.trim_end().trim_end_matches(']').to_owned()), @"bar.json:20: not valid JSON: expected `,` or `]` after an item (column 1)");
    insta::assert_snapshot!(said(text.trim_end().trim_end_matches(']').to_owned() + ","), @"bar.json:20: not valid JSON: the array is never closed (column 2)");
    insta::assert_snapshot!(said(text + "[]"), @"bar.json:20: not valid JSON: text behind the array (column 2)");
    insta::assert_snapshot!(message("bar.json", Some(Format::LlmBar), "{}"), @"bar.json:1: not valid JSON: expected `[`, the start of an array of items (column 1)");
    insta::assert_snapshot!(message("bar.json", Some(Format::LlmBar), "[\n1]"), @"bar.json:2: expected a JSON object, found a number");
}

#[test]
fn own_json_lines_are_reported_with_file_line_and_fault() {
    let said = |rest: &str| {
        let line = format!(r#"{{"query":"q","response1":"a","response2":"b"{rest}}}"#);
        message(
            "own.jsonl",
            None,
            format!("{{\"query\":\"\",\"response1\":\"\",\"response2\":\"\"}}\n{line}\n"),
        )
    };
    insta::assert_snapshot!(said(r#","label":"model3""#), @"own.jsonl:2: unknown label `model3`; allowed: `model1`, `model2`, `tie`, `1`, `2`, `A`, `B`");
    insta::assert_snapshot!(said(r#","label":true"#), @"own.jsonl:2: field `label` is a boolean, expected a string, 1 or 2");
    insta::assert_snapshot!(said(r#","label":1.0"#), @"own.jsonl:2: unknown label `1.0`; allowed: `model1`, `model2`, `tie`, `1`, `2`, `A`, `B`");
    insta::assert_snapshot!(said(r#","dataset":7"#), @"own.jsonl:2: field `dataset` is a number, expected a string");
    insta::assert_snapshot!(said(r#","id":[1]"#), @"own.jsonl:2: field `id` is an array, expected a string or an integer");
}

#[test]
fn csv_records_are_reported_on_the_line_where_they_start() {
    let head = "query,response1,response2,label\r\n\"two\r\nlines\",a,b,1\r\n\r\n";
    let said = |rest: &str| message("own.csv", None, format!("\u{feff}{head}{rest}"));
    insta::assert_snapshot!(said("q,a,b,maybe\r\n"), @"own.csv:5: unknown label `maybe`; allowed: `model1`, `model2`, `tie`, `1`, `2`, `A`, `B`");
    insta::assert_snapshot!(said("q,a,b\r\nq,a,b,1\r\n"), @"own.csv:5: 3 cells, but the header has 4; quote cells that contain commas or line breaks");
    insta::assert_snapshot!(said("q,a,b,1\r\nq,\"a,b,1\r\nq,a,b,1\r\n"), @"own.csv:6: a quoted cell that starts here is never closed");
    insta::assert_snapshot!(said("q,a,b,\"1\r\nq,a,b,1\r\n"), @"own.csv:5: a quoted cell that starts here is never closed");
    insta::assert_snapshot!(message("own.csv", None, "query;response1;response2\n1;2;3\n"), @"own.csv:1: missing field `query`; present: `query;response1;response2`");
    insta::assert_snapshot!(message("own.csv", None, "query,response1,response2,query\n1,2,3,4\n"), @"own.csv:1: field `query` occurs twice");
}

#[test]
fn a_last_cell_that_ends_in_a_closed_quote_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("own.csv");
    for last in ["b", "\"b\"", "\"b \"\"c\"\"\"", "5\" pipe", "\"\""] {
        std::fs::write(&path, format!("query,response1,response2\nq,a,{last}")).unwrap();
        assert_eq!(read(&path, BadLines::Stop).unwrap().pairs.len(), 1, "{last}");
    }
}
