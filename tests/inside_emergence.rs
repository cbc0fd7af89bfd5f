//! The multifractal analysis of weights against its oracles and beyond, through the public interface.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "tests"
)]

#[path = "inside_emergence/controls.rs"]
mod controls;
#[path = "inside_emergence/files.rs"]
mod files;
#[path = "inside_emergence/gguf.rs"]
mod gguf;
#[path = "inside_emergence/graphs.rs"]
mod graphs;
#[path = "inside_emergence/models.rs"]
mod models;
#[path = "inside_emergence/oracle.rs"]
mod oracle;
#[path = "inside_emergence/properties.rs"]
mod properties;
#[path = "inside_emergence/series.rs"]
mod series;
#[path = "inside_emergence/stars.rs"]
mod stars;
mod support;
