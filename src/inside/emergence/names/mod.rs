//! Where files keep the maps of a block: names of tensors, and which of their rows.

use std::collections::BTreeMap;

use super::shape::{BlockShape, KeyValueIndices, MatrixShape, Projection};

pub(super) mod gguf;
pub(super) mod hugging_face;

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

impl Mapped {
    /// A block without maps, whose keys and values are tensors of their own.
    fn empty(head_size: Option<usize>) -> Self {
        let shape = BlockShape {
            key_value_indices: KeyValueIndices::Own,
            head_size,
            matrices: BTreeMap::new(),
        };
        Self {
            shape,
            places: BTreeMap::new(),
        }
    }

    /// Maps that one tensor holds stacked: queries, then keys, then values; `query` rows are queries. With as many keys as queries the tensor has three
    /// thirds, and one draw serves them all.
    fn stacked(&mut self, tensor: &str, listed: &Listed, query: usize) -> Result<(), NameError> {
        let left = listed.rows.checked_sub(query).filter(|left| left % 2 == 0);
        let key = left.ok_or_else(|| NameError::Indivisible {
            tensor: tensor.to_owned(),
            rows: listed.rows,
        })? / 2;
        self.put(Projection::Query, tensor, listed, query, Rows::From(0));
        self.put(Projection::Key, tensor, listed, key, Rows::From(query));
        self.put(Projection::Value, tensor, listed, key, Rows::From(query + key));
        if key == query {
            self.shape.key_value_indices = KeyValueIndices::Query;
        }
        Ok(())
    }

    fn put(&mut self, projection: Projection, tensor: &str, listed: &Listed, rows: usize, stored: Rows) {
        let shape = MatrixShape {
            rows,
            columns: listed.columns,
            precision: listed.precision.clone(),
        };
        self.shape.matrices.insert(projection, shape);
        let place = Stored {
            tensor: tensor.to_owned(),
            rows: stored,
        };
        self.places.insert(projection, place);
    }
}

/// What a checkpoint says of attention heads.
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
    /// No block at all.
    #[error(
        "there is no tensor `blk.0.attn_output.weight`; only decoder transformers whose blocks have attention and an MLP are supported"
    )]
    NoBlocks,
    /// A block of another kind.
    #[error(
        "there is no tensor `{tensor}`: block {block} is not attention with an MLP behind it (a state-space block, compressed keys and values), and such blocks are not supported"
    )]
    OtherBlock {
        /// The block.
        block: usize,
        /// What it lacks.
        tensor: String,
    },
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
