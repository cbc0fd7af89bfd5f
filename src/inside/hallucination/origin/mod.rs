//! Where H-units come from: does the tuned model's detector work on the base model, and did tuning move its units? (paper section 5, spec 5)
//!
//! Weights come in as slices, layer by layer; features of the base model as a collection of their own.

mod backward;
mod movement;
mod stability;

pub use backward::{Backward, backward};
pub use movement::{Layer, Movement, OriginError, movements};
pub use stability::{Modules, Moved, Scaling, Stability, stability};
