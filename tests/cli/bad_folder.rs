//! Folders that hold another run, or none.

use snapbox::str;

use crate::folder::Folder;

#[test]
fn a_folder_with_a_run_of_another_configuration_is_left_alone() {
    let folder = Folder::new();
    folder
        .widedeep("eval demo --network longer --limit 3 --out run")
        .success();
    let before = folder.files("run");
    let again = |options: &str| {
        folder
            .widedeep(&format!("eval demo --out run {options}"))
            .code(2)
            .stdout_eq("")
    };
    again("--network longer --limit 4").stderr_eq(str![[r#"
error: `run` holds a run of another configuration: `data.selection.limit` was 3 and is 4; give this run another folder with `--out`, or delete that one

"#]]);
    again("--network longer").stderr_eq(str![[r#"
error: `run` holds a run of another configuration: `data.selection.limit` was 3 and is unset; give this run another folder with `--out`, or delete that one

"#]]);
    again("--network always-model1 --limit 3 --seed 7").stderr_eq(str![[r#"
error: `run` holds a run of another configuration: [..]`seed` was 0 and is 7; give this run another folder with `--out`, or delete that one

"#]]);
    assert_eq!(before, folder.files("run"));
}

#[test]
fn a_run_needs_a_folder_and_not_a_file() {
    let folder = Folder::new();
    folder.write("notes", "");
    folder
        .widedeep("eval demo --network longer --out notes")
        .code(2)
        .stderr_eq(str![[r#"
error: `notes` is a file: give the folder for the run with `--out`

"#]]);
}

#[test]
fn scores_need_a_run() {
    let folder = Folder::new();
    for place in ["absent", "home"] {
        folder
            .widedeep(&format!("score {place}"))
            .code(2)
            .stdout_eq("")
            .stderr_eq(format!(
                "error: there is no run in `{place}`; start one with `widedeep eval DATA --out {place}`\n"
            ));
    }
    assert!(folder.files("home").is_empty());
}

#[test]
fn a_baseline_has_no_opinions_to_decide_by() {
    let folder = Folder::new();
    folder.widedeep("eval demo --network longer --out run").success();
    for how in ["--cell mean/all/argmax", "--tie-margin 0.5"] {
        folder.widedeep(&format!("score run {how}")).code(2).stderr_eq(str![[r#"
error: the run in `run` is of the baseline `longer`, which has no opinions to decide by: leave out the cell and the tie margin

"#]]);
    }
    folder.widedeep("score run --cell mean").code(2).stderr_eq(str![[r#"
error: invalid value 'mean' for '--cell <CELL>': `mean` names no aggregation cell: write method/layers/reading with `mean`, `vote-call` or `vote-neuron`, then `all` or `last`, then `argmax` or `expected`, such as `mean/all/argmax`

For more information, try '--help'.

"#]]);
}

#[test]
fn another_taxonomy_groups_the_printed_figures_and_not_the_files() {
    let folder = Folder::new();
    folder.write(
        "mine.toml",
        "default_family = \"qa\"\n[datasets.webgpt]\nfamily = \"qa\"\ntask_type = \"Looking things up\"\n",
    );
    folder
        .widedeep("eval demo --dataset webgpt --network longer --taxonomy mine.toml --out run")
        .success();
    let before = folder.files("run");
    let told = folder.widedeep("score run").success();
    told.stdout_eq(str![[r#"
...
 Retrieval QA [..]
...
"#]])
        .stderr_eq(str![[r#"
the run was judged under another taxonomy, and its files stay as they are: give that one with --taxonomy

"#]]);
    assert_eq!(before, folder.files("run"));
    folder
        .widedeep("score run --taxonomy mine.toml")
        .success()
        .stdout_eq(str![[r#"
...
 Looking things up [..]
...
"#]])
        .stderr_eq(str![[r#"
wrote run/verdicts.csv, run/metrics.json

"#]]);
}
