//! Reading angles of view (roles) out of a model's reply (spec section 3).
//!
//! The model is asked to put each angle between a dollar sign and its family's closing sign. An empty list means: ask again, and
//! after the last attempt use [`FALLBACK`].

pub mod compat;
pub mod robust;

/// The sign that opens an angle of view.
pub const OPEN: char = '$';

/// The roles used when no attempt gave any (spec 3.1).
pub const FALLBACK: [&str; 2] = ["Accuracy", "Relevance"];
