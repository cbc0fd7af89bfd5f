//! Where Hugging Face checkpoints keep the maps of a block: names of tensors, and which of their rows.

use std::collections::BTreeMap;

use super::shape::{BlockShape, KeyValueIndices, MatrixShape, Projection};

/// Which rows of a stored tensor make a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// Those from this one on.
    From(usize),
    /// GPT-NeoX: the rows of each head's query, key and value follow each other, head by head; `part` is 0, 1 or 2.
    PerHead { head: usize, part: usize },
}

impl Rows {
    /// The stored row of a map's row.
    pub(super) fn stored(self, row: usize) -> usize {
        match self {
            Self::From(first) => first + row,
            Self::PerHead { head, part } => row / head * 3 * head + part * head + row % head,
        }
    }
}

/// A map's place in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) tensor: String,
    pub(super) rows: Rows,
}

/// A tensor as a checkpoint's header describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) precision: String,
}

/// What a block of a checkpoint holds.
pub(super) struct Mapped {
    pub(super) shape: BlockShape,
    pub(super) places: BTreeMap<Projection, Stored>,
}

/// What `config.json` says of attention heads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heads {
    pub(super) count: Option<usize>,
    pub(super) size: Option<usize>,
}

/// Why names make no block.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// No names of a known family.
    #[error(
        "no tensor is named like a block of a llama-, gemma-, qwen- or GPT-NeoX-style model (such as `model.layers.0.mlp.down_proj.weight` or `gpt_neox.layers.0.mlp.dense_4h_to_h.weight`)"
    )]
    UnknownFamily,
    /// A block lacks a tensor.
    #[error("there is no tensor `{0}`; the checkpoint may be one of several files, so give their folder")]
    Missing(String),
    /// The rows of a fused tensor cannot be told apart.
    #[error(
        "the rows of `{tensor}` are stored head by head, and `num_attention_heads` is not known; put the model's `config.json` beside it"
    )]
    UnknownHeads {
        /// The fused tensor.
        tensor: String,
    },
    /// A fused tensor of an odd size.
    #[error("`{tensor}` has {rows} rows, which do not divide into its maps")]
    Indivisible {
        /// The fused tensor.
        tensor: String,
        /// Its rows.
        rows: usize,
    },
}

/// The last map of a block, by which a family and its prefix are found: towers for images name theirs otherwise.
const DOWN: [&str; 3] = [
    "mlp.down_proj.weight",
    "mlp.experts.0.down_proj.weight",
    "mlp.dense_4h_to_h.weight",
];

/// The part of the names before the block's number, such as `model.layers.`.
fn prefix(tensors: &BTreeMap<String, Listed>) -> Result<&str, NameError> {
    let names = tensors.keys().filter_map(|name| {
        let rest = DOWN.iter().find_map(|down| name.strip_suffix(down))?;
        rest.strip_suffix("0.")
            .filter(|prefix| prefix.ends_with('.') || prefix.is_empty())
    });
    // The shortest, where a second model (a draft, a tower) hangs below the first.
    names.min_by_key(|prefix| prefix.len()).ok_or(NameError::UnknownFamily)
}

/// The blocks of a checkpoint with these tensors.
pub(super) fn blocks(tensors: &BTreeMap<String, Listed>, heads: Heads) -> Result<Vec<Mapped>, NameError> {
    let prefix = prefix(tensors)?;
    let count = (0..).take_while(|block| {
        let start = format!("{prefix}{block}.");
        tensors
            .range(start.clone()..)
            .next()
            .is_some_and(|(name, _)| name.starts_with(&start))
    });
    count
        .map(|block: usize| {
            Names {
                tensors,
                start: format!("{prefix}{block}."),
                heads,
            }
            .block()
        })
        .collect()
}

/// The tensors of one block.
struct Names<'a> {
    tensors: &'a BTreeMap<String, Listed>,
    start: String,
    heads: Heads,
}

impl Names<'_> {
    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(&format!("{}{name}.weight", self.start))
    }

    fn get(&self, name: &str) -> Result<(String, &Listed), NameError> {
        let full = format!("{}{name}.weight", self.start);
        match self.tensors.get(&full) {
            Some(listed) => Ok((full, listed)),
            None => Err(NameError::Missing(full)),
        }
    }

    fn block(&self) -> Result<Mapped, NameError> {
        let mut mapped = Mapped {
            shape: BlockShape {
                key_value_indices: KeyValueIndices::Own,
                head_size: self.heads.size,
                matrices: BTreeMap::new(),
            },
            places: BTreeMap::new(),
        };
        if self.has("attention.query_key_value") {
            self.neox(&mut mapped)?;
            return Ok(mapped);
        }
        let output = self.whole(&mut mapped, Projection::Output, "self_attn.o_proj")?;
        if self.has("self_attn.qkv_proj") {
            self.stacked(&mut mapped, output.columns)?;
        } else {
            self.whole(&mut mapped, Projection::Query, "self_attn.q_proj")?;
            self.whole(&mut mapped, Projection::Key, "self_attn.k_proj")?;
            self.whole(&mut mapped, Projection::Value, "self_attn.v_proj")?;
        }
        if self.has("mlp.gate_up_proj") {
            let down = self.whole(&mut mapped, Projection::Down(0), "mlp.down_proj")?;
            let (tensor, listed) = self.get("mlp.gate_up_proj")?;
            if listed.rows != 2 * down.columns {
                return Err(NameError::Indivisible {
                    tensor,
                    rows: listed.rows,
                });
            }
            put(
                &mut mapped,
                Projection::Gate(0),
                &tensor,
                listed,
                down.columns,
                Rows::From(0),
            );
            put(
                &mut mapped,
                Projection::Up(0),
                &tensor,
                listed,
                down.columns,
                Rows::From(down.columns),
            );
            return Ok(mapped);
        }
        if self.has("mlp.down_proj") {
            self.expert(&mut mapped, 0, "mlp.")?;
            return Ok(mapped);
        }
        let of = |expert: usize| format!("mlp.experts.{expert}.");
        let experts = (0..self.tensors.len())
            .take_while(|expert| self.has(&format!("{}down_proj", of(*expert))))
            .count();
        for expert in 0..experts {
            self.expert(&mut mapped, expert, &of(expert))?;
        }
        if experts == 0 {
            return Err(NameError::Missing(format!("{}mlp.down_proj.weight", self.start)));
        }
        Ok(mapped)
    }

    fn expert(&self, mapped: &mut Mapped, expert: usize, start: &str) -> Result<(), NameError> {
        if self.has(&format!("{start}gate_proj")) {
            self.whole(mapped, Projection::Gate(expert), &format!("{start}gate_proj"))?;
        }
        self.whole(mapped, Projection::Up(expert), &format!("{start}up_proj"))?;
        self.whole(mapped, Projection::Down(expert), &format!("{start}down_proj"))?;
        Ok(())
    }

    /// A map that is a tensor of its own.
    fn whole(&self, mapped: &mut Mapped, projection: Projection, name: &str) -> Result<&Listed, NameError> {
        let (tensor, listed) = self.get(name)?;
        put(mapped, projection, &tensor, listed, listed.rows, Rows::From(0));
        Ok(listed)
    }

    /// Queries, then keys, then values.
    fn stacked(&self, mapped: &mut Mapped, query: usize) -> Result<(), NameError> {
        let (tensor, listed) = self.get("self_attn.qkv_proj")?;
        let left = listed.rows.checked_sub(query).filter(|left| left % 2 == 0);
        let key = left.ok_or(NameError::Indivisible {
            tensor: tensor.clone(),
            rows: listed.rows,
        })? / 2;
        put(mapped, Projection::Query, &tensor, listed, query, Rows::From(0));
        put(mapped, Projection::Key, &tensor, listed, key, Rows::From(query));
        put(mapped, Projection::Value, &tensor, listed, key, Rows::From(query + key));
        if key == query {
            mapped.shape.key_value_indices = KeyValueIndices::Query;
        }
        Ok(())
    }

    fn neox(&self, mapped: &mut Mapped) -> Result<(), NameError> {
        let (tensor, listed) = self.get("attention.query_key_value")?;
        let rows = listed.rows / 3;
        let heads = self
            .heads
            .count
            .ok_or(NameError::UnknownHeads { tensor: tensor.clone() })?;
        if heads == 0 || listed.rows % (3 * heads) != 0 {
            return Err(NameError::Indivisible {
                tensor,
                rows: listed.rows,
            });
        }
        let head = rows / heads;
        for (part, projection) in [Projection::Query, Projection::Key, Projection::Value]
            .into_iter()
            .enumerate()
        {
            put(mapped, projection, &tensor, listed, rows, Rows::PerHead { head, part });
        }
        mapped.shape.key_value_indices = KeyValueIndices::Query;
        mapped.shape.head_size = Some(head);
        self.whole(mapped, Projection::Output, "attention.dense")?;
        self.whole(mapped, Projection::Up(0), "mlp.dense_h_to_4h")?;
        self.whole(mapped, Projection::Down(0), "mlp.dense_4h_to_h")?;
        Ok(())
    }
}

fn put(mapped: &mut Mapped, projection: Projection, tensor: &str, listed: &Listed, rows: usize, stored: Rows) {
    let shape = MatrixShape {
        rows,
        columns: listed.columns,
        precision: listed.precision.clone(),
    };
    mapped.shape.matrices.insert(projection, shape);
    let place = Stored {
        tensor: tensor.to_owned(),
        rows: stored,
    };
    mapped.places.insert(projection, place);
}
