//! Tiny checkpoints as Hugging Face lays them out: three llama blocks of width 64.

use safetensors::{Dtype, tensor::TensorView};
use widedeep::inside::emergence::SplitMix64;

use super::folder::Folder;

const MAPS: [(&str, usize, usize); 7] = [
    ("self_attn.q_proj", 64, 64),
    ("self_attn.k_proj", 32, 64),
    ("self_attn.v_proj", 32, 64),
    ("self_attn.o_proj", 64, 64),
    ("mlp.gate_proj", 160, 64),
    ("mlp.up_proj", 160, 64),
    ("mlp.down_proj", 64, 160),
];

/// A folder with Gaussian weights of this deviation. Equal seeds give equal weights up to their scale.
pub fn write(folder: &Folder, name: &str, blocks: usize, seed: u64, sigma: f64) {
    let mut sampler = SplitMix64::new(seed);
    let mut stored = Vec::new();
    for block in 0..blocks {
        for (map, rows, columns) in MAPS {
            #[expect(clippy::cast_possible_truncation, reason = "weights are floats")]
            let bytes: Vec<u8> = (0..rows * columns)
                .flat_map(|_| ((sigma * sampler.gaussian()) as f32).to_le_bytes())
                .collect();
            stored.push((format!("model.layers.{block}.{map}.weight"), vec![rows, columns], bytes));
        }
    }
    let views = stored
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let path = folder.path(name);
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(
        path.join("model.safetensors"),
        safetensors::serialize(views, None).unwrap(),
    )
    .unwrap();
    let config = r#"{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4}"#;
    std::fs::write(path.join("config.json"), config).unwrap();
}

/// A series whose weights grow and do nothing else.
pub fn growing() -> Folder {
    let folder = Folder::new();
    for (step, sigma) in [("00000", 0.02), ("00010", 0.025), ("00100", 0.03), ("01000", 0.04)] {
        write(&folder, &format!("step-{step}"), 3, 6, sigma);
    }
    folder
}
