//! Grown models compute what they did. Sums of other lengths are added up in another order, and attention's 16 bits make thousandths of a last bit; the first layer, before which no
//! attention has seen a difference, gives the same to seven digits.

use std::path::Path;

use widedeep::inside::masonry::grow::{New, deepen, widen};
use widedeep::llama::{Capture, Gguf, Reads, Weights};

use super::support::{default_model, gguf};
use super::{SMALL_TEXT, TEXT, between, bricks, folder, load, predict, refused, tap};

/// What the first layer's FFN writes, at every position.
fn first_layer(path: &Path) -> Vec<f32> {
    let model = load(path);
    let mut reading = tap(&model);
    let mut capture = Capture::new(reading.ffn(), Reads::NOTHING);
    let tokens = model.tokens(SMALL_TEXT);
    reading.read(&tokens, 0, &mut capture).unwrap();
    capture.rows(0).flat_map(|(_, h)| h.to_vec()).collect()
}

#[test]
fn small_models_with_new_units_or_a_new_layer_give_the_same_logits() {
    let folder = folder();
    for (kind, file) in [
        ("gated", gguf::llama()),
        ("with biases", gguf::biased()),
        ("without gate", gguf::ungated()),
    ] {
        let (model, out) = (folder.path().join("model.gguf"), folder.path().join("grown.gguf"));
        file.write(&model);
        for new in [New::Neutral { seed: 3 }, New::Copies] {
            let ffn = widen(&model, 16, new, &out).unwrap();
            assert_eq!(ffn.units, gguf::UNITS + 16);
            let weights = Weights::open(&out).unwrap();
            assert_eq!(weights.ffn().unwrap(), ffn);
            let up = weights.all("blk.1.ffn_up.weight").unwrap();
            let old = &file.values("blk.1.ffn_up.weight")[..];
            assert!(up[..old.len()] == *old, "{kind}");
            assert!(
                up[old.len()..].iter().any(|&value| value != 0.0),
                "{kind}: new units read something"
            );
            let found = between(&model, &out, SMALL_TEXT);
            assert!(found.largest_logit < 2e-3, "{kind} {new:?}: {found:?}");
            let [old, new_one] = [&model, &out].map(|path| first_layer(path));
            for (old, grown) in old.iter().zip(&new_one) {
                assert!((old - grown).abs() < 1e-6, "{kind} {new:?}: {old} {grown}");
            }
        }
        for after in [0, gguf::LAYERS - 1] {
            deepen(&model, after, &out).unwrap();
            assert_eq!(Weights::open(&out).unwrap().ffn().unwrap().layers, gguf::LAYERS + 1);
            let found = between(&model, &out, SMALL_TEXT);
            assert!(found.largest_logit < 1e-5, "{kind} after {after}: {found:?}");
        }
    }
}

#[test]
fn the_default_model_grows_and_old_numbers_keep_their_bytes() {
    let folder = folder();
    let model = default_model();
    let name = model.to_str().unwrap();
    let said = bricks(
        folder.path(),
        &["grow", "units", name, "--count", "64", "--out", "wide.gguf"],
    );
    assert!(said.starts_with("30 layers of 1600 units"), "{said}");
    let wide = folder.path().join("wide.gguf");
    let found = between(&model, &wide, TEXT);
    // Blocks of zeros are added to sums; their order may change.
    assert!(found.largest_logit < 1e-3, "{found:?}");
    let (old, new) = (Gguf::open(&model).unwrap(), Gguf::open(&wide).unwrap());
    let (before, after) = (
        old.tensor("blk.9.ffn_down.weight").unwrap(),
        new.tensor("blk.9.ffn_down.weight").unwrap(),
    );
    let mut rows = Vec::new();
    old.each_row(before, |_, bytes| {
        rows.push(bytes.to_vec());
        Ok(())
    })
    .unwrap();
    new.each_row(after, |row, bytes| {
        let (kept, added) = bytes.split_at(rows[row].len());
        assert!(kept == rows[row] && added.iter().all(|&byte| byte == 0));
        Ok(())
    })
    .unwrap();
    let said = bricks(
        folder.path(),
        &["grow", "layer", name, "--after", "14", "--out", "deep.gguf"],
    );
    assert!(said.contains("layer 15 is new"), "{said}");
    let (before, after) = (predict(&model, TEXT), predict(&folder.path().join("deep.gguf"), TEXT));
    assert!(before.same_bits(&after), "adding zeros changes no bit");
}

#[test]
fn growth_that_no_file_can_hold_is_refused() {
    let folder = folder();
    let name = default_model();
    let name = name.to_str().unwrap();
    let said = refused(
        folder.path(),
        &["grow", "units", name, "--count", "10", "--out", "x.gguf"],
    );
    assert!(said.contains("widen in steps of 32"), "{said}");
    let said = refused(
        folder.path(),
        &["grow", "layer", name, "--after", "30", "--out", "x.gguf"],
    );
    assert!(said.contains("there is no layer 30; it has 30"), "{said}");
    let model = folder.path().join("fused.gguf");
    gguf::fused().write(&model);
    let said = refused(
        folder.path(),
        &["grow", "units", "fused.gguf", "--count", "8", "--out", "x.gguf"],
    );
    assert!(said.contains("its gate is a part of `ffn_up`"), "{said}");
    assert!(!folder.path().join("x.gguf").exists());
}
