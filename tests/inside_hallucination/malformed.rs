//! Files that cannot be read are refused with the line that is at fault.

use widedeep::inside::hallucination::questions::{self, official};

use crate::data::written;

fn refusal(name: &str, text: &[u8]) -> String {
    let (folder, path) = written(name, text);
    let error = questions::read(&path).unwrap_err().to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn the_line_at_fault_is_named() {
    let good = r#"{"question": "Q", "answers": ["A"]}"#;
    let cases = [
        (
            format!("{good}\n{{\"question\": \"Q\"}}\n"),
            "set.jsonl:2: no known set has the fields `question`",
        ),
        (
            format!("{good}\n\n{{\"question\": \"Q\", \"answers\": []}}"),
            "set.jsonl:3: `answers` names no answer",
        ),
        (
            format!("{good}\n{{\"question\": \"Q\", \"answers\": [1]}}"),
            "set.jsonl:2: `answers` holds a number",
        ),
        (
            format!("{good}\n{{\"question\": 3, \"answers\": [\"A\"]}}"),
            "set.jsonl:2: `question` is a number",
        ),
        (
            format!("{good}\n{{\"question\": \" \", \"answers\": [\"A\"]}}"),
            "set.jsonl:2: `question` is blank",
        ),
        (format!("{good}\n{{\"question\""), "set.jsonl:2: no valid JSON"),
        (
            format!("{good}\n7"),
            "set.jsonl:2: expected a JSON object, found a number",
        ),
        (
            format!("[\n{good},\n{{\"question\": \"[\\\"]\",\n \"answers\": 5}}]"),
            "set.jsonl:3: `answers` holds a number",
        ),
        (
            format!("[\n{good},\n{{\"question\""),
            "set.jsonl:3: the array is not closed",
        ),
    ];
    for (text, expected) in cases {
        let found = refusal("set.jsonl", text.as_bytes());
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn tables_and_trivia_name_their_lines_too() {
    let found = refusal("set.csv", b"question,answer,label\n\"a\nb\",c,1\nd,e,2\n");
    assert!(found.starts_with("set.csv:4: `label` is `2`"), "{found}");
    let found = refusal("set.csv", b"a,b\n1,2\n");
    assert!(
        found.contains("no known format of questions (its columns are a, b)"),
        "{found}"
    );
    let found = refusal("set.csv", b"question,answer\na,b,c\n");
    assert!(found.starts_with("set.csv:2: no valid CSV"), "{found}");
    let found = refusal("set.txt", b"#Q What?\n^ This\nA This\nB That\n\n#Q And?\nA x\n");
    assert!(found.starts_with("set.txt:6: the question has no answer"), "{found}");
    let found = refusal("set.txt", b"Once upon a time");
    assert!(found.contains("it begins with \"Once upon a time\""), "{found}");
    assert!(refusal("set.jsonl", b"[]").contains("holds no question"));
}

#[test]
fn official_files_with_mistakes_are_refused() {
    let (_folder, path) = written(
        "s.jsonl",
        b"{\"a\": {\"question\": \"Q\", \"responses\": [\"x\"], \"judges\": [\"maybe\"]}}\n",
    );
    let error = official::read_sampled(&path).unwrap_err().to_string();
    assert!(error.contains("s.jsonl:1: `judges` holds `maybe`"), "{error}");
    let (_folder, path) = written(
        "s.jsonl",
        b"{\"a\": {\"question\": \"Q\", \"responses\": [\"x\"], \"judges\": []}}\n{\"id\": 3}\n",
    );
    let error = official::read_sampled(&path).unwrap_err().to_string();
    assert!(error.contains("s.jsonl:2: expected one id with an object"), "{error}");
    let (_folder, path) = written("ids.json", b"{\"t\": [\"a\"], \"f\": [\"b\", \"a\"]}");
    let error = official::read_ids(&path).unwrap_err().to_string();
    assert!(error.contains("`a` is in both lists"), "{error}");
}

#[test]
fn bytes_that_are_no_utf8_are_read_as_latin_1() {
    let (_folder, path) = written(
        "set.txt",
        b"#Q O\xf9 est-ce?\r\n^ Caf\xc3\xa9\r\nA Caf\xc3\xa9\r\nB Bar\r\n",
    );
    let questions = questions::read(&path).unwrap();
    assert_eq!(questions[0].text, "Où est-ce?");
    assert_eq!(questions[0].golds, ["Café"]);
}
