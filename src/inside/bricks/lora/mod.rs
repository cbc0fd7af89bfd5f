//! Low-rank adapters as bricks (spec §6.2 and §6.5).
//!
//! An adapter of one tensor is `A [r][inputs]` and `B [outputs][r]` with an α: at scale s the runtime computes `y = W x + s·(α/r)·B(A x)`, where an α of 0 stands for α = r. Adapters are summed exactly
//! by joining them; averages of their *products* are cut back to a rank by singular values. Averaging A and B apart is another, wrong thing.

mod adapter;
mod low_rank;

pub use adapter::{Lora, LoraError};
pub use low_rank::{LowRank, average, extract, merge_adapters, singular_values};
