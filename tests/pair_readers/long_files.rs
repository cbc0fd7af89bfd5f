//! Files that are read in many pieces: where a piece ends must make no difference.

use std::fmt::Write as _;

use super::*;

/// Texts of many lengths, with what separates and quotes in every format.
fn text(i: usize) -> String {
    let odd = ["\"", "]}", "\\", ",", "{[", "\\\"", "é", "𝄞"][i % 8];
    format!(
        "{} {odd} {}",
        "lorem ".repeat(i * 7 % 61),
        "ipsum, ".repeat(i * 13 % 47)
    )
}

fn pairs(n: usize, multiline: bool) -> Vec<Pair> {
    let line_end = if multiline { "\n" } else { " " };
    (0..n)
        .map(|index| Pair {
            index,
            id: None,
            query: text(index),
            response1: format!("{}{line_end}{line_end}{}", text(index + 1), text(index + 2)),
            response2: text(index * 3),
            label: Some(Label::Model1),
            dataset: "long".to_owned(),
        })
        .collect()
}

fn write(name: &str, content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

/// Whole, with a bad entry behind its end, and with that entry skipped.
fn check(name: &str, content: &str, bad: &str, end: &str, expected: &[Pair]) {
    assert!(content.len() > 500_000, "{} bytes are few pieces", content.len());
    let (_folder, path) = write(name, &format!("{content}{end}"));
    assert!(read(&path, BadLines::Stop).unwrap().pairs == expected, "{name}");

    let whole = format!("{content}{bad}{end}");
    let (_folder, path) = write(name, &whole);
    let dataset = read(&path, BadLines::Skip).unwrap();
    assert!(dataset.pairs == expected, "{name}");
    let place = whole.rfind("nonsense").unwrap();
    let line = whole[..place].matches('\n').count() + 1;
    assert_eq!(dataset.skipped[0].line, line, "{name}");
    assert_eq!(
        dataset.blake3,
        blake3::hash(&std::fs::read(&path).unwrap()).to_hex().to_string()
    );
    let error = read(&path, BadLines::Stop).unwrap_err();
    assert!(error.to_string().contains(&format!("{name}:{line}: ")), "{error}");
}

#[test]
fn json_lines_of_any_length_are_read_whole() {
    let pairs = pairs(1500, true);
    let mut content = "\u{feff}".to_owned();
    for (i, pair) in pairs.iter().enumerate() {
        let row = serde_json::json!({
            "query": pair.query, "response1": pair.response1, "response2": pair.response2, "human": "model1", "dataset": "long",
        });
        content += &row.to_string();
        content += ["\n", "\r\n"][i % 2];
    }
    check("pairs.jsonl", &content, "{\"nonsense\":1}\n", "", &pairs);
}

#[test]
fn csv_records_of_any_length_and_many_lines_are_read_whole() {
    let pairs = pairs(1500, true);
    let mut content = "response2,query,label,dataset,response1\n\n".to_owned();
    for (i, pair) in pairs.iter().enumerate() {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let (query, one, two) = (quoted(&pair.query), quoted(&pair.response1), quoted(&pair.response2));
        write!(
            content,
            "{two},{query},1,long,{one}{}",
            ["\n", "\r\n", "\n\n\r\n"][i % 3]
        )
        .unwrap();
    }
    check("pairs.csv", &content, "nonsense,,,\n", "", &pairs);
    check("pairs.csv", &content, "a,b,1,long,\"nonsense", "", &pairs);
}

#[test]
fn items_of_an_array_of_any_length_are_read_whole() {
    let mut pairs = pairs(1500, true);
    let mut items = Vec::new();
    for pair in &mut pairs {
        pair.dataset = "llmbar".to_owned();
        let item = serde_json::json!({
            "input": pair.query, "output_1": pair.response1, "output_2": pair.response2, "label": 1,
            "more": {"nested": [1, "]", {"a": "}"}]},
        });
        items.push(serde_json::to_string_pretty(&item).unwrap());
    }
    let content = format!("[\n{}", items.join("\n ,\n"));
    check("pairs.json", &content, ",\n\"nonsense\"", "\n]\n", &pairs);
}

#[cfg(unix)]
#[test]
fn a_pipe_gives_its_bytes_once_and_is_read_nevertheless() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let writer = std::thread::spawn({
        let path = path.clone();
        move || std::fs::write(path, "query,response1,response2\na,b,c\nd,e,f\n").unwrap()
    });
    let survey = pair::Survey::of(&Source { path, format: None }, BadLines::Stop).unwrap();
    writer.join().unwrap();
    for _ in 0..2 {
        let queries: Vec<String> = survey.pairs().unwrap().map(|pair| pair.unwrap().query).collect();
        assert_eq!(queries, ["a", "d"]);
    }
}
