//! Complex-network metrics against values that an independent NumPy/SciPy/NetworkX reference computed (`../shared/data/topology`).
#![expect(clippy::unwrap_used, reason = "tests")]

mod compare;
mod divergence;
mod gguf;
mod oracle;
mod plans;
mod properties;
mod records;
mod recurrent;
mod smollm2;
mod stack;
mod toy;
