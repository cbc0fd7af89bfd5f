//! Hallucination: the units whose share in what a layer writes tells made-up answers from known ones (H-neurons, arXiv 2512.01797).
//!
//! The way from questions to a detector: [`questions`] are answered several times, every answer is judged ([`judge`]), the questions that are answered right or wrong every
//! time are kept ([`consistency`]), the tokens that carry the answer are found ([`span`]), and CETT is averaged over [`regions`] of the text.

pub mod consistency;
pub mod judge;
pub mod normalise;
pub mod questions;
pub mod regions;
pub mod span;
