//! How few units carry a layer's output.
//!
//! Two indicators rank the units of one token: the activation value `|a_i|`, and the output magnitude `‖n_i‖₂ = |a_i|·‖W_down[:, i]‖₂` (spec §2), the
//! better one. Masking the lowest `k %` leaves an error, measured by the cumulative error of tail truncation (CETT, spec §3.3); a threshold on
//! magnitudes with a given mean CETT says how sparse the layer is at that error.

mod cett;
mod indicator;
mod layer;
mod mask;

pub use cett::{AtThreshold, TailErrors, Target, Threshold};
pub use indicator::{Indicator, Normalisation, column_norms, cumulative_distribution, indicators};
pub use layer::{Distribution, LayerSparsity, MaskError, Settings, measure};
pub use mask::{contributions, lowest, tail_cett, units_for_mass, zero_fraction};
