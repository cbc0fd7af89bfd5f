//! `widedeep compare`: a grid of runs, and stored runs side by side.

use snapbox::str;

use crate::folder::{Folder, text};

const GRID: &str =
    "compare demo --limit 2 --networks longer,single,always-model1 --set reply.evidence_tokens=8 --hand-over 0.5";

#[test]
fn a_grid_is_judged_once_and_read_as_often_as_one_likes() {
    let folder = Folder::new();
    let first = folder.judged(GRID);
    let printed = text(&first.stdout);
    for line in [
        "3 configurations over demo",
        "Agreement with the human labels",
        "longer against single@",
        "longer against always-model1",
        "Pareto front of cost and kappa",
        "Hand-over of 50 % of the pairs to people",
    ] {
        assert!(printed.contains(line), "`{line}` in:\n{printed}");
    }
    assert!(printed.lines().all(|line| line.chars().count() <= 100), "{printed}");
    for file in [
        "compare.json",
        "compare.csv",
        "pairs.csv",
        "pareto.csv",
        "pareto.svg",
        "hand-over.csv",
    ] {
        assert!(folder.path("comparison").join(file).is_file(), "{file}");
    }
    let runs = std::fs::read_dir(folder.path("comparison")).unwrap();
    let runs = runs.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(runs, 3, "baselines and the network, each in a folder of its own");
    let calls = folder.read("comparison/compare.csv");

    let again = folder.judged(GRID);
    assert_eq!(text(&again.stdout), printed, "nothing is judged again");
    assert_eq!(folder.read("comparison/compare.csv"), calls);

    let read = folder.widedeep("compare --runs comparison --hand-over 0.5").success();
    let rows = |printed: &str| printed.lines().filter(|line| line.starts_with(" longer ")).count();
    assert_eq!(rows(&text(&read.get_output().stdout)), rows(&printed));
}

#[test]
fn every_seed_judges_the_same_pairs_and_baselines_run_once() {
    let folder = Folder::new();
    folder
        .widedeep("compare demo --sample 4 --networks longer,always-model1,longer --seeds 3,4 --out grid --json")
        .success();
    let read = |path: &str| -> serde_json::Value { serde_json::from_str(&folder.read(path)).unwrap() };
    let found = read("grid/compare.json");
    let configurations = found["configurations"].as_array().unwrap();
    assert_eq!(configurations.len(), 2);
    for configuration in configurations {
        assert_eq!(configuration["pairs"], 4);
        assert_eq!(configuration["seeds"].as_array().unwrap().len(), 1);
    }
    assert_eq!(read("grid/longer/metrics.json")["run"]["seed"], 3);
}

#[test]
fn what_cannot_be_compared_is_bad_input() {
    let folder = Folder::new();
    folder.write("notes", "");
    folder
        .widedeep("eval demo --network longer --limit 3 --out one")
        .success();
    folder
        .write("other.csv", "query,response1,response2,label\nwhy?,a,bb,1\n")
        .widedeep("eval other.csv --network longer --out other")
        .success();
    let bad = |arguments: &str| folder.widedeep(arguments).code(2).stdout_eq("");
    bad("compare demo --networks longer,wat").stderr_eq(str![[r#"
error: there is no network `wat`: shipped are [..]

"#]]);
    bad("compare --runs one other").stderr_eq(str![[r#"
error: the runs in `one` and `other` are of different data (`demo` and `other.csv`, by their content): only runs over the same pairs can be compared

"#]]);
    bad("compare --runs home").stderr_eq(str![[r#"
error: there is no run in `home`: give the folders of runs, or a folder that holds such folders

"#]]);
    bad("compare --runs missing").stderr_eq(str![[r#"
error: there is no run in `missing`; start one with `widedeep eval DATA --out missing`

"#]]);
    bad("compare demo --networks longer --out notes").stderr_eq(str![[r#"
error: `notes` is a file: give a folder with `--out`

"#]]);
    bad("compare --runs one --hand-over 20").stderr_eq(str![[r#"
error: invalid value '20' for '--hand-over <SHARE>': `20` is no share: it must lie between 0 and 1, such as `0.2` for a fifth

For more information, try '--help'.

"#]]);
    bad("compare --runs one --human-seconds-per-pair nan").stderr_eq(str![[r#"
error: invalid value 'nan' for '--human-seconds-per-pair <SECONDS>': a number of seconds, such as `60`

For more information, try '--help'.

"#]]);
    bad("compare --runs one --networks longer").stderr_eq(str![[r#"
error: the argument '--runs <DIR>...' cannot be used with '--networks <NETWORK>'
...
"#]]);
}
