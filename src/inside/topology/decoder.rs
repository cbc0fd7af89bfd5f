//! Where the matrices of a decoder transformer are (specification section 6.1), by their names in GGUF files.

use thiserror::Error;

use super::weights::{Shape, Slab, Weights};

/// Attention heads of every block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Query heads, H.
    pub query: usize,
    /// Key and value heads, G; H/G query heads share one.
    pub key_value: usize,
}

/// How attention and FFN follow one another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wiring {
    /// The FFN reads what attention wrote.
    #[default]
    Sequential,
    /// Both read the block's input (GPT-NeoX, GPT-J, Phi): there is no stream between them.
    Parallel,
}

/// Tensors that do not make a decoder.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecoderError {
    /// No block of which anything is known.
    #[error(
        "the model has no tensor `blk.0.attn_output.weight` or `blk.0.ffn_down.weight`: topology needs a decoder transformer under GGUF names"
    )]
    NoBlocks,
    /// A tensor that a block must have.
    #[error("the model has `{beside}` but no `{missing}`: this architecture's blocks are not known here")]
    Missing {
        /// What there is.
        beside: String,
        /// What should be beside it.
        missing: String,
    },
    /// A tensor of another shape than its neighbours ask for.
    #[error("tensor `{tensor}` is {found:?} where {expected} is expected from the heads and the tensors beside it")]
    Shape {
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: Shape,
        /// What is expected, in words.
        expected: String,
    },
}

/// A matrix of a block. `slab.tensor` is its full name; a bias, where there is one, has the same rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    /// Its rows.
    pub slab: Slab,
    /// Its columns.
    pub columns: usize,
    /// The name of its bias, where the model has one.
    pub bias: Option<String>,
}

/// The attention of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// `[H * width][d]`.
    pub query: Projection,
    /// `[G * width][d]`.
    pub key: Projection,
    /// `[G * width][d]`.
    pub value: Projection,
    /// `[d][H * width]`.
    pub output: Projection,
    /// Name of the norm before, without `.weight`.
    pub norm: Option<String>,
    /// Name of the norm after the output, without `.weight`.
    pub post_norm: Option<String>,
    /// Coordinates of a head.
    pub width: usize,
}

/// One gated or plain feed-forward network: a block's only one, or an expert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expert {
    /// `[f][d]`.
    pub up: Projection,
    /// `[f][d]`, where the FFN is gated.
    pub gate: Option<Projection>,
    /// `[d][f]`.
    pub down: Projection,
}

/// The feed-forward part of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedForward {
    /// One, or the experts in order.
    pub experts: Vec<Expert>,
    /// `[experts][d]`, where there are several.
    pub router: Option<Projection>,
    /// Name of the norm before, without `.weight`.
    pub norm: Option<String>,
    /// Name of the norm after the output, without `.weight`.
    pub post_norm: Option<String>,
}

/// One block's matrices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its attention, unless it has another mixer in its place.
    pub attention: Option<Attention>,
    /// Its FFN.
    pub feed_forward: Option<FeedForward>,
}

/// A decoder's blocks, first to last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoder {
    /// The blocks.
    pub blocks: Vec<Block>,
    /// Query and key/value heads.
    pub heads: Heads,
    /// How attention and FFN follow one another.
    pub wiring: Wiring,
}

impl Decoder {
    /// Finds the blocks' tensors by name.
    pub fn find<W: Weights + ?Sized>(weights: &W, heads: Heads, wiring: Wiring) -> Result<Self, DecoderError> {
        let mut blocks = Vec::new();
        loop {
            let names = Names {
                weights,
                prefix: format!("blk.{}.", blocks.len()),
            };
            let block = Block {
                attention: names.attention(heads)?,
                feed_forward: names.feed_forward(wiring)?,
            };
            if block.attention.is_none() && block.feed_forward.is_none() {
                break;
            }
            blocks.push(block);
        }
        if blocks.is_empty() {
            return Err(DecoderError::NoBlocks);
        }
        Ok(Self { blocks, heads, wiring })
    }
}

struct Names<'a, W: ?Sized> {
    weights: &'a W,
    prefix: String,
}

impl<W: Weights + ?Sized> Names<'_, W> {
    fn attention(&self, heads: Heads) -> Result<Option<Attention>, DecoderError> {
        let Some(output) = self.projection("attn_output") else {
            return Ok(None);
        };
        let (queries, groups) = (heads.query, heads.key_value);
        let width = output.columns.checked_div(queries).unwrap_or(0);
        let fits = groups > 0 && width > 0 && queries.is_multiple_of(groups) && width * queries == output.columns;
        if !fits {
            return Err(self.misshapen(
                &output,
                format!("{queries} query heads, a multiple of {groups}, of equal width"),
            ));
        }
        let (query, key, value) = if let Some(fused) = self.projection("attn_qkv") {
            let (q, kv) = (queries * width, groups * width);
            if fused.slab.rows.len() != q + 2 * kv {
                return Err(self.misshapen(&fused, format!("{} rows", q + 2 * kv)));
            }
            let part = |rows| Projection {
                slab: Slab {
                    tensor: fused.slab.tensor.clone(),
                    rows,
                },
                ..fused.clone()
            };
            (part(0..q), part(q..q + kv), part(q + kv..q + 2 * kv))
        } else {
            let beside = &output.slab.tensor;
            let part = |name, rows: usize| {
                let found = self.required(name, beside)?;
                if found.slab.rows.len() == rows {
                    Ok(found)
                } else {
                    Err(self.misshapen(&found, format!("{rows} rows")))
                }
            };
            (
                part("attn_q", queries * width)?,
                part("attn_k", groups * width)?,
                part("attn_v", groups * width)?,
            )
        };
        Ok(Some(Attention {
            query,
            key,
            value,
            output,
            norm: self.norm(&["attn_norm"]),
            post_norm: self.norm(&["post_attention_norm"]),
            width,
        }))
    }

    fn feed_forward(&self, wiring: Wiring) -> Result<Option<FeedForward>, DecoderError> {
        let mut experts = Vec::new();
        if let Some(down) = self.projection("ffn_down") {
            let up = self.required("ffn_up", &down.slab.tensor)?;
            // Some architectures store gate and up in one tensor, gate first.
            let units = down.columns;
            let (gate, up) = if up.slab.rows.len() == 2 * units {
                let half = |rows| Projection {
                    slab: Slab {
                        tensor: up.slab.tensor.clone(),
                        rows,
                    },
                    ..up.clone()
                };
                (Some(half(0..units)), half(units..2 * units))
            } else {
                (self.projection("ffn_gate"), up)
            };
            experts.push(Expert { up, gate, down });
        }
        if let Some(down) = self.projection("ffn_down_exps") {
            let up = self.required("ffn_up_exps", &down.slab.tensor)?;
            let gate = self.projection("ffn_gate_exps");
            let count = up.slab.rows.len().checked_div(down.columns).unwrap_or(0);
            let of = |stacked: &Projection, expert: usize| {
                let rows = stacked.slab.rows.len() / count;
                Projection {
                    slab: Slab {
                        tensor: stacked.slab.tensor.clone(),
                        rows: expert * rows..(expert + 1) * rows,
                    },
                    bias: None,
                    columns: stacked.columns,
                }
            };
            experts.extend((0..count).map(|expert| Expert {
                up: of(&up, expert),
                gate: gate.as_ref().map(|gate| of(gate, expert)),
                down: of(&down, expert),
            }));
        }
        for expert in &experts {
            let units = expert.down.columns;
            for part in [Some(&expert.up), expert.gate.as_ref()].into_iter().flatten() {
                if part.slab.rows.len() != units {
                    return Err(self.misshapen(part, format!("{units} rows")));
                }
            }
        }
        // GPT-J and Phi have one norm for both.
        let norms: &[&str] = match wiring {
            Wiring::Sequential => &["ffn_norm"],
            Wiring::Parallel => &["ffn_norm", "attn_norm"],
        };
        Ok((!experts.is_empty()).then(|| FeedForward {
            experts,
            router: self.projection("ffn_gate_inp"),
            norm: self.norm(norms),
            post_norm: self.norm(&["post_ffw_norm"]),
        }))
    }

    fn projection(&self, name: &str) -> Option<Projection> {
        let tensor = format!("{}{name}.weight", self.prefix);
        let bias = format!("{}{name}.bias", self.prefix);
        let Shape { rows, columns } = self.weights.shape(&tensor)?;
        Some(Projection {
            slab: Slab { tensor, rows: 0..rows },
            columns,
            bias: self.weights.shape(&bias).map(|_| bias),
        })
    }

    fn required(&self, name: &str, beside: &str) -> Result<Projection, DecoderError> {
        self.projection(name).ok_or_else(|| DecoderError::Missing {
            beside: beside.to_owned(),
            missing: format!("{}{name}.weight", self.prefix),
        })
    }

    /// The first of some norms that the model has.
    fn norm(&self, names: &[&str]) -> Option<String> {
        let mut names = names.iter().map(|name| format!("{}{name}", self.prefix));
        names.find(|name| self.weights.shape(&format!("{name}.weight")).is_some())
    }

    fn misshapen(&self, projection: &Projection, expected: String) -> DecoderError {
        let tensor = projection.slab.tensor.clone();
        let found = self.weights.shape(&tensor).unwrap_or(Shape { rows: 0, columns: 0 });
        DecoderError::Shape {
            tensor,
            found,
            expected,
        }
    }
}
