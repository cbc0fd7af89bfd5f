//! Where H-units come from: does the tuned model's detector work on the base model, and did tuning move its units? (paper section 5, spec 5)
//!
//! [`trace`] answers both for a [`Pair`] of model files and collections of their answers. The rest works on plain numbers: weights come in as slices, layer by
//! layer; features of the base model as a collection of their own.

mod backward;
mod movement;
mod pair;
pub mod report;
mod stability;
mod trace;

pub use backward::{Backward, backward};
pub use movement::{Layer, Movement, OriginError, movements};
pub use pair::{Pair, PairError, Side, Storage};
pub use stability::{Modules, Moved, Scaling, Stability, stability};
pub use trace::{Origin, Search, Transfer, VARIANTS, trace};
