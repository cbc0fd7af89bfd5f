//! Small GGUF files, written by hand: models with random weights, of which a test knows every number.

use std::path::Path;

use rand::{RngExt, SeedableRng};

/// Writes GGUF version 3.
#[derive(Debug, Clone, Default)]
pub struct Gguf {
    fields: Vec<(String, Field)>,
    tensors: Vec<Stored>,
}

#[derive(Debug, Clone)]
pub enum Field {
    U16(u16),
    U32(u32),
    I32(i32),
    F32(f32),
    Text(String),
    Texts(Vec<String>),
}

#[derive(Debug, Clone)]
struct Stored {
    name: String,
    /// The contiguous dimension first.
    dimensions: Vec<usize>,
    /// ggml's number of the format.
    format: u32,
    bytes: Vec<u8>,
}

pub const F32: u32 = 0;

impl Gguf {
    #[must_use]
    pub fn field(mut self, key: &str, field: Field) -> Self {
        self.fields.push((key.to_owned(), field));
        self
    }

    #[must_use]
    pub fn bytes(mut self, name: &str, dimensions: &[usize], format: u32, bytes: Vec<u8>) -> Self {
        self.tensors.push(Stored {
            name: name.to_owned(),
            dimensions: dimensions.to_vec(),
            format,
            bytes,
        });
        self
    }

    #[must_use]
    pub fn floats(self, name: &str, dimensions: &[usize], values: &[f32]) -> Self {
        assert_eq!(values.len(), dimensions.iter().product::<usize>(), "{name}");
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.bytes(name, dimensions, F32, bytes)
    }

    /// The numbers of a tensor of floats.
    pub fn values(&self, name: &str) -> Vec<f32> {
        self.optional(name).unwrap()
    }

    /// The numbers of a tensor that may be absent.
    pub fn optional(&self, name: &str) -> Option<Vec<f32>> {
        let tensor = self.tensors.iter().find(|tensor| tensor.name == name)?;
        let (words, _) = tensor.bytes.as_chunks::<4>();
        Some(words.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }

    /// How many tensors it has.
    pub fn count(&self) -> usize {
        self.tensors.len()
    }

    /// The same file without some tensors.
    #[must_use]
    pub fn without(mut self, gone: impl Fn(&str) -> bool) -> Self {
        self.tensors.retain(|tensor| !gone(&tensor.name));
        self
    }

    pub fn write(&self, path: &Path) {
        self.write_part(path, |_| true);
    }

    /// Writes the fields and those tensors whose number is chosen.
    pub fn write_part(&self, path: &Path, chosen: impl Fn(usize) -> bool) {
        let tensors: Vec<&Stored> = (0..)
            .zip(&self.tensors)
            .filter(|(i, _)| chosen(*i))
            .map(|(_, t)| t)
            .collect();
        let mut file = b"GGUF".to_vec();
        file.extend(3u32.to_le_bytes());
        file.extend((tensors.len() as u64).to_le_bytes());
        file.extend((self.fields.len() as u64).to_le_bytes());
        for (key, field) in &self.fields {
            text(&mut file, key);
            field.write(&mut file);
        }
        let mut offset = 0;
        for tensor in &tensors {
            text(&mut file, &tensor.name);
            file.extend(u32::try_from(tensor.dimensions.len()).unwrap().to_le_bytes());
            for &n in &tensor.dimensions {
                file.extend((n as u64).to_le_bytes());
            }
            file.extend(tensor.format.to_le_bytes());
            file.extend((offset as u64).to_le_bytes());
            offset = (offset + tensor.bytes.len()).next_multiple_of(32);
        }
        for tensor in &tensors {
            file.resize(file.len().next_multiple_of(32), 0);
            file.extend(&tensor.bytes);
        }
        // llama.cpp wants the padding of the last tensor too.
        file.resize(file.len().next_multiple_of(32), 0);
        std::fs::write(path, file).unwrap();
    }
}

impl Field {
    fn write(&self, file: &mut Vec<u8>) {
        let tag = |file: &mut Vec<u8>, tag: u32| file.extend(tag.to_le_bytes());
        match self {
            Field::U16(value) => {
                tag(file, 2);
                file.extend(value.to_le_bytes());
            }
            Field::U32(value) => {
                tag(file, 4);
                file.extend(value.to_le_bytes());
            }
            Field::I32(value) => {
                tag(file, 5);
                file.extend(value.to_le_bytes());
            }
            Field::F32(value) => {
                tag(file, 6);
                file.extend(value.to_le_bytes());
            }
            Field::Text(value) => {
                tag(file, 8);
                text(file, value);
            }
            Field::Texts(values) => {
                tag(file, 9);
                tag(file, 8);
                file.extend((values.len() as u64).to_le_bytes());
                for value in values {
                    text(file, value);
                }
            }
        }
    }
}

fn text(file: &mut Vec<u8>, text: &str) {
    file.extend((text.len() as u64).to_le_bytes());
    file.extend(text.as_bytes());
}

/// A model of two layers: 32 wide, 48 units, 2 heads, 64 tokens; every weight is a 32-bit float, so that llama.cpp computes in floats.
pub const LAYERS: usize = 2;
pub const WIDTH: usize = 32;
pub const UNITS: usize = 48;
pub const VOCABULARY: usize = 64;

fn model(architecture: &str, seed: u64) -> (Gguf, impl FnMut(usize) -> Vec<f32>) {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let numbers = move |count: usize| -> Vec<f32> { (0..count).map(|_| random.random_range(-0.35..0.35f32)).collect() };
    let key = |name: &str| format!("{architecture}.{name}");
    let number = |n: usize| Field::U32(u32::try_from(n).unwrap());
    // Tokens are the bytes from `!` on: text is cut into bytes, since nothing is merged.
    let tokens: Vec<String> = (b'!'..)
        .take(VOCABULARY)
        .map(|byte| char::from(byte).to_string())
        .collect();
    let gguf = Gguf::default()
        .field("general.architecture", Field::Text(architecture.to_owned()))
        .field(&key("block_count"), number(LAYERS))
        .field(&key("context_length"), number(256))
        .field(&key("embedding_length"), number(WIDTH))
        .field(&key("feed_forward_length"), number(UNITS))
        .field(&key("attention.head_count"), number(2))
        .field(&key("attention.layer_norm_rms_epsilon"), Field::F32(1e-5))
        .field(&key("attention.layer_norm_epsilon"), Field::F32(1e-5))
        .field(&key("rope.dimension_count"), number(WIDTH / 2))
        .field(&key("vocab_size"), number(VOCABULARY))
        .field("tokenizer.ggml.model", Field::Text("gpt2".to_owned()))
        .field("tokenizer.ggml.tokens", Field::Texts(tokens))
        .field("tokenizer.ggml.merges", Field::Texts(vec!["! !".to_owned()]))
        .field("tokenizer.ggml.bos_token_id", number(0))
        .field("tokenizer.ggml.eos_token_id", number(0));
    (gguf, numbers)
}

/// A llama: attention, and a gated layer with SiLU.
pub fn llama() -> Gguf {
    let (gguf, mut numbers) = model("llama", 1);
    let mut gguf = attention(gguf, &mut numbers);
    for layer in 0..LAYERS {
        let mut add = |gguf: Gguf, name: &str, size: [usize; 2]| {
            gguf.floats(
                &format!("blk.{layer}.{name}.weight"),
                &size,
                &numbers(size[0] * size[1]),
            )
        };
        gguf = add(gguf, "ffn_gate", [WIDTH, UNITS]);
        gguf = add(gguf, "ffn_up", [WIDTH, UNITS]);
        gguf = add(gguf, "ffn_down", [UNITS, WIDTH]);
    }
    gguf
}

/// The same numbers as [`llama`]'s, with biases in the feed-forward layers.
pub fn biased() -> Gguf {
    let mut gguf = llama();
    let (_, mut numbers) = model("llama", 2);
    for layer in 0..LAYERS {
        gguf = gguf.floats(&format!("blk.{layer}.ffn_gate.bias"), &[UNITS], &numbers(UNITS));
        gguf = gguf.floats(&format!("blk.{layer}.ffn_up.bias"), &[UNITS], &numbers(UNITS));
        gguf = gguf.floats(&format!("blk.{layer}.ffn_down.bias"), &[WIDTH], &numbers(WIDTH));
    }
    gguf
}

/// A Phi-3: gate and up-projection in one tensor, the gate's rows first.
pub fn fused() -> Gguf {
    let (gguf, mut numbers) = model("phi3", 1);
    let mut gguf = attention(gguf, &mut numbers);
    for layer in 0..LAYERS {
        gguf = gguf.floats(
            &format!("blk.{layer}.ffn_up.weight"),
            &[WIDTH, 2 * UNITS],
            &numbers(2 * WIDTH * UNITS),
        );
        gguf = gguf.floats(
            &format!("blk.{layer}.ffn_down.weight"),
            &[UNITS, WIDTH],
            &numbers(WIDTH * UNITS),
        );
    }
    gguf
}

/// A GPT-2: no gate, biases everywhere.
pub fn ungated() -> Gguf {
    let (gguf, mut numbers) = model("gpt2", 1);
    let mut gguf = gguf
        .floats("token_embd.weight", &[WIDTH, VOCABULARY], &numbers(WIDTH * VOCABULARY))
        .floats("position_embd.weight", &[WIDTH, 256], &numbers(WIDTH * 256))
        .floats("output_norm.weight", &[WIDTH], &[1.0; WIDTH])
        .floats("output_norm.bias", &[WIDTH], &[0.0; WIDTH]);
    for layer in 0..LAYERS {
        for (name, columns, rows) in [
            ("attn_qkv", WIDTH, 3 * WIDTH),
            ("attn_output", WIDTH, WIDTH),
            ("ffn_up", WIDTH, UNITS),
            ("ffn_down", UNITS, WIDTH),
        ] {
            let name = format!("blk.{layer}.{name}");
            gguf = gguf.floats(&format!("{name}.weight"), &[columns, rows], &numbers(columns * rows));
            gguf = gguf.floats(&format!("{name}.bias"), &[rows], &numbers(rows));
        }
        for norm in ["attn_norm", "ffn_norm"] {
            gguf = gguf.floats(&format!("blk.{layer}.{norm}.weight"), &[WIDTH], &[1.0; WIDTH]);
            gguf = gguf.floats(&format!("blk.{layer}.{norm}.bias"), &[WIDTH], &[0.0; WIDTH]);
        }
    }
    gguf
}

/// A mixture of two experts in every layer.
pub fn experts() -> Gguf {
    let (gguf, mut numbers) = model("llama", 1);
    let gguf = gguf
        .field("llama.expert_count", Field::U32(2))
        .field("llama.expert_used_count", Field::U32(1));
    let mut gguf = attention(gguf, &mut numbers);
    for layer in 0..LAYERS {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let count = 2 * WIDTH * UNITS;
        gguf = gguf
            .floats(&name("ffn_gate_inp"), &[WIDTH, 2], &numbers(2 * WIDTH))
            .floats(&name("ffn_gate_exps"), &[WIDTH, UNITS, 2], &numbers(count))
            .floats(&name("ffn_up_exps"), &[WIDTH, UNITS, 2], &numbers(count))
            .floats(&name("ffn_down_exps"), &[UNITS, WIDTH, 2], &numbers(count));
    }
    gguf
}

fn attention(gguf: Gguf, numbers: &mut impl FnMut(usize) -> Vec<f32>) -> Gguf {
    let mut gguf = gguf
        .floats("token_embd.weight", &[WIDTH, VOCABULARY], &numbers(WIDTH * VOCABULARY))
        .floats("output_norm.weight", &[WIDTH], &[1.0; WIDTH]);
    for layer in 0..LAYERS {
        for part in ["attn_q", "attn_k", "attn_v", "attn_output"] {
            let name = format!("blk.{layer}.{part}.weight");
            gguf = gguf.floats(&name, &[WIDTH, WIDTH], &numbers(WIDTH * WIDTH));
        }
        for norm in ["attn_norm", "ffn_norm"] {
            gguf = gguf.floats(&format!("blk.{layer}.{norm}.weight"), &[WIDTH], &[1.0; WIDTH]);
        }
    }
    gguf
}
