//! Bricks against reference values from numpy, scikit-learn, networkx and gguf-py, and against their own properties.

#![expect(clippy::unwrap_used, reason = "tests")]

mod adapters;
mod files;
mod merging;
mod oracle;
mod partitions;
mod pruning;
mod quantised_rows;
mod routing;
mod sparse_activation;
mod specialisation;
mod updates;
