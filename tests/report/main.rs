//! What a stored run is made into: figures, the printed summary, exports. Runs are built by hand with literal scores; oracles are those of the
//! method specification, sections 10.4 and 14.4.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::float_cmp,
    reason = "ratios of small whole numbers, correctly rounded on both sides"
)]

mod benchmark;
mod export;
mod figures;
mod recompute;
mod runs;
mod stopping;
mod summary;
