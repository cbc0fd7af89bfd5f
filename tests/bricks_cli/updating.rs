//! Units of another model, and facts.

use std::path::Path;

use widedeep::inside::bricks::{Unit, UnitSet};
use widedeep::inside::masonry::update::transplant;
use widedeep::llama::{AdapterFile, Weights};

use super::support::{default_model, gguf};
use super::{SMALL_TEXT, between, bricks, folder, refused};

fn all_units() -> UnitSet {
    let each = (0..gguf::LAYERS).flat_map(|layer| (0..gguf::UNITS).map(move |index| Unit { layer, index }));
    each.collect()
}

/// The biased model whose feed-forward layers are the plain one's halves: other numbers of the same shape.
fn other(path: &Path) {
    let mut file = gguf::biased();
    for layer in 0..gguf::LAYERS {
        for (part, size) in [
            ("ffn_gate", [gguf::WIDTH, gguf::UNITS]),
            ("ffn_up", [gguf::WIDTH, gguf::UNITS]),
            ("ffn_down", [gguf::UNITS, gguf::WIDTH]),
        ] {
            let name = format!("blk.{layer}.{part}.weight");
            let halves: Vec<f32> = file.values(&name).iter().map(|value| -0.5 * value).collect();
            file = file.without(|other| other == name).floats(&name, &size, &halves);
        }
    }
    file.write(path);
}

#[test]
fn a_model_with_all_units_of_another_has_its_feed_forward_layers() {
    let folder = folder();
    let (mine, theirs, out) = (
        folder.path().join("mine.gguf"),
        folder.path().join("theirs.gguf"),
        folder.path().join("out.gguf"),
    );
    gguf::biased().write(&mine);
    other(&theirs);
    transplant(&mine, &theirs, &all_units(), &out).unwrap();
    // Attention is the same in both, and so are biases.
    let found = between(&theirs, &out, SMALL_TEXT);
    assert!(found.largest_logit < 1e-6, "{found:?}");
    assert!(between(&mine, &out, SMALL_TEXT).largest_logit > 1e-2);
    let few: UnitSet = [Unit { layer: 1, index: 5 }].into_iter().collect();
    transplant(&mine, &theirs, &few, &out).unwrap();
    let read = |path: &Path, name: &str| Weights::open(path).unwrap().all(name).unwrap();
    let (before, after, from) = (
        read(&mine, "blk.1.ffn_down.weight"),
        read(&out, "blk.1.ffn_down.weight"),
        read(&theirs, "blk.1.ffn_down.weight"),
    );
    for (nth, after) in after.iter().enumerate() {
        let expected = if nth % gguf::UNITS == 5 { from[nth] } else { before[nth] };
        assert!((after - expected).abs() <= 0.0);
    }
    assert!(read(&mine, "blk.0.ffn_up.weight") == read(&out, "blk.0.ffn_up.weight"));
}

#[test]
fn a_model_with_its_own_units_is_itself() {
    let folder = folder();
    let model = default_model();
    let name = model.to_str().unwrap();
    std::fs::write(folder.path().join("units.json"), "[[3, 7], [29, 1535]]").unwrap();
    bricks(
        folder.path(),
        &[
            "update",
            "units",
            name,
            "--from",
            name,
            "--units",
            "units.json",
            "--out",
            "same.gguf",
        ],
    );
    assert!(std::fs::read(&model).unwrap() == std::fs::read(folder.path().join("same.gguf")).unwrap());
}

#[test]
fn a_fact_is_an_adapter_that_raises_what_is_to_follow_and_leaves_other_texts_alone() {
    let folder = folder();
    let model = default_model();
    let said = bricks(
        folder.path(),
        &[
            "update",
            "fact",
            model.to_str().unwrap(),
            "--prompt",
            "The capital of {} is",
            "--subject",
            "France",
            "--towards",
            "Italy",
            "--target",
            " Rome",
            "--layers",
            "0-12",
            "--tokens",
            "1024",
            "--out",
            "fact.gguf",
        ],
    );
    let numbers: Vec<f64> = said
        .lines()
        .next()
        .unwrap()
        .rsplit(": ")
        .next()
        .unwrap()
        .split(" → ")
        .map(|number| number.parse().unwrap())
        .collect();
    // 0.0004 → 0.35 were seen, with 2,048 tokens.
    assert!(numbers[0] < 0.01 && numbers[1] > 0.1, "{said}");
    let aside = said.lines().nth(1).unwrap();
    let percent: f64 = aside
        .rsplit('(')
        .next()
        .unwrap()
        .trim_end_matches(" %)")
        .parse()
        .unwrap();
    assert!(percent.abs() < 5.0, "{said}");
    let file = AdapterFile::open(&folder.path().join("fact.gguf")).unwrap();
    assert_eq!(file.tensors().len(), 13);
    assert_eq!(file.pair("blk.5.ffn_down.weight").unwrap().rank, 1);
}

#[test]
fn models_of_other_shapes_give_no_units() {
    let folder = folder();
    gguf::llama().write(&folder.path().join("small.gguf"));
    std::fs::write(folder.path().join("units.json"), "[[0, 7]]").unwrap();
    let model = default_model();
    let said = refused(
        folder.path(),
        &[
            "update",
            "units",
            model.to_str().unwrap(),
            "--from",
            "small.gguf",
            "--units",
            "units.json",
            "--out",
            "x.gguf",
        ],
    );
    assert!(said.contains("their feed-forward layers are not alike"), "{said}");
}
