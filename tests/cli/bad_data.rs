//! Data that cannot be judged: exit code 2, and the place and the remedy in the message.

use snapbox::str;

use crate::folder::Folder;

const GOOD: &str = r#"{"query":"q","response1":"a","response2":"b","human":"TIE","dataset":"bagel"}"#;

/// A folder with the file `name`.
fn with(name: &str, content: impl AsRef<[u8]>) -> Folder {
    let folder = Folder::new();
    folder.write(name, content);
    folder
}

#[test]
fn a_malformed_line_is_named_with_its_file_and_number() {
    let short = r#"{"query":"q","response1":"a","human":"TIE","dataset":"bagel"}"#;
    with("pairs.json", format!("{GOOD}\n{short}\n"))
        .widedeep("eval pairs.json --network longer --out run")
        .code(2)
        .stdout_eq("")
        .stderr_eq(str![[r#"
error: pairs.json:2: missing field `response2`; present: `query`, `response1`, `human`, `dataset`

"#]]);
    with("pairs.csv", "query,response1,response2,label\nq,a,b,1\nq,a\n")
        .widedeep("eval pairs.csv --network longer --out run")
        .code(2)
        .stdout_eq("")
        .stderr_eq(str![[r#"
error: pairs.csv:3: 2 cells, but the header has 4; quote cells that contain commas or line breaks

"#]]);
    with(
        "pairs.jsonl",
        r#"{"query":"q","response1":"a","response2":"b","label":"x"}"#,
    )
    .widedeep("eval pairs.jsonl --network longer --out run")
    .code(2)
    .stdout_eq("")
    .stderr_eq(str![[r#"
error: pairs.jsonl:1: unknown label `x`; allowed: `model1`, `model2`, `tie`, `1`, `2`, `A`, `B`

"#]]);
}

#[test]
fn malformed_lines_can_be_skipped_and_are_counted_and_shown() {
    let folder = with("pairs.json", format!("{GOOD}\n{{\"query\":\"q\"}}\n{GOOD}\n{{\n"));
    let skipping = folder
        .widedeep("eval pairs.json --network longer --out run --skip-bad")
        .success();
    let skipping = skipping.stderr_eq(str![[r#"
skipped 2 malformed entries:
  pairs.json:2: missing field `response1`; present: `query`
  pairs.json:4: not valid JSON: EOF while parsing an object (column 1)
wrote run/verdicts.csv, run/metrics.json

"#]]);
    skipping.stdout_eq(str![[r#"
2 of 2 pairs of pairs.json judged by the baseline longer
...
 malformed entries skipped in the source           2
...
"#]]);
    assert_eq!(folder.metrics("run")["counts"]["skipped"], 2);
}

#[test]
fn a_file_of_nothing_but_malformed_lines_is_no_data() {
    with("pairs.jsonl", "{}\n{}\n")
        .widedeep("eval pairs.jsonl --format jsonl --network longer --out run --skip-bad")
        .code(2)
        .stderr_eq(str![[r#"
error: all 2 entries of `pairs.jsonl` are malformed; the first: pairs.jsonl:1: missing field `query`; present: nothing; is it really jsonl?

"#]]);
}

#[test]
fn data_that_is_absent_empty_or_of_no_format_is_refused() {
    let folder = with("empty.json", "");
    folder.write("prose.txt", "Once upon a time\n");
    let eval = |data: &str| {
        folder
            .widedeep(&format!("eval {data} --network longer --out run"))
            .code(2)
            .stdout_eq("")
    };
    eval("absent.json").stderr_eq(str![[r#"
error: cannot read `absent.json`: No such file or directory (os error 2)

"#]]);
    eval("empty.json").stderr_eq(str![[r#"
error: `empty.json` is empty: there is no pair in it

"#]]);
    eval("prose.txt").stderr_eq(str![[r#"
error: cannot tell the format of `prose.txt`: [..]; name it with `--format` (`llmeval2`, `faireval`, `judgebench`, `llmbar`, `jsonl`, `csv`)

"#]]);
    eval("demo --format excel").stderr_eq(str![[r#"
error: invalid value 'excel' for '--format <FORMAT>': unknown format `excel`; known: `llmeval2`, `faireval`, `judgebench`, `llmbar`, `jsonl`, `csv`

For more information, try '--help'.

"#]]);
    eval("demo --format csv").stderr_eq(str![[r#"
error: `demo` comes with the program and has no format to choose: leave out `--format`

"#]]);
    assert!(
        !folder.path("run").exists(),
        "nothing is left of a run that did not start"
    );
}

#[test]
fn a_selection_that_leaves_no_pair_is_refused() {
    let folder = Folder::new();
    let eval = |options: &str| {
        folder
            .widedeep(&format!("eval demo --network longer --out run {options}"))
            .code(2)
            .stdout_eq("")
    };
    eval("--sample 0").stderr_eq(str![[r#"
error: no pair is left to judge in `demo`

"#]]);
    eval("--limit 0").stderr_eq(str![[r#"
error: no pair is left to judge in `demo`

"#]]);
    eval("--dataset webgtp").stderr_eq(str![[r#"
error: no pair belongs to dataset `webgtp`; present: `bagel`, `code-contests`, [..] `webgpt`

"#]]);
}

#[test]
fn a_taxonomy_that_cannot_be_used_is_refused_with_the_line() {
    let folder = with(
        "mine.toml",
        "default_family = \"qa\"\n\n[datasets.law]\nfamliy = \"qa\"\n",
    );
    let eval = |options: &str| {
        folder
            .widedeep(&format!("eval demo --network longer --out run {options}"))
            .code(2)
            .stdout_eq("")
    };
    eval("--taxonomy mine.toml").stderr_eq(str![[r#"
error: mine.toml:4: unknown field `famliy`, expected one of `family`, `task_type`, `abilities`; the file is no taxonomy, whose form is that of `prompts/taxonomy.toml`

"#]]);
    eval("--taxonomy absent.toml").stderr_eq(str![[r#"
error: cannot read the taxonomy `absent.toml`: No such file or directory (os error 2)

"#]]);
}
