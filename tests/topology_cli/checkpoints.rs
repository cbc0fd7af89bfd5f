//! Checkpoints in safetensors: the same numbers as in a GGUF file must give the same tables.

use safetensors::Dtype;

use crate::folder::{Folder, Tensors, safetensors};
use crate::support::gguf::{Field, Gguf};

const BLOCKS: usize = 2;
const WIDTH: usize = 16;
const UNITS: usize = 24;
const HEADS: usize = 4;

/// Numbers that bf16 holds exactly: 64ths up to 127.
fn numbers(count: usize, seed: usize) -> Vec<f64> {
    let mut state = seed * 7919 + 1;
    let mut next = || {
        state = (state * 48_271) % 2_147_483_647;
        state % 255
    };
    #[expect(clippy::cast_precision_loss, reason = "at most 254")]
    (0..count).map(|_| (next() as f64 - 127.0) / 64.0).collect()
}

/// Gains of norms, from 1 to almost 2.
fn gains(count: usize, seed: usize) -> Vec<f64> {
    numbers(count, seed)
        .iter()
        .map(|value| 1.0 + (value.abs() * 64.0 % 64.0) / 64.0)
        .collect()
}

/// A model under GGUF names: a name, rows and columns (one row: a vector), and numbers.
#[derive(Default)]
struct Model(Vec<(String, usize, usize, Vec<f64>)>);

impl Model {
    fn add(&mut self, name: &str, rows: usize, columns: usize) {
        let seed = self.0.len();
        let values = if name.ends_with("norm.weight") {
            gains(columns, seed)
        } else {
            numbers(rows * columns, seed)
        };
        self.0.push((name.to_owned(), rows, columns, values));
    }

    /// Attention and a gated FFN in every block, with these norms.
    fn gated(norms: &[&str]) -> Self {
        let mut model = Self::default();
        model.add("token_embd.weight", 40, WIDTH);
        for block in 0..BLOCKS {
            let name = |part: &str| format!("blk.{block}.{part}.weight");
            for norm in norms {
                model.add(&name(norm), 1, WIDTH);
            }
            model.add(&name("attn_q"), WIDTH, WIDTH);
            model.add(&name("attn_k"), WIDTH / 2, WIDTH);
            model.add(&name("attn_v"), WIDTH / 2, WIDTH);
            model.add(&name("attn_output"), WIDTH, WIDTH);
            model.add(&name("ffn_gate"), UNITS, WIDTH);
            model.add(&name("ffn_up"), UNITS, WIDTH);
            model.add(&name("ffn_down"), WIDTH, UNITS);
        }
        model
    }

    fn gguf(&self, folder: &Folder, architecture: &str, key_value: usize) {
        let count = |n: usize| Field::U32(u32::try_from(n).unwrap());
        let mut gguf = Gguf::default()
            .field("general.architecture", Field::Text(architecture.to_owned()))
            .field(&format!("{architecture}.attention.head_count"), count(HEADS))
            .field(&format!("{architecture}.attention.head_count_kv"), count(key_value));
        for (name, rows, columns, values) in &self.0 {
            #[expect(clippy::cast_possible_truncation, reason = "64ths")]
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            let dimensions = if *rows == 1 {
                vec![*columns]
            } else {
                vec![*columns, *rows]
            };
            gguf = gguf.floats(name, &dimensions, &values);
        }
        gguf.write(&folder.path("model.gguf"));
    }

    /// Under a checkpoint's names.
    fn renamed(&self, rename: impl Fn(&str) -> String) -> Tensors {
        let tensors = self.0.iter().map(|(name, rows, columns, values)| {
            let shape = if *rows == 1 {
                vec![*columns]
            } else {
                vec![*rows, *columns]
            };
            (rename(name), shape, values.clone())
        });
        tensors.collect()
    }
}

/// `blk.N.PART.weight` as `START.N.THEIRS.weight`.
fn in_block(name: &str, start: &str, parts: &[(&str, &str)]) -> Option<String> {
    let (block, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.')?;
    let (_, theirs) = parts.iter().find(|(ours, _)| *ours == part)?;
    Some(format!("{start}.{block}.{theirs}.{kind}"))
}

const LLAMA: [(&str, &str); 7] = [
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

fn llama_name(name: &str, norms: &[(&str, &str)]) -> String {
    let parts = [&LLAMA[..], norms].concat();
    in_block(name, "model.layers", &parts).unwrap_or_else(|| "model.embed_tokens.weight".to_owned())
}

const LLAMA_NORMS: [(&str, &str); 2] = [
    ("attn_norm", "input_layernorm"),
    ("ffn_norm", "post_attention_layernorm"),
];

fn config(model_type: &str, key_value: usize, more: &str) -> String {
    format!(
        r#"{{"model_type": "{model_type}", "num_attention_heads": {HEADS}, "num_key_value_heads": {key_value}{more}}}"#
    )
}

/// Measures both; every table must be the same.
#[track_caller]
fn same(folder: &Folder, checkpoint: &str) {
    folder.done(&["measure", "./model.gguf", "--baselines", "all", "--out", "one"]);
    folder.done(&["measure", checkpoint, "--baselines", "all", "--out", "other"]);
    for file in [
        "links.csv",
        "nodes.csv",
        "profile.csv",
        "baselines.csv",
        "node_values.f32",
    ] {
        let read = |out: &str| std::fs::read(folder.path(out).join(file)).unwrap();
        assert!(read("one") == read("other"), "{file} differs");
    }
    assert!(folder.csv("one/nodes.csv").len() > 80);
}

#[test]
fn a_llama_checkpoint_in_bf16_and_several_files_is_measured_like_its_gguf_file() {
    let folder = Folder::new();
    let model = Model::gated(&["attn_norm", "ffn_norm"]);
    model.gguf(&folder, "llama", 2);
    let mut tensors = model.renamed(|name| llama_name(name, &LLAMA_NORMS));
    std::fs::create_dir(folder.path("checkpoint")).unwrap();
    folder.write("checkpoint/config.json", config("llama", 2, ""));
    let second = tensors.split_off(7);
    safetensors(
        &folder.path("checkpoint/model-00001-of-00002.safetensors"),
        Dtype::BF16,
        &tensors,
    );
    safetensors(
        &folder.path("checkpoint/model-00002-of-00002.safetensors"),
        Dtype::F16,
        &second,
    );
    same(&folder, "checkpoint");
}

#[test]
fn gains_of_gemma_are_counted_from_one_and_norms_after_the_matrices_are_folded_in() {
    let folder = Folder::new();
    let model = Model::gated(&["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"]);
    model.gguf(&folder, "gemma3", 2);
    let norms = [
        ("attn_norm", "input_layernorm"),
        ("post_attention_norm", "post_attention_layernorm"),
        ("ffn_norm", "pre_feedforward_layernorm"),
        ("post_ffw_norm", "post_feedforward_layernorm"),
    ];
    let mut tensors = model.renamed(|name| llama_name(name, &norms));
    for (name, _, values) in &mut tensors {
        if name.contains("layernorm") {
            for gain in values.iter_mut() {
                *gain -= 1.0;
            }
        }
    }
    folder.write(
        "config.json",
        format!(
            r#"{{"model_type": "gemma3", "text_config": {}}}"#,
            config("gemma3_text", 2, "")
        ),
    );
    safetensors(&folder.path("model.safetensors"), Dtype::F32, &tensors);
    same(&folder, "model.safetensors");
}

#[test]
fn queries_keys_and_values_of_gpt_neox_are_taken_apart_head_by_head() {
    let folder = Folder::new();
    let mut model = Model::default();
    model.add("token_embd.weight", 40, WIDTH);
    for block in 0..BLOCKS {
        let parts = [
            ("attn_qkv", 3 * WIDTH, WIDTH),
            ("attn_output", WIDTH, WIDTH),
            ("ffn_up", UNITS, WIDTH),
            ("ffn_down", WIDTH, UNITS),
        ];
        for (part, rows, columns) in parts {
            model.add(&format!("blk.{block}.{part}.weight"), rows, columns);
            model.add(&format!("blk.{block}.{part}.bias"), 1, rows);
        }
        for norm in ["attn_norm", "ffn_norm"] {
            model.add(&format!("blk.{block}.{norm}.weight"), 1, WIDTH);
            model.add(&format!("blk.{block}.{norm}.bias"), 1, WIDTH);
        }
    }
    model.gguf(&folder, "gptneox", HEADS);
    let parts = [
        ("attn_qkv", "attention.query_key_value"),
        ("attn_output", "attention.dense"),
        ("ffn_up", "mlp.dense_h_to_4h"),
        ("ffn_down", "mlp.dense_4h_to_h"),
        ("attn_norm", "input_layernorm"),
        ("ffn_norm", "post_attention_layernorm"),
    ];
    let mut tensors = model.renamed(|name| {
        in_block(name, "gpt_neox.layers", &parts).unwrap_or_else(|| "gpt_neox.embed_in.weight".to_owned())
    });
    // All queries, keys, values become each head's query, key and value.
    let head = WIDTH / HEADS;
    for (name, shape, values) in &mut tensors {
        if name.contains("query_key_value") {
            let width = if shape.len() == 1 { 1 } else { WIDTH };
            let row = |part: usize, number: usize, row: usize| part * WIDTH + number * head + row;
            let order = (0..HEADS)
                .flat_map(|number| (0..3).flat_map(move |part| (0..head).map(move |at| row(part, number, at))));
            *values = order.flat_map(|row| values[row * width..][..width].to_vec()).collect();
        }
    }
    folder.write(
        "config.json",
        config("gpt_neox", HEADS, r#", "use_parallel_residual": false"#),
    );
    safetensors(&folder.path("model.safetensors"), Dtype::F32, &tensors);
    same(&folder, "model.safetensors");
}

#[test]
fn experts_of_a_checkpoint_are_stacked_as_in_gguf() {
    let folder = Folder::new();
    let mut model = Model::default();
    let mut tensors: Tensors = Vec::new();
    let experts = 3;
    for block in 0..BLOCKS {
        let name = |part: &str| format!("blk.{block}.{part}.weight");
        model.add(&name("attn_norm"), 1, WIDTH);
        model.add(&name("ffn_norm"), 1, WIDTH);
        model.add(&name("attn_q"), WIDTH, WIDTH);
        model.add(&name("attn_k"), WIDTH / 2, WIDTH);
        model.add(&name("attn_v"), WIDTH / 2, WIDTH);
        model.add(&name("attn_output"), WIDTH, WIDTH);
        model.add(&name("ffn_gate_inp"), experts, WIDTH);
        model.add(&name("ffn_gate_exps"), experts * UNITS, WIDTH);
        model.add(&name("ffn_up_exps"), experts * UNITS, WIDTH);
        model.add(&name("ffn_down_exps"), experts * WIDTH, UNITS);
    }
    model.gguf(&folder, "llama", 2);
    let parts = [&LLAMA[..], &LLAMA_NORMS[..], &[("ffn_gate_inp", "mlp.gate")]].concat();
    let stacked = [
        ("ffn_gate_exps", "gate_proj"),
        ("ffn_up_exps", "up_proj"),
        ("ffn_down_exps", "down_proj"),
    ];
    for (name, rows, columns, values) in &model.0 {
        if let Some(name) = in_block(name, "model.layers", &parts) {
            let shape = if *rows == 1 {
                vec![*columns]
            } else {
                vec![*rows, *columns]
            };
            tensors.push((name, shape, values.clone()));
            continue;
        }
        let block = name.split('.').nth(1).unwrap();
        let (_, theirs) = stacked.iter().find(|(ours, _)| name.contains(ours)).unwrap();
        for (expert, values) in values.chunks(values.len() / experts).enumerate() {
            let name = format!("model.layers.{block}.mlp.experts.{expert}.{theirs}.weight");
            tensors.push((name, vec![rows / experts, *columns], values.to_vec()));
        }
    }
    folder.write("config.json", config("qwen3_moe", 2, ""));
    safetensors(&folder.path("model.safetensors"), Dtype::F32, &tensors);
    same(&folder, "model.safetensors");
}

#[test]
fn what_a_checkpoint_lacks_is_said() {
    let folder = Folder::new();
    let model = Model::gated(&["attn_norm", "ffn_norm"]);
    let tensors = model.renamed(|name| llama_name(name, &LLAMA_NORMS));
    safetensors(&folder.path("model.safetensors"), Dtype::F32, &tensors);
    let told = folder.refused(2, &["measure", "model.safetensors"]);
    assert!(
        told.contains("config.json` cannot be read") && told.contains("how many heads"),
        "{told}"
    );

    folder.write("config.json", r#"{"model_type": "llama"}"#);
    let told = folder.refused(2, &["measure", "model.safetensors"]);
    assert!(told.contains("has no `num_attention_heads`"), "{told}");

    folder
        .write("config.json", config("llama", 2, ""))
        .write("text.txt", "A text.");
    let told = folder.refused(2, &["measure", "model.safetensors", "--text", "text.txt"]);
    assert!(
        told.contains("is a checkpoint, which llama.cpp does not run") && told.contains("GGUF"),
        "{told}"
    );

    let bytes = std::fs::read(folder.path("model.safetensors")).unwrap();
    folder.write("cut.safetensors", &bytes[..bytes.len() - 100]);
    let told = folder.refused(2, &["measure", "cut.safetensors"]);
    assert!(
        told.contains("is not a whole safetensors file") && told.contains("fetch it again"),
        "{told}"
    );

    safetensors(&folder.path("f64.safetensors"), Dtype::F64, &tensors);
    let told = folder.refused(2, &["measure", "f64.safetensors"]);
    assert!(told.contains("holds F64 numbers"), "{told}");

    std::fs::create_dir(folder.path("empty")).unwrap();
    let told = folder.refused(2, &["measure", "empty"]);
    assert!(told.contains("there is no `.safetensors` file in `empty`"), "{told}");

    let others: Tensors = tensors
        .into_iter()
        .map(|(name, shape, values)| (format!("x.{name}.y"), shape, values))
        .collect();
    safetensors(&folder.path("other.safetensors"), Dtype::F32, &others);
    let told = folder.refused(2, &["measure", "other.safetensors"]);
    assert!(
        told.contains("no tensor of `other.safetensors` is named like a block"),
        "{told}"
    );
}
