//! Which linear maps a model's blocks have, by their role, and of which size. Rows are outputs, columns inputs.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// The role of a linear map in a transformer block. Maps that a file stores fused are separate here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Projection {
    /// Block input to queries.
    Query,
    /// Block input to keys.
    Key,
    /// Block input to values.
    Value,
    /// Attention output to the residual stream.
    Output,
    /// MLP input to the gate of an expert; a dense MLP is expert 0.
    Gate(usize),
    /// MLP input to the hidden units of an expert.
    Up(usize),
    /// Hidden units of an expert to the residual stream.
    Down(usize),
}

impl fmt::Display for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query => write!(f, "query"),
            Self::Key => write!(f, "key"),
            Self::Value => write!(f, "value"),
            Self::Output => write!(f, "output"),
            Self::Gate(expert) => write!(f, "gate of expert {expert}"),
            Self::Up(expert) => write!(f, "up of expert {expert}"),
            Self::Down(expert) => write!(f, "down of expert {expert}"),
        }
    }
}

/// The size of a linear map, and how its weights are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MatrixShape {
    /// Outputs.
    pub rows: usize,
    /// Inputs.
    pub columns: usize,
    /// The name of the storage type (`F32`, `Q4_K`, …): a series must not mix them.
    pub precision: String,
}

/// Where the sampled keys and values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyValueIndices {
    /// From a draw of their own: models with separate tensors.
    Own,
    /// From the draw for the queries: models with one fused tensor of three thirds.
    Query,
}

/// One transformer block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockShape {
    /// Where sampled keys and values come from.
    pub key_value_indices: KeyValueIndices,
    /// Rows of the query map per head; needed for paths of more than one edge through grouped-query attention.
    pub head_size: Option<usize>,
    /// The maps.
    #[serde(serialize_with = "by_name")]
    pub matrices: BTreeMap<Projection, MatrixShape>,
}

fn by_name<S: serde::Serializer>(matrices: &BTreeMap<Projection, MatrixShape>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(
        matrices
            .iter()
            .map(|(projection, shape)| (projection.to_string(), shape)),
    )
}

impl BlockShape {
    pub(super) fn rows(&self, projection: Projection) -> usize {
        self.matrices.get(&projection).map_or(0, |shape| shape.rows)
    }

    pub(super) fn columns(&self, projection: Projection) -> usize {
        self.matrices.get(&projection).map_or(0, |shape| shape.columns)
    }

    /// How many experts the MLP has; 1 for a dense one.
    pub fn experts(&self) -> usize {
        self.matrices
            .keys()
            .filter(|projection| matches!(projection, Projection::Down(_)))
            .count()
    }

    /// Whether the MLP has a gate.
    pub fn is_gated(&self) -> bool {
        self.matrices.contains_key(&Projection::Gate(0))
    }

    fn check(&self, block: usize) -> Result<(), ShapeError> {
        let of = |projection: Projection| {
            self.matrices
                .get(&projection)
                .ok_or(ShapeError::Missing { block, projection })
        };
        let hidden = of(Projection::Query)?.columns;
        let equal = |projection: Projection, what: &'static str, found: usize, expected: usize| {
            if found == expected {
                Ok(())
            } else {
                Err(ShapeError::Mismatch {
                    block,
                    projection,
                    what,
                    found,
                    expected,
                })
            }
        };
        for projection in [Projection::Key, Projection::Value] {
            equal(projection, "columns", of(projection)?.columns, hidden)?;
        }
        // One draw serves both.
        equal(
            Projection::Value,
            "rows",
            of(Projection::Value)?.rows,
            of(Projection::Key)?.rows,
        )?;
        equal(Projection::Output, "rows", of(Projection::Output)?.rows, hidden)?;
        if self.key_value_indices == KeyValueIndices::Query {
            equal(
                Projection::Key,
                "rows",
                of(Projection::Key)?.rows,
                of(Projection::Query)?.rows,
            )?;
        }
        if self.experts() == 0 {
            return Err(ShapeError::Missing {
                block,
                projection: Projection::Down(0),
            });
        }
        for expert in 0..self.experts() {
            let width = of(Projection::Down(expert))?.columns;
            equal(
                Projection::Down(expert),
                "rows",
                of(Projection::Down(expert))?.rows,
                hidden,
            )?;
            let inward = [Projection::Up(expert), Projection::Gate(expert)];
            for projection in inward.into_iter().take(1 + usize::from(self.is_gated())) {
                equal(projection, "rows", of(projection)?.rows, width)?;
                equal(projection, "columns", of(projection)?.columns, hidden)?;
            }
        }
        Ok(())
    }
}

/// All blocks of a model; one that exists is consistent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    architecture: String,
    blocks: Vec<BlockShape>,
}

impl Shape {
    /// Checks that the maps of every block fit together.
    pub fn new(architecture: impl Into<String>, blocks: Vec<BlockShape>) -> Result<Self, ShapeError> {
        if blocks.is_empty() {
            return Err(ShapeError::NoBlocks);
        }
        for (nth, block) in blocks.iter().enumerate() {
            block.check(nth)?;
        }
        Ok(Self {
            architecture: architecture.into(),
            blocks,
        })
    }

    /// The architecture's name.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The blocks, from the input on.
    pub fn blocks(&self) -> &[BlockShape] {
        &self.blocks
    }

    /// What first differs from another model, if anything: such two cannot be checkpoints of one series.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self.architecture != other.architecture {
            return Some(format!(
                "architecture `{}` against `{}`",
                self.architecture, other.architecture
            ));
        }
        if self.blocks.len() != other.blocks.len() {
            return Some(format!("{} blocks against {}", self.blocks.len(), other.blocks.len()));
        }
        let mut pairs = self.blocks.iter().zip(&other.blocks).enumerate();
        pairs.find_map(|(block, (one, another))| {
            for (projection, shape) in &one.matrices {
                let Some(also) = another.matrices.get(projection) else {
                    return Some(format!("no {projection} map in block {block}"));
                };
                if shape != also {
                    let text = |shape: &MatrixShape| format!("{}×{} {}", shape.rows, shape.columns, shape.precision);
                    let (shape, also) = (text(shape), text(also));
                    return Some(format!("the {projection} map of block {block}: {shape} against {also}"));
                }
            }
            (one != another).then(|| format!("the maps of block {block}"))
        })
    }
}

/// Maps that do not make a transformer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ShapeError {
    /// Nothing at all.
    #[error("the model has no transformer blocks with attention and an MLP; other architectures are not supported")]
    NoBlocks,
    /// A map that every block needs.
    #[error("block {block} has no {projection} map; only blocks with attention and an MLP are supported")]
    Missing {
        /// The block.
        block: usize,
        /// The map.
        projection: Projection,
    },
    /// A map of the wrong size.
    #[error("the {projection} map of block {block} has {found} {what}, not {expected}; such blocks are not supported")]
    Mismatch {
        /// The block.
        block: usize,
        /// The map.
        projection: Projection,
        /// `rows` or `columns`.
        what: &'static str,
        /// What it has.
        found: usize,
        /// What the other maps ask for.
        expected: usize,
    },
}
