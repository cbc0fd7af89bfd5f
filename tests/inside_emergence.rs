//! The multifractal analysis of weights against its oracles, one test per file and more, through the public interface.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests"
)]

#[path = "inside_emergence/graphs.rs"]
mod graphs;
#[path = "inside_emergence/oracle.rs"]
mod oracle;
#[path = "inside_emergence/properties.rs"]
mod properties;
#[path = "inside_emergence/stars.rs"]
mod stars;
