//! Reading on past malformed lines.

use crate::*;

fn skipping(name: &str, content: &str) -> Result<Dataset, ReadError> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(name), content).unwrap();
    read(&dir.path().join(name), BadLines::Skip)
}

#[test]
fn bad_lines_are_counted_and_the_others_keep_their_indices() {
    let good = r#"{"query":"q","response1":"a","response2":"b","human":"TIE","dataset":"d"}"#;
    let dataset = skipping("a.json", &format!("oops\n{good}\n\n{{}}\n{good}\n")).unwrap();
    assert_eq!(dataset.format, Format::Llmeval2);
    assert_eq!(indices(&dataset.pairs, |_| true), [1, 4]);
    assert_eq!(dataset.skipped.iter().map(|bad| bad.line).collect::<Vec<_>>(), [1, 4]);
    assert!(
        dataset.skipped[1]
            .to_string()
            .ends_with("a.json:4: missing field `query`; present: nothing")
    );
}

#[test]
fn bad_records_and_items_are_skipped_too() {
    let csv = skipping("a.csv", "query,response1,response2\nq,a\nq,a,b\n").unwrap();
    assert_eq!((indices(&csv.pairs, |_| true), csv.skipped[0].line), (vec![1], 2));
    let array = std::fs::read_to_string(fixture("llmbar.json"))
        .unwrap()
        .replace("\"label\": 1", "\"label\": null");
    let array = skipping("a.json", &array).unwrap();
    assert_eq!(
        (indices(&array.pairs, |_| true), array.skipped[0].line),
        (vec![1, 2], 2)
    );
}

#[test]
fn broken_json_in_an_array_cannot_be_skipped() {
    let array = std::fs::read_to_string(fixture("llmbar.json"))
        .unwrap()
        .replacen("\"label\": 2", "\"label\" 2", 1);
    assert!(matches!(skipping("a.json", &array), Err(ReadError::Malformed(_))));
}

#[test]
fn a_file_of_bad_lines_only_is_an_error() {
    let line = r#"{"query":"q","response1":"a","response2":"b","label":"?"}"#;
    let error = skipping("a.jsonl", &format!("{line}\n{line}\n"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("all 2 entries of `") && error.ends_with("; is it really jsonl?"),
        "{error}"
    );
    assert!(error.contains("a.jsonl:1: unknown label `?`"), "{error}");
}
