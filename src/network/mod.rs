//! Evaluator networks: layers of role-specialised neurons, and what becomes of their scores.

pub mod aggregate;
pub mod score;
