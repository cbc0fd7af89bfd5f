//! Attention over a long cache, in place of llama.cpp's for the CPU.
//!
//! Neurons that decode together share most of what they attend to. ggml's kernel for few tokens takes each of them, and each of its heads, by
//! itself, and converts every key and value anew for each, so that writing slows down with the length of the prompt (benchmarks/README.md). Here a key is converted
//! once for all tokens and heads that read it. ggml is asked to plan for this by an interface of its own: a back end that offers one operation, as its
//! BLAS back end offers matrix products. What it does not offer stays with the CPU, or with a GPU.

#![expect(
    unsafe_code,
    reason = "ggml calls through tables of C functions and hands over addresses"
)]

mod abi;
mod device;
mod operation;
mod pool;
mod tile;
mod workshop;

#[cfg(test)]
mod tests;

pub(super) use device::{offered, register, with_threads};
pub(super) use workshop::memory_per_cell;

/// What computes attention on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AttentionKernel {
    /// This program's over a cache in half precision; llama.cpp's over others, with soft caps, sinks or slopes, and on GPUs.
    #[default]
    Widedeep,
    /// llama.cpp's alone, for comparison.
    Ggml,
}
