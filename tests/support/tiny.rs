//! Models of a few thousand random weights, written as GGUF on the spot, for architectures that no model at hand has. Vocabulary and chat template are the
//! default model's; weights are 32-bit, so that results differ by rounding alone.

use std::fs;
use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Metadata values that these models need.
#[derive(Clone, Copy)]
pub enum Value {
    Count(u32),
    Real(f32),
}

/// A model to write.
pub struct Tiny {
    architecture: &'static str,
    fields: Vec<(&'static str, Value)>,
    tensors: Vec<(String, Vec<u64>)>,
}

const WIDTH: u64 = 32;

impl Tiny {
    /// Gemma 3: five layers of six see a window of `window` tokens only.
    pub fn gemma3(window: u32) -> Self {
        let (heads, size, ffn, layers) = (2, 16, 48, 6);
        let fields = vec![
            ("context_length", Value::Count(4096)),
            ("embedding_length", Value::Count(32)),
            ("block_count", Value::Count(layers)),
            ("feed_forward_length", Value::Count(48)),
            ("attention.head_count", Value::Count(2)),
            ("attention.head_count_kv", Value::Count(1)),
            ("attention.key_length", Value::Count(16)),
            ("attention.value_length", Value::Count(16)),
            ("attention.layer_norm_rms_epsilon", Value::Real(1e-6)),
            ("attention.sliding_window", Value::Count(window)),
            ("rope.freq_base", Value::Real(10000.0)),
        ];
        let mut tensors = vec![("output_norm.weight".to_owned(), vec![WIDTH])];
        for layer in 0..layers {
            for (name, shape) in [
                ("attn_norm.weight", vec![WIDTH]),
                ("attn_q.weight", vec![WIDTH, heads * size]),
                ("attn_k.weight", vec![WIDTH, size]),
                ("attn_v.weight", vec![WIDTH, size]),
                ("attn_output.weight", vec![heads * size, WIDTH]),
                ("attn_q_norm.weight", vec![size]),
                ("attn_k_norm.weight", vec![size]),
                ("post_attention_norm.weight", vec![WIDTH]),
                ("ffn_norm.weight", vec![WIDTH]),
                ("ffn_gate.weight", vec![WIDTH, ffn]),
                ("ffn_up.weight", vec![WIDTH, ffn]),
                ("ffn_down.weight", vec![ffn, WIDTH]),
                ("post_ffw_norm.weight", vec![WIDTH]),
            ] {
                tensors.push((format!("blk.{layer}.{name}"), shape));
            }
        }
        Self {
            architecture: "gemma3",
            fields,
            tensors,
        }
    }

    /// Mamba: a state of fixed size instead of a cache.
    pub fn mamba() -> Self {
        let (inner, state, rank, kernel, layers) = (64, 8, 4, 4, 2);
        let fields = vec![
            ("context_length", Value::Count(4096)),
            ("embedding_length", Value::Count(32)),
            ("block_count", Value::Count(layers)),
            ("feed_forward_length", Value::Count(0)),
            ("attention.head_count", Value::Count(0)),
            ("attention.layer_norm_rms_epsilon", Value::Real(1e-6)),
            ("ssm.conv_kernel", Value::Count(4)),
            ("ssm.inner_size", Value::Count(64)),
            ("ssm.state_size", Value::Count(8)),
            ("ssm.time_step_rank", Value::Count(4)),
        ];
        let mut tensors = vec![("output_norm.weight".to_owned(), vec![WIDTH])];
        for layer in 0..layers {
            for (name, shape) in [
                ("attn_norm.weight", vec![WIDTH]),
                ("ssm_in.weight", vec![WIDTH, 2 * inner]),
                ("ssm_conv1d.weight", vec![kernel, inner]),
                ("ssm_conv1d.bias", vec![inner]),
                ("ssm_x.weight", vec![inner, rank + 2 * state]),
                ("ssm_dt.weight", vec![rank, inner]),
                ("ssm_dt.bias", vec![inner]),
                ("ssm_a", vec![state, inner]),
                ("ssm_d", vec![inner]),
                ("ssm_out.weight", vec![inner, WIDTH]),
            ] {
                tensors.push((format!("blk.{layer}.{name}"), shape));
            }
        }
        Self {
            architecture: "mamba",
            fields,
            tensors,
        }
    }

    /// Writes the model to `path`, with the vocabulary of `like`.
    pub fn write(&self, path: &Path, like: &Path) {
        let (entries, vocabulary) = tokenizer(&fs::read(like).unwrap());
        let mut tensors = vec![("token_embd.weight".to_owned(), vec![WIDTH, vocabulary])];
        tensors.extend(self.tensors.iter().cloned());
        let mut out = b"GGUF".to_vec();
        out.extend(3_u32.to_le_bytes());
        out.extend((tensors.len() as u64).to_le_bytes());
        out.extend((1 + self.fields.len() as u64 + entries.len() as u64).to_le_bytes());
        text(&mut out, "general.architecture");
        out.extend(8_u32.to_le_bytes());
        text(&mut out, self.architecture);
        for (name, value) in &self.fields {
            text(&mut out, &format!("{}.{name}", self.architecture));
            match value {
                Value::Count(n) => {
                    out.extend(4_u32.to_le_bytes());
                    out.extend(n.to_le_bytes());
                }
                Value::Real(x) => {
                    out.extend(6_u32.to_le_bytes());
                    out.extend(x.to_le_bytes());
                }
            }
        }
        out.extend(entries.concat());
        let mut offset = 0;
        for (name, shape) in &tensors {
            text(&mut out, name);
            out.extend(u32::try_from(shape.len()).unwrap().to_le_bytes());
            out.extend(shape.iter().flat_map(|n| n.to_le_bytes()));
            out.extend(0_u32.to_le_bytes());
            out.extend(u64::to_le_bytes(offset));
            offset += (4 * shape.iter().product::<u64>()).next_multiple_of(32);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for (name, shape) in &tensors {
            out.resize(out.len().next_multiple_of(32), 0);
            for _ in 0..shape.iter().product::<u64>() {
                let noise = rng.random_range(-1.0_f32..1.0);
                let weight = match name.as_str() {
                    name if name.contains("norm") => 1.0 + 0.1 * noise,
                    // Decay of the state: between slow and fast.
                    name if name.ends_with("ssm_a") => -0.5 + 0.4 * noise,
                    _ => 0.5 * noise,
                };
                out.extend(weight.to_le_bytes());
            }
        }
        fs::write(path, out).unwrap();
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// The `tokenizer.*` entries of a GGUF file as they stand there, and how many tokens there are.
fn tokenizer(file: &[u8]) -> (Vec<Vec<u8>>, u64) {
    let number = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
    let size = |kind: u32| match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        other => panic!("GGUF type {other}"),
    };
    let kind = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let length = |at: usize| usize::try_from(number(at)).unwrap();
    let (mut entries, mut vocabulary, mut at) = (Vec::new(), 0, 24);
    for _ in 0..number(16) {
        let start = at;
        let key = &file[at + 8..at + 8 + length(at)];
        at += 8 + key.len();
        let of = kind(at);
        at += 4;
        match of {
            8 => at += 8 + length(at),
            9 => {
                let (of, count) = (kind(at), length(at + 4));
                at += 12;
                if key == b"tokenizer.ggml.tokens" {
                    vocabulary = count as u64;
                }
                for _ in 0..count {
                    at += if of == 8 { 8 + length(at) } else { size(of) };
                }
            }
            other => at += size(other),
        }
        if key.starts_with(b"tokenizer.") {
            entries.push(file[start..at].to_vec());
        }
    }
    (entries, vocabulary)
}
