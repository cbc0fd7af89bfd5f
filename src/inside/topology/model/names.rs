//! From the names of Hugging Face checkpoints to those of GGUF files, in which the rest of the analysis is written.

/// What of a GGUF tensor a checkpoint's tensor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// The rows of one expert of a stacked tensor.
    Expert(usize),
    /// All of it, but each head's query, key and value follow one another, where GGUF has all queries first (GPT-NeoX).
    ByHead,
}

/// Matrices and norms of a block: the checkpoint's name, the name in GGUF.
const BLOCK: [(&str, &str); 18] = [
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.qkv_proj", "attn_qkv"),
    ("self_attn.o_proj", "attn_output"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.gate_up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    ("mlp.gate", "ffn_gate_inp"),
    ("block_sparse_moe.gate", "ffn_gate_inp"),
    ("input_layernorm", "attn_norm"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
    ("attention.query_key_value", "attn_qkv"),
    ("attention.dense", "attn_output"),
    ("mlp.dense_h_to_4h", "ffn_up"),
    ("mlp.dense_4h_to_h", "ffn_down"),
];

/// Matrices of an expert (Mixtral calls them w1, w3 and w2).
const EXPERT: [(&str, &str); 6] = [
    ("gate_proj", "ffn_gate_exps"),
    ("up_proj", "ffn_up_exps"),
    ("down_proj", "ffn_down_exps"),
    ("w1", "ffn_gate_exps"),
    ("w3", "ffn_up_exps"),
    ("w2", "ffn_down_exps"),
];

/// The last matrix of block 0, by which the prefix of a family's names is found: towers for images name theirs otherwise.
const LAST: [&str; 4] = [
    "0.mlp.down_proj.weight",
    "0.mlp.experts.0.down_proj.weight",
    "0.block_sparse_moe.experts.0.w2.weight",
    "0.mlp.dense_4h_to_h.weight",
];

/// The names of one checkpoint.
pub(super) struct Names<'a> {
    /// Before a block's number, such as `model.layers.`.
    prefix: &'a str,
    /// Whether norms stand before *and* after the FFN (Gemma 2 and 3), which changes what the norm after attention is.
    both_norms: bool,
}

impl<'a> Names<'a> {
    /// Finds the family; `None` where no name is like a block's.
    pub(super) fn new(names: &(impl Iterator<Item = &'a str> + Clone)) -> Option<Self> {
        let prefixes = names.clone().filter_map(|name| {
            let prefix = LAST.iter().find_map(|last| name.strip_suffix(last))?;
            (prefix.ends_with("layers.") || prefix.is_empty()).then_some(prefix)
        });
        // The shortest, where a second model (a draft, a tower) hangs below the first.
        let prefix = prefixes.min_by_key(|prefix| prefix.len())?;
        let norm = format!("{prefix}0.pre_feedforward_layernorm.weight");
        Some(Self {
            prefix,
            both_norms: names.clone().any(|name| name == norm),
        })
    }

    /// The name in GGUF of a checkpoint's tensor, and what of it that holds; `None` of what is not looked at.
    pub(super) fn translate(&self, name: &str) -> Option<(String, Part)> {
        let Some(rest) = name.strip_prefix(self.prefix) else {
            return self.outside(name).map(|name| (name.to_owned(), Part::Whole));
        };
        let (block, rest) = rest.split_once('.')?;
        let block: usize = block.parse().ok()?;
        let (matrix, kind) = rest.rsplit_once('.')?;
        if kind != "weight" && kind != "bias" {
            return None;
        }
        let named = |part: &str| format!("blk.{block}.{part}.{kind}");
        if matrix == "post_attention_layernorm" {
            let part = if self.both_norms {
                "post_attention_norm"
            } else {
                "ffn_norm"
            };
            return Some((named(part), Part::Whole));
        }
        let experts = ["mlp.experts.", "block_sparse_moe.experts."];
        if let Some(rest) = experts.iter().find_map(|start| matrix.strip_prefix(start)) {
            let (expert, matrix) = rest.split_once('.')?;
            let (_, part) = EXPERT.iter().find(|(theirs, _)| *theirs == matrix)?;
            return Some((named(part), Part::Expert(expert.parse().ok()?)));
        }
        let (_, part) = BLOCK.iter().find(|(theirs, _)| *theirs == matrix)?;
        let by_head = matrix == "attention.query_key_value";
        Some((named(part), if by_head { Part::ByHead } else { Part::Whole }))
    }

    /// Tensors outside the blocks.
    fn outside(&self, name: &str) -> Option<&'static str> {
        let model = self.prefix.strip_suffix("layers.").unwrap_or_default();
        match name.strip_prefix(model).unwrap_or(name) {
            "embed_tokens.weight" | "embed_in.weight" => Some("token_embd.weight"),
            "norm.weight" | "final_layer_norm.weight" => Some("output_norm.weight"),
            _ => match name {
                "lm_head.weight" | "embed_out.weight" => Some("output.weight"),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn translated(names: &[&str], name: &str) -> Option<(String, Part)> {
        Names::new(&names.iter().copied()).unwrap().translate(name)
    }

    #[test]
    fn the_norm_after_attention_is_the_ffns_unless_there_is_another() {
        let llama = ["model.layers.0.mlp.down_proj.weight"];
        let gemma = [llama[0], "model.layers.0.pre_feedforward_layernorm.weight"];
        let norm = "model.layers.3.post_attention_layernorm.weight";
        assert_eq!(translated(&llama, norm).unwrap().0, "blk.3.ffn_norm.weight");
        assert_eq!(translated(&gemma, norm).unwrap().0, "blk.3.post_attention_norm.weight");
    }

    #[test]
    fn experts_and_heads_are_parts_of_what_gguf_stacks() {
        let mixtral = ["model.layers.0.block_sparse_moe.experts.0.w2.weight"];
        let expert = translated(&mixtral, "model.layers.1.block_sparse_moe.experts.5.w3.weight");
        assert_eq!(expert, Some(("blk.1.ffn_up_exps.weight".to_owned(), Part::Expert(5))));
        let neox = ["gpt_neox.layers.0.mlp.dense_4h_to_h.weight"];
        let fused = translated(&neox, "gpt_neox.layers.2.attention.query_key_value.bias");
        assert_eq!(fused, Some(("blk.2.attn_qkv.bias".to_owned(), Part::ByHead)));
        let embedding = translated(&neox, "gpt_neox.embed_in.weight");
        assert_eq!(embedding, Some(("token_embd.weight".to_owned(), Part::Whole)));
    }

    #[test]
    fn towers_for_images_are_left_out() {
        let names = [
            "language_model.model.layers.0.mlp.down_proj.weight",
            "vision_tower.vision_model.encoder.layers.0.mlp.fc2.weight",
        ];
        assert_eq!(translated(&names, names[1]), None);
        assert_eq!(translated(&names, names[0]).unwrap().0, "blk.0.ffn_down.weight");
        assert_eq!(Names::new(&names[1..].iter().copied()).map(|_| ()), None);
    }
}
