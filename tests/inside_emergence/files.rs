//! Checkpoints in safetensors files: names, kinds of numbers, shards, and what is wrong with others.

use std::{collections::BTreeMap, path::Path};

use half::{bf16, f16};
use safetensors::{Dtype, tensor::TensorView};
use widedeep::inside::emergence::{
    Config, NameError, OpenError, Projection, Safetensors, SplitMix64, Weights, measure, read_beside,
};

use super::oracle::{analysis, close};

type Tensors = BTreeMap<String, (usize, usize, Vec<f32>)>;

/// Width 64, hidden 160, two blocks.
fn llama(prefix: &str) -> Tensors {
    let maps = [
        ("self_attn.q_proj", 64, 64),
        ("self_attn.k_proj", 32, 64),
        ("self_attn.v_proj", 32, 64),
        ("self_attn.o_proj", 64, 64),
        ("mlp.gate_proj", 160, 64),
        ("mlp.up_proj", 160, 64),
        ("mlp.down_proj", 64, 160),
    ];
    let mut sampler = SplitMix64::new(1);
    let mut tensors = Tensors::new();
    for block in 0..2 {
        for (name, rows, columns) in maps {
            let values = (0..rows * columns).map(|_| 0.02 * sampler.gaussian() as f32).collect();
            tensors.insert(format!("{prefix}{block}.{name}.weight"), (rows, columns, values));
        }
    }
    tensors
}

fn neox() -> Tensors {
    let mut tensors = Tensors::new();
    let numbered = |rows: usize, columns: usize| (rows, columns, (0..rows * columns).map(|k| k as f32).collect());
    tensors.insert(
        "gpt_neox.layers.0.attention.query_key_value.weight".to_owned(),
        numbered(24, 8),
    );
    tensors.insert("gpt_neox.layers.0.attention.dense.weight".to_owned(), numbered(8, 8));
    tensors.insert("gpt_neox.layers.0.mlp.dense_h_to_4h.weight".to_owned(), numbered(32, 8));
    tensors.insert("gpt_neox.layers.0.mlp.dense_4h_to_h.weight".to_owned(), numbered(8, 32));
    tensors
}

fn write(path: &Path, tensors: &Tensors, kind: Dtype) {
    let bytes = |values: &[f32]| -> Vec<u8> {
        match kind {
            Dtype::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Dtype::F16 => values
                .iter()
                .flat_map(|value| f16::from_f32(*value).to_le_bytes())
                .collect(),
            Dtype::BF16 => values
                .iter()
                .flat_map(|value| bf16::from_f32(*value).to_le_bytes())
                .collect(),
            _ => values
                .iter()
                .flat_map(|value| f64::from(*value).to_le_bytes())
                .collect(),
        }
    };
    let stored: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (rows, columns, values))| (name.clone(), vec![*rows, *columns], bytes(values)))
        .collect();
    let views = stored
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(kind, shape.clone(), bytes).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn row(of: &Safetensors, projection: Projection, row: usize) -> Vec<f32> {
    let mut found = Vec::new();
    of.visit_rows(0, projection, &[row], &mut |_, values| found = values.to_vec())
        .unwrap();
    found
}

#[test]
fn all_kinds_of_numbers_and_prefixes_give_the_same_spectrum_up_to_their_rounding() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        analysis: analysis(),
        ..Config::default().with_sample(24, 3)
    };
    let mut reference = None;
    for (kind, prefix, tolerance) in [
        (Dtype::F32, "model.layers.", 0.0),
        (Dtype::F32, "language_model.model.layers.", 0.0),
        (Dtype::F16, "layers.", 1e-3),
        (Dtype::BF16, "model.layers.", 5e-3),
    ] {
        let path = folder.path().join("model.safetensors");
        write(&path, &llama(prefix), kind);
        let opened = Safetensors::open(&path).unwrap();
        assert_eq!(opened.shape().blocks().len(), 2);
        assert_eq!(
            opened.shape().blocks()[0].matrices[&Projection::Query].precision,
            format!("{kind:?}")
        );
        let alpha0 = measure(&opened, &config).unwrap().alpha0.mean;
        let reference = *reference.get_or_insert(alpha0);
        close(alpha0, reference, tolerance * reference, &format!("α0 of {kind:?}"));
    }
}

/// What stands beside the maps in Gemma (norms around both halves, a tower for images) and Qwen (biases, norms of queries and keys) is passed over.
#[test]
fn gemma_and_qwen_checkpoints_are_read_by_their_maps_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        analysis: analysis(),
        ..Config::default().with_sample(24, 2)
    };
    let path = folder.path().join("model.safetensors");
    write(&path, &llama("model.layers."), Dtype::F32);
    let expected = measure(&Safetensors::open(&path).unwrap(), &config).unwrap();
    for (prefix, settings, head) in [
        (
            "model.language_model.layers.",
            r#"{"model_type": "gemma3", "text_config": {"hidden_size": 64, "num_attention_heads": 4, "head_dim": 16}}"#,
            16,
        ),
        (
            "model.layers.",
            r#"{"model_type": "qwen2", "hidden_size": 64, "num_attention_heads": 2}"#,
            32,
        ),
    ] {
        let mut tensors = llama(prefix);
        let mut beside = |name: String, rows: usize, columns: usize| {
            tensors.insert(name, (rows, columns, vec![1.0; rows * columns]));
        };
        beside("model.embed_tokens.weight".to_owned(), 8, 64);
        beside(
            "model.vision_tower.encoder.layers.0.mlp.down_proj.weight".to_owned(),
            7,
            9,
        );
        for name in ["self_attn.q_norm", "pre_feedforward_layernorm", "self_attn.q_proj.bias"] {
            beside(format!("{prefix}0.{name}"), 1, 64);
        }
        write(&path, &tensors, Dtype::F32);
        std::fs::write(folder.path().join("config.json"), settings).unwrap();
        let opened = Safetensors::open(&path).unwrap();
        assert_eq!(opened.shape().blocks()[1].head_size, Some(head), "{prefix}");
        let found = measure(&opened, &config).unwrap();
        assert_eq!(found.alpha0, expected.alpha0, "{prefix}");
    }
}

#[test]
fn rows_come_back_as_they_were_written_from_one_file_and_from_shards() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = llama("model.layers.");
    let (one, two): (Tensors, Tensors) = tensors.clone().into_iter().partition(|(name, _)| name.contains("mlp"));
    write(
        &folder.path().join("model-00001-of-00002.safetensors"),
        &one,
        Dtype::F32,
    );
    write(
        &folder.path().join("model-00002-of-00002.safetensors"),
        &two,
        Dtype::F32,
    );
    std::fs::write(
        folder.path().join("config.json"),
        r#"{"model_type": "llama", "num_attention_heads": 4, "hidden_size": 64}"#,
    )
    .unwrap();
    let opened = Safetensors::open(folder.path()).unwrap();
    assert_eq!(
        (opened.shape().architecture(), opened.shape().blocks()[1].head_size),
        ("llama", Some(16))
    );
    let mut seen = Vec::new();
    let stored = &tensors["model.layers.0.mlp.down_proj.weight"].2;
    opened
        .visit_rows(0, Projection::Down(0), &[0, 1, 2, 40, 63], &mut |row, values| {
            assert_eq!(values, &stored[row * 160..(row + 1) * 160]);
            seen.push(row);
        })
        .unwrap();
    assert_eq!(seen, [0, 1, 2, 40, 63]);
    let lonely = Safetensors::open(&folder.path().join("model-00001-of-00002.safetensors")).unwrap_err();
    assert!(
        matches!(
            lonely,
            OpenError::Names {
                cause: NameError::Missing(_),
                ..
            }
        ),
        "{lonely}"
    );
}

#[test]
fn the_fused_rows_of_neox_are_taken_apart_head_by_head() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    write(&path, &neox(), Dtype::F32);
    let error = Safetensors::open(&path).unwrap_err();
    assert!(error.to_string().contains("config.json"), "{error}");
    std::fs::write(
        folder.path().join("config.json"),
        r#"{"model_type": "gpt_neox", "num_attention_heads": 2}"#,
    )
    .unwrap();
    let opened = Safetensors::open(&path).unwrap();
    // Two heads of four: q0 k0 v0 q1 k1 v1, four rows each. Each row begins with 8 times its number.
    for (projection, of, stored) in [
        (Projection::Query, 0, 0),
        (Projection::Query, 5, 13),
        (Projection::Key, 1, 5),
        (Projection::Value, 3, 11),
        (Projection::Value, 7, 23),
    ] {
        assert_eq!(
            row(&opened, projection, of)[0],
            8.0 * stored as f32,
            "{projection} {of}"
        );
    }
    assert!(!opened.shape().blocks()[0].is_gated());
}

#[test]
fn fused_gates_and_fused_attention_are_split() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let plain = llama("model.layers.");
    let mut fused = Tensors::new();
    for block in 0..2 {
        let of = |name: &str| plain[&format!("model.layers.{block}.{name}.weight")].clone();
        let join = |names: &[&str]| {
            let values: Vec<f32> = names.iter().flat_map(|name| of(name).2).collect();
            (values.len() / 64, 64, values)
        };
        let mut put = |name: &str, tensor| fused.insert(format!("model.layers.{block}.{name}.weight"), tensor);
        put(
            "self_attn.qkv_proj",
            join(&["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
        );
        put("mlp.gate_up_proj", join(&["mlp.gate_proj", "mlp.up_proj"]));
        put("self_attn.o_proj", of("self_attn.o_proj"));
        put("mlp.down_proj", of("mlp.down_proj"));
    }
    write(&path, &plain, Dtype::F32);
    let apart = Safetensors::open(&path).unwrap();
    let config = Config {
        analysis: analysis(),
        ..Config::default().with_sample(24, 2)
    };
    let expected = measure(&apart, &config).unwrap();
    write(&path, &fused, Dtype::F32);
    let found = measure(&Safetensors::open(&path).unwrap(), &config).unwrap();
    assert_eq!(found.alpha0, expected.alpha0);
}

#[test]
fn files_that_are_no_such_checkpoint_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        Safetensors::open(folder.path()).unwrap_err(),
        OpenError::Empty { .. }
    ));
    let path = folder.path().join("model.safetensors");
    write(&path, &llama("model.layers."), Dtype::F64);
    assert!(Safetensors::open(&path).unwrap_err().to_string().contains("F64"));
    write(&path, &llama("model.layers."), Dtype::F32);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    assert!(matches!(
        Safetensors::open(&path).unwrap_err(),
        OpenError::Malformed { .. }
    ));
    std::fs::write(&path, [0xff; 20]).unwrap();
    assert!(matches!(
        Safetensors::open(&path).unwrap_err(),
        OpenError::Malformed { .. }
    ));
    let other = Tensors::from([("encoder.block.0.weight".to_owned(), (1, 1, vec![0.0]))]);
    write(&path, &other, Dtype::F32);
    assert!(matches!(
        Safetensors::open(&path).unwrap_err(),
        OpenError::Names {
            cause: NameError::UnknownFamily,
            ..
        }
    ));
}

#[test]
fn measures_are_read_by_step_and_mistakes_named_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loss.csv");
    std::fs::write(&path, "step,loss,accuracy\n0,5.5,\n100,2.5,0.25\n").unwrap();
    let found = read_beside(&path).unwrap();
    assert_eq!(
        (found[0].name.as_str(), found[0].at(100.0), found[1].at(0.0)),
        ("loss", Some(2.5), None)
    );
    std::fs::write(&path, "step,loss\n0,5.5\n100,low\n").unwrap();
    let error = read_beside(&path).unwrap_err().to_string();
    assert!(error.contains("loss.csv:3`: `low` in column `loss`"), "{error}");
    std::fs::write(&path, "epoch,loss\n0,5.5\n").unwrap();
    assert!(read_beside(&path).unwrap_err().to_string().contains("`epoch`, `loss`"));
}
