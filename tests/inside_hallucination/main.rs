//! From questions to labelled answers: readers of every set at hand, the judge, consistency, spans and regions, against `../shared/data/h_neurons`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod data;
mod judging;
mod malformed;
mod readers;
mod spans;
