//! Networks, overrides and prompts that cannot be used: exit code 2 before any model is loaded.

use snapbox::cmd::OutputAssert;
use snapbox::str;

use crate::folder::Folder;

fn refused(folder: &Folder, options: &str) -> OutputAssert {
    let refused = folder
        .widedeep(&format!("eval demo --out run {options}"))
        .code(2)
        .stdout_eq("");
    assert!(
        !folder.path("run").exists(),
        "nothing is left of a run that did not start"
    );
    refused
}

#[test]
fn an_unknown_network_is_answered_with_those_that_are_known() {
    refused(&Folder::new(), "--network wide").stderr_eq(str![[r#"
error: there is no network `wide`: shipped are widedeep, widedeep-unanimous, widedeep-sequential, widedeep-compat, widedeep-whitebox, faireval, single, jury, baselines are longer, always-model1, and no file has this path

"#]]);
}

#[test]
fn a_network_file_is_reported_with_the_line_of_the_mistake() {
    let folder = Folder::new();
    folder
        .write(
            "typo.toml",
            "name = \"x\"\nsummary = \"y\"\n\n[reply]\nevidence_tokns = 64\n\n[[layers]]\n",
        )
        .write(
            "type.toml",
            "name = \"x\"\nsummary = \"y\"\n[reply]\nevidence_tokens = \"many\"\n[[layers]]\n",
        )
        .write("open.toml", "name = \"x\"\nsummary = \"y\"\n[[layers\n")
        .write("none.toml", "name = \"x\"\nsummary = \"y\"\nlayers = []\n");
    refused(&folder, "--network typo.toml").stderr_eq(str![[r#"
error: typo.toml:5: unknown field `evidence_tokns`, expected one of `form`, `evidence_tokens`, `max_tokens`, `parser`, `attempts`, `failure`, `defects`

"#]]);
    refused(&folder, "--network type.toml").stderr_eq(str![[r#"
error: type.toml:4: invalid type: string "many", expected usize

"#]]);
    refused(&folder, "--network open.toml").stderr_eq(str![[r#"
error: open.toml:3: unclosed array table, expected `]]`

"#]]);
    refused(&folder, "--network none.toml").stderr_eq(str![[r#"
error: none.toml: a network needs at least one layer: add a `[[layers]]` table

"#]]);
}

#[test]
fn an_override_is_checked_like_the_file() {
    let folder = Folder::new();
    refused(&folder, "--set layers=0").stderr_eq(str![[r#"
error: `--set layers=0`: the depth is a whole number from 1 to 16

"#]]);
    refused(&folder, "--set reply.evidence=64").stderr_eq(str![[r#"
error: `--set reply.evidence=64`: unknown field `evidence`, expected one of `form`, `evidence_tokens`, `max_tokens`, `parser`, `attempts`, `failure`, `defects` (in `reply`)

"#]]);
    refused(&folder, "--set reply.evidence_tokens").stderr_eq(str![[r#"
error: `--set reply.evidence_tokens`: write it as `key=value`, for example `reply.evidence_tokens=64`

"#]]);
    refused(&folder, "--set aggregate.cell=mean").stderr_eq(str![[r#"
error: `--set aggregate.cell=mean`: `mean` names no aggregation cell: write method/layers/reading with `mean`, `vote-call` or `vote-neuron`, then `all` or `last`, then `argmax` or `expected`, such as `mean/all/argmax` (in `aggregate.cell`)

"#]]);
    refused(&folder, "--network longer --set layers=2").stderr_eq(str![[r#"
error: `--set layers=2`: the baseline `longer` has nothing to set

"#]]);
}

#[test]
fn a_folder_of_prompts_must_hold_some() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("mine/families")).unwrap();
    folder.write("mine/families/qa.toml", "name = \"qa\"\ncolour = 3\n");
    refused(&folder, "--prompts absent").stderr_eq(str![[r#"
error: nothing to read in `absent`: put prompt files into `families` or `layouts` below it

"#]]);
    refused(&folder, "--prompts home").stderr_eq(str![[r#"
error: nothing to read in `home`: put prompt files into `families` or `layouts` below it

"#]]);
    refused(&folder, "--prompts mine").stderr_eq(str![[r#"
error: cannot read `mine/families/qa.toml:[..]`: [..]

"#]]);
}

#[test]
fn counts_of_nothing_are_refused() {
    let folder = Folder::new();
    for option in ["--concurrency", "--threads", "--context"] {
        let output = folder.output(&format!("eval demo --network longer --out run {option} 0"));
        assert_eq!(output.status.code(), Some(2), "{option}");
    }
}
