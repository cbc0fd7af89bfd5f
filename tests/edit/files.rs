//! Files read and written.

use std::fs;

use widedeep::llama::{Draft, Field, Format, Gguf, GgufError, Model, Weights};

use super::folder;
use super::support::{default_model, gguf};

#[test]
fn a_copy_with_nothing_replaced_is_the_same_byte_for_byte() {
    let folder = folder();
    for (name, path) in [
        ("default", default_model()),
        ("small", {
            let path = folder.path().join("small.gguf");
            gguf::biased().write(&path);
            path
        }),
    ] {
        let out = folder.path().join("copy.gguf");
        Draft::of(&Gguf::open(&path).unwrap()).write(&out).unwrap();
        assert!(fs::read(&path).unwrap() == fs::read(&out).unwrap(), "{name}");
    }
}

#[test]
fn only_what_is_replaced_changes() {
    let folder = folder();
    let model = default_model();
    let out = folder.path().join("changed.gguf");
    let file = Gguf::open(&model).unwrap();
    let tensor = file.tensor("blk.7.ffn_up.weight").unwrap();
    let mut draft = Draft::of(&file);
    draft.set("general.name", Field::text("another name, and a longer one"));
    draft
        .replace(&tensor.name, |rows| {
            file.each_row(tensor, |row, bytes| {
                if row == 3 {
                    bytes.fill(0);
                }
                Ok(rows.bytes(bytes)?)
            })
        })
        .unwrap();
    draft.write(&out).unwrap();
    let changed = Gguf::open(&out).unwrap();
    assert_eq!(changed.text("general.name").unwrap(), "another name, and a longer one");
    assert_eq!(changed.fields().count(), file.fields().count());
    assert_eq!(changed.tensors().len(), file.tensors().len());
    for (before, after) in file.tensors().iter().zip(changed.tensors()) {
        assert_eq!(
            (&before.name, &before.dimensions, before.format),
            (&after.name, &after.dimensions, after.format)
        );
        let mut rows = Vec::new();
        file.each_row(before, |_, bytes| {
            rows.push(bytes.to_vec());
            Ok(())
        })
        .unwrap();
        changed
            .each_row(after, |row, bytes| {
                let expected = if before.name == tensor.name && row == 3 {
                    vec![0; bytes.len()]
                } else {
                    rows[row].clone()
                };
                assert!(*bytes == expected[..], "{} row {row}", before.name);
                Ok(())
            })
            .unwrap();
    }
    let weights = Weights::open(&out).unwrap();
    assert!(
        weights
            .rows(&tensor.name, 3..4)
            .unwrap()
            .iter()
            .all(|&value| value == 0.0)
    );
    Model::load(&out, 0).unwrap();
}

#[test]
fn numbers_are_quantised_as_ggml_does_and_read_back_the_same() {
    let folder = folder();
    let values: Vec<f32> = (0u8..=255).map(|n| (f32::from(n) - 100.0) / 77.0).collect();
    for (name, error) in [
        ("f32", 0.0),
        ("f16", 1e-3),
        ("q8_0", 2e-2),
        ("q4_1", 2e-1),
        ("q4_k", 3e-1),
        ("q6_k", 8e-2),
    ] {
        let format = Format::named(name).unwrap();
        let path = folder.path().join(format!("{name}.gguf"));
        let mut draft = Draft::empty();
        draft.set("general.architecture", Field::text("test"));
        draft
            .add("a", &[256, 2], format, |rows| {
                rows.values(&values)?;
                Ok(rows.values(&values)?)
            })
            .unwrap();
        draft.write(&path).unwrap();
        let read = Weights::open(&path).unwrap().all("a").unwrap();
        assert_eq!(read.len(), 512);
        for (nth, (read, value)) in read.iter().zip(values.iter().chain(&values)).enumerate() {
            assert!((read - value).abs() <= error, "{name} {nth}: {read} {value}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place() {
    let folder = folder();
    let path = folder.path().join("bad.gguf");
    let said = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Gguf::open(&path).unwrap_err().to_string()
    };
    assert!(said(b"GGML").contains("does not begin with `GGUF`"));
    assert!(said(b"GGUF\x03\x00\x00\x00").contains("at byte 8, the file ends before its header does"));
    assert!(said(b"GGUF\x00\x00\x00\x03").contains("big-endian"));
    assert!(said(b"GGUF\x09\x00\x00\x00").contains("version is 9"));
    let small = folder.path().join("small.gguf");
    gguf::llama().write(&small);
    let whole = fs::read(&small).unwrap();
    assert!(said(&whole[..whole.len() / 2]).contains("the file is truncated"));
    let file = Gguf::open(&small).unwrap();
    let missing = file.tensor("blk.0.ffn_upp.weight").unwrap_err().to_string();
    assert!(missing.contains("similar ones are `blk.0.ffn_up.weight`"), "{missing}");
}

#[test]
fn a_tensor_of_the_wrong_size_and_a_file_over_itself_are_refused_and_leave_nothing_behind() {
    let folder = folder();
    let path = folder.path().join("small.gguf");
    gguf::llama().write(&path);
    let file = Gguf::open(&path).unwrap();
    let mut draft = Draft::of(&file);
    draft
        .replace("blk.0.ffn_up.weight", |rows| Ok(rows.values(&[1.0; gguf::WIDTH])?))
        .unwrap();
    let out = folder.path().join("out.gguf");
    let error = draft.write(&out).unwrap_err();
    assert!(
        error.to_string().contains("128 bytes were made, and it has 6144"),
        "{error}"
    );
    assert!(matches!(Draft::of(&file).write(&path), Err(GgufError::Same(_))));
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["small.gguf"]);
    let error = Draft::of(&file).write("/no/such/folder/out.gguf".as_ref()).unwrap_err();
    assert!(error.to_string().contains("check that the folder exists"), "{error}");
}
