//! `trace`: series of tiny checkpoints.

use super::{checkpoints, folder::Folder};

const FEW: &str = "--nodes 24 --repetitions 3";

#[test]
fn growth_alone_raises_e_and_its_controls_stand_beside_it() {
    let folder = checkpoints::growing();
    std::fs::write(
        folder.path("loss.csv"),
        "step,loss,accuracy\n0,5.5,\n10,4.5,0.1\n100,3.5,0.2\n1000,2.5,0.3\n",
    )
    .unwrap();
    let ended = folder.works(&format!(
        "trace step-00000 step-00010 step-00100 step-01000 {FEW} --beside loss.csv --out found"
    ));
    for words in [
        "shuffled",
        "excess",
        "growth",
        "one scale",
        "loss",
        "3 sd",
        "Spearman",
        "no score of capability",
    ] {
        assert!(ended.out.contains(words), "{words}\n{}", ended.out);
    }
    assert!(ended.err.contains("4/4 step 1000: E 0."), "{}", ended.err);
    assert!(!ended.err.contains("warning"), "{}", ended.err);

    let (header, rows) = folder.csv("found/trace.csv");
    let of = |row: usize, name: &str| -> f64 {
        let column = header.iter().position(|one| one == name).unwrap();
        rows[row][column].parse().unwrap()
    };
    assert!((0..4).all(|row| of(row, "radii") > 5.0 && of(row, "r2") > 0.7 && of(row, "r_min") < of(row, "r_max")));
    assert!(of(0, "e").abs() < 1e-12 && of(3, "e") > of(2, "e") && of(2, "e") > of(1, "e") && of(3, "e") > 0.1);
    // Growth is all there is.
    assert!((of(3, "e") - of(3, "e_growth")).abs() < 0.01);
    assert!((of(3, "e") - of(3, "e_shuffled") - of(3, "e_excess")).abs() < 1e-9);
    assert!(of(3, "e_one_scale").abs() < 0.02 && of(3, "e_grid_one_scale").abs() < 0.01);
    assert!((of(3, "loss") - 2.5).abs() < 1e-12 && of(3, "e_low") <= of(3, "e") && of(3, "e") <= of(3, "e_high"));

    let document = folder.json("found/trace.json");
    assert_eq!(document["origins"][3]["label"], "1000");
    assert!(
        document["origins"][3]["files"][0]["path"]
            .as_str()
            .unwrap()
            .ends_with("model.safetensors")
    );
    assert_eq!(folder.csv("found/spectra.csv").1.len(), 4 * 61);
    assert_eq!(folder.csv("found/companions.csv").1.len(), 4 * 12);
    for name in ["spectra", "metrics", "rms", "beside-accuracy"] {
        assert!(folder.read(&format!("found/{name}.svg")).contains("<svg"), "{name}");
    }
    for name in ["emergence", "beside-loss"] {
        let figure = folder.read(&format!("found/{name}.svg"));
        assert!(
            figure.contains("shuffled in each matrix") && figure.contains("growth alone"),
            "{name}"
        );
    }
}

#[test]
fn steps_can_be_given_and_another_checkpoint_be_the_baseline() {
    let folder = checkpoints::growing();
    let ended = folder.works(&format!(
        "trace 5=step-00000 7=step-00010/model.safetensors {FEW} --baseline 7"
    ));
    assert!(
        ended.err.contains("warning: the baseline is step 7, not 0"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("1/2 step 5: E -0."), "{}", ended.err);
}

#[test]
fn a_checkpoint_that_does_not_scale_has_a_reason_in_place_of_e() {
    let folder = checkpoints::growing();
    checkpoints::write(&folder, "step-02000", 3, 6, 0.4);
    let ended = folder.works(&format!("trace step-00000 step-02000 {FEW} --out found"));
    assert!(
        ended.err.contains("2/2 step 2000: no E: masses do not scale"),
        "{}",
        ended.err
    );
    let (header, rows) = folder.csv("found/trace.csv");
    let cell = |name: &str| &rows[1][header.iter().position(|one| one == name).unwrap()];
    assert!(cell("e").is_empty() && cell("refused").contains("R²"));
    // As a baseline it cannot serve.
    let error = folder.fails(1, &format!("trace step-02000 {FEW}"));
    assert!(
        error.contains("baseline `2000`") && error.contains("do not scale"),
        "{error}"
    );
}

#[test]
fn series_that_are_none_are_bad_input() {
    let folder = checkpoints::growing();
    checkpoints::write(&folder, "step-00020", 2, 6, 0.02);
    checkpoints::write(&folder, "first", 3, 6, 0.02);
    std::fs::write(folder.path("loss.csv"), "step,loss\n0,5.5\n10,low\n").unwrap();
    std::fs::write(folder.path("epochs.csv"), "epoch,loss\n0,5.5\n").unwrap();
    for (flags, words) in [
        ("trace", "CKPT"),
        ("trace step-00010 step-00000", "step 0 comes behind step 10"),
        ("trace step-00000 step-00000", "each step once"),
        ("trace first", "write `STEP=first`"),
        ("trace soon=step-00000", "`soon`"),
        ("trace step-00000 step-00020", "3 blocks against 2"),
        ("trace step-00000 --baseline 10", "there are steps 0"),
        ("trace step-00000 --scope full", "take a sample"),
        (
            "trace step-00000 --beside loss.csv",
            "loss.csv:3`: `low` in column `loss`",
        ),
        ("trace step-00000 --beside epochs.csv", "no column `step`"),
        ("trace step-00000 step-00077", "step-00077"),
    ] {
        let error = folder.fails(2, flags);
        assert!(error.contains(words), "{flags}: {error}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = Folder::new();
    checkpoints::write(&folder, "step-0", 3, 6, 0.02);
    std::fs::write(folder.path("taken"), "a file").unwrap();
    let error = folder.fails(1, &format!("trace step-0 {FEW} --out taken"));
    assert!(error.contains("`taken`"), "{error}");
}
