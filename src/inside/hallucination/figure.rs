//! The evaluation for people.
