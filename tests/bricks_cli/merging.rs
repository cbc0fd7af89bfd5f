//! Merged models and adapters.

use std::path::Path;

use widedeep::inside::bricks::{Unit, UnitSet};
use widedeep::inside::edit::{self, Store, compare, predictions, rewrite};
use widedeep::inside::masonry::adapters::{Combine, combine};
use widedeep::llama::{Adapter, AdapterFile, Draft, Gguf, Pair, Weights};

use super::support::{default_model, gguf, shared};
use super::{SMALL_TEXT, TEXT, between, bricks, folder, load, predict, refused, tap};

fn set(units: &[(usize, usize)]) -> UnitSet {
    units.iter().map(|&(layer, index)| Unit { layer, index }).collect()
}

#[test]
fn a_merge_of_a_model_with_itself_is_the_model_whatever_the_method() {
    let folder = folder();
    let model = default_model();
    let name = model.to_str().unwrap();
    for method in ["linear", "slerp", "task", "ties", "dare"] {
        let mut arguments = vec!["merge", name, name, "--method", method, "--out", "same.gguf"];
        if !["linear", "slerp"].contains(&method) {
            arguments.extend(["--base", name]);
        }
        let said = bricks(folder.path(), &arguments);
        assert!(
            said.contains("272 tensors, of which 272 are the same in all and were copied"),
            "{method}: {said}"
        );
        assert!(
            tensors_are_the_same(&model, &folder.path().join("same.gguf")),
            "{method}"
        );
    }
    assert!(predict(&model, TEXT).same_bits(&predict(&folder.path().join("same.gguf"), TEXT)));
}

fn tensors_are_the_same(one: &Path, other: &Path) -> bool {
    let (one, other) = (Gguf::open(one).unwrap(), Gguf::open(other).unwrap());
    one.tensors().iter().all(|tensor| {
        let mut rows = Vec::new();
        one.each_row(tensor, |_, bytes| {
            rows.push(bytes.to_vec());
            Ok(())
        })
        .unwrap();
        let mut same = true;
        other
            .each_row(other.tensor(&tensor.name).unwrap(), |row, bytes| {
                same &= *bytes == rows[row][..];
                Ok(())
            })
            .unwrap();
        same
    })
}

/// Two models of floats that were tuned from one: units of each were scaled.
fn family(folder: &Path) {
    let base = folder.join("base.gguf");
    gguf::llama().write(&base);
    rewrite(
        &base,
        &set(&[(0, 3), (1, 9)]),
        3.0,
        Store::AsTheyAre,
        &folder.join("a.gguf"),
    )
    .unwrap();
    rewrite(
        &base,
        &set(&[(0, 3), (1, 20)]),
        -1.0,
        Store::AsTheyAre,
        &folder.join("b.gguf"),
    )
    .unwrap();
}

#[test]
fn merged_numbers_are_what_the_methods_say() {
    let folder = folder();
    family(folder.path());
    let up = |name: &str| {
        Weights::open(&folder.path().join(name))
            .unwrap()
            .all("blk.0.ffn_up.weight")
            .unwrap()
    };
    let (base, a, b) = (up("base.gguf"), up("a.gguf"), up("b.gguf"));
    let close = |found: &[f32], expected: &dyn Fn(usize) -> f32| {
        for (nth, found) in found.iter().enumerate() {
            assert!((found - expected(nth)).abs() < 1e-6, "{nth}: {found} {}", expected(nth));
        }
    };
    let merge = |arguments: &[&str]| {
        bricks(folder.path(), &[&["merge", "--out", "merged.gguf"], arguments].concat());
        up("merged.gguf")
    };
    close(&merge(&["a.gguf=3", "b.gguf"]), &|nth| 0.75 * a[nth] + 0.25 * b[nth]);
    close(
        &merge(&["a.gguf", "b.gguf", "--method", "slerp", "--at", "0"]),
        &|nth| a[nth],
    );
    close(
        &merge(&["a.gguf", "b.gguf", "--method", "slerp", "--at", "1"]),
        &|nth| b[nth],
    );
    let task = merge(&[
        "a.gguf",
        "b.gguf=0.5",
        "--method",
        "task",
        "--base",
        "base.gguf",
        "--lambda",
        "0.8",
    ]);
    close(&task, &|nth| {
        base[nth] + 0.8 * ((a[nth] - base[nth]) + 0.5 * (b[nth] - base[nth]))
    });
    // One model, all of its differences: TIES is the model.
    let ties = merge(&["a.gguf", "--method", "ties", "--base", "base.gguf", "--density", "1"]);
    close(&ties, &|nth| a[nth]);
    let nothing = merge(&[
        "a.gguf",
        "b.gguf",
        "--method",
        "ties",
        "--base",
        "base.gguf",
        "--lambda",
        "0",
    ]);
    close(&nothing, &|nth| base[nth]);
    let kept = merge(&["a.gguf", "--method", "dare", "--base", "base.gguf", "--density", "1"]);
    close(&kept, &|nth| a[nth]);
    load(&folder.path().join("merged.gguf"));
}

#[test]
fn merging_a_quantised_model_with_an_edited_one_loads_and_says_what_was_lost() {
    let folder = folder();
    let model = default_model();
    let edited = folder.path().join("edited.gguf");
    rewrite(&model, &set(&[(5, 1), (5, 2), (20, 7)]), 0.0, Store::AsTheyAre, &edited).unwrap();
    let name = model.to_str().unwrap();
    let said = bricks(
        folder.path(),
        &[
            "merge",
            name,
            "edited.gguf",
            "--out",
            "between.gguf",
            "--report",
            "report.json",
        ],
    );
    // The two tensors that differ are stored anew.
    assert!(said.contains("272 tensors, of which 270"), "{said}");
    assert!(
        said.contains("blk.5.ffn_up.weight") && said.contains("blk.20.ffn_up.weight"),
        "{said}"
    );
    let out = folder.path().join("between.gguf");
    let found = between(&model, &out, TEXT);
    assert!(found.divergence < 0.01, "{found:?}");
    let row = |path: &Path| Weights::open(path).unwrap().rows("blk.5.ffn_up.weight", 1..2).unwrap();
    let (whole, half) = (row(&model), row(&out));
    let norm = |row: &[f32]| row.iter().map(|value| value * value).sum::<f32>().sqrt();
    assert!((norm(&half) / norm(&whole) - 0.5).abs() < 0.02);
}

#[test]
fn models_that_do_not_go_together_are_refused() {
    let folder = folder();
    family(folder.path());
    gguf::fused().write(&folder.path().join("other.gguf"));
    let said = refused(folder.path(), &["merge", "a.gguf", "other.gguf", "--out", "x.gguf"]);
    assert!(said.contains("one is a `llama` and the other a `phi3`"), "{said}");
    let said = refused(
        folder.path(),
        &["merge", "a.gguf", "b.gguf", "--method", "ties", "--out", "x.gguf"],
    );
    assert!(said.contains("TIES"), "{said}");
    let said = refused(folder.path(), &["merge", "a.gguf=x", "b.gguf", "--out", "x.gguf"]);
    assert!(said.contains("`x` in `a.gguf=x` is no weight"), "{said}");
    let said = refused(folder.path(), &["merge", "a.gguf", "b.gguf", "--out", "a.gguf"]);
    assert!(said.contains("is the file that is read"), "{said}");
}

#[test]
fn joined_adapters_do_exactly_what_both_do() {
    let folder = folder();
    let base = folder.path().join("base.gguf");
    gguf::llama().write(&base);
    let (one, two) = (folder.path().join("one.gguf"), folder.path().join("two.gguf"));
    edit::adapter(&base, &set(&[(0, 1), (0, 2)]), 3.0, &one).unwrap();
    // With an α of its own, and a tensor that the other does not change.
    let mut draft = Draft::adapter("llama", "two", 4.0);
    for tensor in ["blk.0.ffn_down.weight", "blk.1.ffn_down.weight"] {
        let number = |nth: usize| (f32::from(u8::try_from(nth % 23).unwrap()) - 11.0) / 60.0;
        draft
            .add_pair(Pair {
                tensor: tensor.to_owned(),
                rank: 2,
                a: (0..2 * gguf::UNITS).map(number).collect(),
                b: (0..2 * gguf::WIDTH).map(|nth| number(nth * 7)).collect(),
            })
            .unwrap();
    }
    draft.write(&two).unwrap();
    let joined = folder.path().join("joined.gguf");
    let parts = [(one.clone(), 0.5), (two.clone(), -2.0)];
    assert!(combine(&parts, Combine::Join, &joined).unwrap().is_empty());
    assert_eq!(
        AdapterFile::open(&joined)
            .unwrap()
            .pair("blk.0.ffn_down.weight")
            .unwrap()
            .rank,
        4
    );
    // Their products: 0.5 of the first, which has α = 0, less twice the second, whose α/r is 2.
    let product = |path: &Path, row: usize, column: usize| {
        let file = AdapterFile::open(path).unwrap();
        let pair = file.pair("blk.0.ffn_down.weight").unwrap();
        let sum: f32 = (0..pair.rank)
            .map(|k| pair.b[row * pair.rank + k] * pair.a[k * gguf::UNITS + column])
            .sum();
        let alpha = file.alpha();
        if alpha == 0.0 {
            sum
        } else {
            sum * alpha / pair.rank as f32
        }
    };
    for (row, column) in [(0, 1), (3, 2), (7, 40)] {
        let expected = 0.5 * product(&one, row, column) - 2.0 * product(&two, row, column);
        let found = product(&joined, row, column);
        assert!((found - expected).abs() < 1e-6, "{row} {column}: {found} {expected}");
    }
    let model = load(&base);
    let mut reading = tap(&model);
    let adapter = |path: &Path| Adapter::load(&model, path).unwrap();
    reading
        .set_adapters(&[(adapter(&one), 0.5), (adapter(&two), -2.0)])
        .unwrap();
    let both = predictions(&mut reading, SMALL_TEXT, 64).unwrap();
    reading.set_adapters(&[(adapter(&joined), 1.0)]).unwrap();
    let joined = predictions(&mut reading, SMALL_TEXT, 64).unwrap();
    let found = compare(&both, &joined).unwrap();
    assert!(found.largest_logit < 1e-3, "{found:?}");
    reading.set_adapters(&[]).unwrap();
    let alone = predictions(&mut reading, SMALL_TEXT, 64).unwrap();
    assert!(compare(&alone, &both).unwrap().largest_logit > 1e-2);
}

#[test]
fn an_adapter_averaged_with_itself_is_the_adapter() {
    let folder = folder();
    let path = shared("bricks/toy_lora.gguf");
    let name = path.to_str().unwrap();
    for method in ["linear", "ties"] {
        let mut arguments = vec!["merge", name, name, "--method", method, "--out", "same.gguf"];
        if method == "ties" {
            arguments.extend(["--density", "1"]);
        }
        let said = bricks(folder.path(), &arguments);
        assert!(said.contains("blk.15.ffn_down.weight"), "{said}");
        let pairs = [&path, &folder.path().join("same.gguf")].map(|path| {
            let file = AdapterFile::open(path).unwrap();
            let pair = file.pair("blk.15.ffn_down.weight").unwrap();
            let factor = if file.alpha() == 0.0 { 1.0 } else { file.alpha() / 2.0 };
            (pair, factor)
        });
        // A and B may turn; their product may not.
        for (row, column) in [(0, 0), (1, 700), (300, 12), (575, 1535)] {
            let [one, other] = [&pairs[0], &pairs[1]].map(|(pair, factor)| {
                let sum: f32 = (0..pair.rank)
                    .map(|k| pair.b[row * pair.rank + k] * pair.a[k * 1536 + column])
                    .sum();
                factor * sum
            });
            assert!((one - other).abs() < 1e-4, "{method} {row} {column}: {one} {other}");
        }
    }
}

#[test]
fn an_adapter_taken_out_of_a_tuned_model_gives_it_back() {
    let folder = folder();
    family(folder.path());
    let said = bricks(
        folder.path(),
        &[
            "grow",
            "adapter",
            "base.gguf",
            "--tuned",
            "a.gguf",
            "--rank",
            "4",
            "--out",
            "lora.gguf",
        ],
    );
    assert!(
        said.contains("blk.0.ffn_up.weight") && said.contains("same first choice 100.0 %"),
        "{said}"
    );
    bricks(
        folder.path(),
        &["merge", "base.gguf", "lora.gguf", "--out", "built.gguf"],
    );
    let up = |name: &str| {
        Weights::open(&folder.path().join(name))
            .unwrap()
            .all("blk.0.ffn_up.weight")
            .unwrap()
    };
    for (tuned, built) in up("a.gguf").iter().zip(up("built.gguf")) {
        assert!((tuned - built).abs() < 1e-6, "{tuned} {built}");
    }
    let found = between(
        &folder.path().join("a.gguf"),
        &folder.path().join("built.gguf"),
        SMALL_TEXT,
    );
    assert!(found.largest_logit < 1e-3, "{found:?}");
}
