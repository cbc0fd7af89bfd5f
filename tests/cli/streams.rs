//! Results go to standard output, remarks to standard error; neither has to be read.

use std::process::Stdio;

use crate::folder::{Folder, text};

#[test]
fn standard_output_holds_the_summary_and_nothing_else() {
    let folder = Folder::new();
    let output = folder.output("eval demo --network longer --out run");
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(
        out.starts_with("12 of 12 pairs of demo judged by the baseline longer\n"),
        "{out}"
    );
    assert!(out.ends_with(" - N = 12: intervals are wide\n\n"), "{out}");
    assert_eq!(err, "wrote run/verdicts.csv, run/metrics.json\n");
    // Bars and colours are for terminals.
    assert!(!format!("{out}{err}").contains(['\u{1b}', '\r']));
}

#[test]
fn the_summary_fits_a_hundred_columns_where_there_is_no_terminal() {
    let output = Folder::new().output("eval demo --network longer --out run");
    let widest = text(&output.stdout).lines().map(|line| line.chars().count()).max();
    assert!(widest.unwrap() <= 100);
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let folder = Folder::new();
    folder.widedeep("eval demo --network longer --out run").success();
    for arguments in [
        "eval demo --network longer --out run",
        "score run",
        "score run --json",
        "networks list",
        "networks show widedeep",
        "models list",
        "data list --json",
        "--help",
    ] {
        let mut child = folder
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // As in `widedeep … | head -0`.
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments}: {err}");
        assert!(!err.contains("panicked"), "{arguments}: {err}");
    }
}

#[test]
fn a_run_goes_on_when_nobody_reads_its_remarks() {
    let folder = Folder::new();
    let mut child = folder
        .command("eval demo --network longer --out run")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("12 of 12 pairs"));
    assert!(folder.path("run/metrics.json").exists());
}
