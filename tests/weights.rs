//! Weights out of GGUF files: every format's numbers, models in several files, and what is said about damaged ones.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use widedeep::llama::{Gate, Value, Weights, WeightsError};

mod support;

use support::gguf::{self, Field, Gguf, LAYERS, UNITS, WIDTH};

fn written(gguf: &Gguf, folder: &Path) -> Weights {
    let path = folder.join("model.gguf");
    gguf.write(&path);
    Weights::open(&path).unwrap()
}

#[test]
fn the_default_model_is_what_it_says() {
    let weights = Weights::open(&support::default_model()).unwrap();
    assert_eq!(weights.architecture().unwrap(), "llama");
    assert_eq!(weights.hyperparameter("block_count").unwrap(), 30);
    let ffn = weights.ffn().unwrap();
    assert_eq!(
        (ffn.layers, ffn.units, ffn.width, ffn.gate),
        (30, 1536, 576, Gate::Separate)
    );
    assert_eq!(ffn.all_units(), 46_080);
    let down = weights.tensor("blk.29.ffn_down.weight").unwrap();
    assert_eq!((down.columns(), down.rows()), (1536, 576));
    assert!(weights.tensors().count() > 270);
    assert!(matches!(
        weights.field("tokenizer.ggml.tokens"),
        Some(Value::List(49_152))
    ));
    assert!(matches!(
        weights.field("llama.attention.layer_norm_rms_epsilon"),
        Some(Value::Float(_))
    ));
}

#[test]
fn blocks_of_every_old_format_hold_the_published_numbers() {
    let text = std::fs::read_to_string(support::shared("bricks/quant_rows.json")).unwrap();
    let oracle: serde_json::Value = serde_json::from_str(&text).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [("Q4_0", 2), ("Q4_1", 3), ("Q5_0", 6), ("Q5_1", 7), ("Q8_0", 8)] {
        let oracle = &oracle["formats"][name];
        let hex: Vec<String> = serde_json::from_value(oracle["bytes_hex"].clone()).unwrap();
        let hex = hex.concat();
        let bytes = (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
            .collect();
        let weights = written(&Gguf::default().bytes("rows", &[64, 4], format, bytes), folder.path());
        assert_eq!(weights.tensor("rows").unwrap().format_name().to_uppercase(), name);
        let expected: Vec<Vec<f64>> = serde_json::from_value(oracle["dequantised"].clone()).unwrap();
        for (row, expected) in expected.iter().enumerate() {
            let found = weights.rows("rows", row..row + 1).unwrap();
            for (found, expected) in found.iter().zip(expected) {
                // One unit in the last place of a 32-bit float, and the ten digits of the file.
                assert!(
                    (f64::from(*found) - expected).abs() <= 1.3e-7 * expected.abs(),
                    "{name}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn floats_of_16_bits_are_read_too() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |words: [u16; 3]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let gguf = Gguf::default()
        .bytes("f16", &[3], 1, bytes([0x3c00, 0xc100, 0x3555]))
        .bytes("bf16", &[3], 30, bytes([0x3f80, 0xc020, 0x3eaa]));
    let weights = written(&gguf, folder.path());
    for name in ["f16", "bf16"] {
        let values = weights.all(name).unwrap();
        assert_eq!(values[..2], [1.0, -2.5], "{name}");
        assert!((values[2] - 1.0 / 3.0).abs() < 2e-3, "{name}");
    }
}

#[test]
fn rows_and_pieces_are_parts_of_the_whole() {
    let weights = Weights::open(&support::default_model()).unwrap();
    for name in ["blk.3.ffn_down.weight", "token_embd.weight", "blk.3.ffn_norm.weight"] {
        let tensor = weights.tensor(name).unwrap();
        let (rows, columns) = (tensor.rows(), tensor.columns());
        let all = weights.all(name).unwrap();
        assert_eq!(all.len(), rows * columns);
        let from = rows / 3;
        assert_eq!(weights.rows(name, from..rows).unwrap(), all[from * columns..]);
        assert!(weights.rows(name, rows..rows).unwrap().is_empty());
        let (mut pieces, mut next) = (Vec::new(), 0);
        let piece = |first: usize, values: &[f32]| {
            assert_eq!(first, next, "{name}");
            assert!(values.len() <= 1 << 20, "{name}: {} numbers at once", values.len());
            next = first + values.len() / columns;
            pieces.extend_from_slice(values);
        };
        weights.stream(name, piece).unwrap();
        assert!(pieces == all, "{name}");
    }
}

#[test]
fn column_norms_are_those_of_the_columns() {
    let folder = tempfile::tempdir().unwrap();
    let file = gguf::llama();
    let norms = written(&file, folder.path()).down_norms().unwrap();
    assert_eq!(norms.layers(), LAYERS);
    for layer in 0..LAYERS {
        let values = file.values(&format!("blk.{layer}.ffn_down.weight"));
        for unit in 0..UNITS {
            let column = values.iter().skip(unit).step_by(UNITS);
            let squares: f64 = column.map(|&value| f64::from(value) * f64::from(value)).sum();
            assert!((norms.layer(layer)[unit] - squares.sqrt()).abs() < 1e-12);
        }
    }
}

/// A model in three files, as llama.cpp's own splitter writes them.
fn split(folder: &Path) -> (Gguf, [std::path::PathBuf; 3]) {
    let whole = gguf::llama();
    let count = whole.count();
    let paths = [1, 2, 3].map(|number| folder.join(format!("model-0000{number}-of-00003.gguf")));
    for (number, path) in (0u16..).zip(&paths) {
        whole
            .clone()
            .field("split.no", Field::U16(number))
            .field("split.count", Field::U16(3))
            .field("split.tensors.count", Field::I32(i32::try_from(count).unwrap()))
            .write_part(path, |tensor| tensor % 3 == usize::from(number));
    }
    (whole, paths)
}

#[test]
fn a_model_in_several_files_is_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, paths) = split(folder.path());
    let weights = Weights::open(&paths[0]).unwrap();
    assert_eq!(weights.ffn().unwrap().layers, LAYERS);
    for tensor in weights.tensors() {
        assert!(
            weights.all(&tensor.name).unwrap() == whole.values(&tensor.name),
            "{}",
            tensor.name
        );
    }
    let second = Weights::open(&paths[1]).unwrap_err().to_string();
    assert!(
        second.contains("give the first, whose name ends in `-00001-of-00003.gguf`"),
        "{second}"
    );
    std::fs::remove_file(&paths[2]).unwrap();
    let missing = Weights::open(&paths[0]).unwrap_err().to_string();
    assert!(missing.contains("model-00003-of-00003.gguf` is missing"), "{missing}");
    let renamed = folder.path().join("renamed.gguf");
    std::fs::rename(&paths[0], &renamed).unwrap();
    let renamed = Weights::open(&renamed).unwrap_err().to_string();
    assert!(
        renamed.contains("its name must end in `-00001-of-00003.gguf`"),
        "{renamed}"
    );
}

#[test]
fn a_model_in_several_files_can_be_tapped() {
    use widedeep::llama::{Model, Source, Sums, Tap, TapConfig};
    let folder = tempfile::tempdir().unwrap();
    let (whole, paths) = split(folder.path());
    let single = folder.path().join("whole.gguf");
    whole.write(&single);
    let sums = [&single, &paths[0]].map(|path| {
        let model = Model::load(path, 0).unwrap();
        let mut tap = Tap::new(&model, &TapConfig::default()).unwrap();
        let mut sums = Sums::new(tap.ffn(), Source::Z);
        tap.read(&model.tokens("SPLIT"), 0, &mut sums).unwrap();
        sums.layer(1).to_vec()
    });
    assert_eq!(sums[0], sums[1]);
}

#[test]
fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let weights = written(&gguf::llama(), folder.path());
    let error = weights.rows("blk.0.ffn_dwon.weight", 0..1).unwrap_err().to_string();
    assert!(
        error.contains("has no tensor `blk.0.ffn_dwon.weight`; similar ones are `blk.0.ffn_down.weight`"),
        "{error}"
    );
    let error = weights
        .rows("blk.0.ffn_down.weight", 30..WIDTH + 1)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "rows 30..33 of `blk.0.ffn_down.weight` were asked for, which has 32"
    );
    let error = weights.hyperparameter("expert_count").unwrap_err().to_string();
    assert!(error.contains("no usable field `llama.expert_count`"), "{error}");

    let holed = gguf::llama().without(|name| name == "blk.1.ffn_down.weight");
    let error = written(&holed, folder.path()).ffn().unwrap_err().to_string();
    assert!(error.contains("has no tensor `blk.1.ffn_down.weight`"), "{error}");

    let uneven = holed.floats(
        "blk.1.ffn_down.weight",
        &[UNITS / 2, WIDTH],
        &vec![0.0; UNITS / 2 * WIDTH],
    );
    let error = written(&uneven, folder.path()).ffn().unwrap_err();
    assert!(
        matches!(
            error,
            WeightsError::Uneven {
                layer: 1,
                found: 24,
                expected: 48,
                ..
            }
        ),
        "{error}"
    );

    let error = written(&gguf::experts(), folder.path()).ffn().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`blk.0.ffn_down_exps.weight`: its FFN is a mixture of experts"),
        "{error}"
    );
}

#[test]
fn whole_numbers_are_no_weights() {
    let folder = tempfile::tempdir().unwrap();
    let weights = written(&Gguf::default().bytes("ids", &[4], 26, vec![0; 16]), folder.path());
    let error = weights.all("ids").unwrap_err();
    assert!(
        matches!(&error, WeightsError::Format { format, .. } if format == "i32"),
        "{error}"
    );
}

#[test]
fn absent_damaged_and_short_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    assert!(matches!(Weights::open(&path), Err(WeightsError::Open { .. })));
    std::fs::write(&path, b"GGUF but not really").unwrap();
    assert!(matches!(Weights::open(&path), Err(WeightsError::Header { .. })));
    gguf::llama().write(&path);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1000]).unwrap();
    let weights = Weights::open(&path).unwrap();
    let error = weights.all("blk.1.ffn_down.weight").unwrap_err();
    assert!(matches!(error, WeightsError::Read { .. }), "{error}");
}

#[test]
fn several_threads_may_read_at_once() {
    let weights = Weights::open(&support::default_model()).unwrap();
    let names: Vec<String> = (0..8).map(|layer| format!("blk.{layer}.ffn_up.weight")).collect();
    let alone: Vec<Vec<f32>> = names.iter().map(|name| weights.all(name).unwrap()).collect();
    std::thread::scope(|scope| {
        for (name, expected) in names.iter().zip(&alone) {
            let weights = &weights;
            scope.spawn(move || assert!(weights.all(name).unwrap() == *expected, "{name}"));
        }
    });
}
