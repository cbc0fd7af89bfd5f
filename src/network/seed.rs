//! Where randomness comes from: every call's seed is a hash of the run's seed and the call's place, so that no call's draws depend on which
//! calls were made before it.

use crate::chat::Origin;
use crate::pair::Order;

/// A call's place in a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) pair: usize,
    /// 0 is role generation, 1 the first layer.
    pub(super) stage: usize,
    pub(super) neuron: usize,
    pub(super) order: Order,
    pub(super) sample: usize,
    pub(super) attempt: usize,
}

impl Place {
    pub(super) fn origin(self) -> Origin {
        // No network is so wide that this would not fit.
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Origin {
            pair: self.pair as u64,
            stage: number(self.stage),
            neuron: number(self.neuron),
            attempt: number(self.attempt),
        }
    }
}

/// The seed of the call at a place.
pub(super) fn seed(run: u64, place: Place) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&run.to_le_bytes());
    let order = match place.order {
        Order::Forward => 0,
        Order::Swapped => 1,
    };
    for part in [
        place.pair,
        place.stage,
        place.neuron,
        order,
        place.sample,
        place.attempt,
    ] {
        hasher.update(&(part as u64).to_le_bytes());
    }
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
