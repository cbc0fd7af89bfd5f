//! Adapters in a tap's context.
#![expect(unsafe_code, reason = "llama.cpp is given pointers to the adapters")]

use std::sync::Arc;

use super::Tap;
use crate::llama::adapter::{Adapter, AdapterError};

impl Tap<'_> {
    /// Hands checked adapters to the context.
    pub(super) fn apply(&mut self, adapters: &[(Arc<Adapter>, f32)]) -> Result<(), AdapterError> {
        let mut raw: Vec<_> = adapters.iter().map(|(adapter, _)| adapter.raw().as_ptr()).collect();
        let mut scales: Vec<f32> = adapters.iter().map(|(_, scale)| *scale).collect();
        // The ones in use stay alive until llama.cpp has taken the new ones.
        let new: Vec<Arc<Adapter>> = adapters.iter().map(|(adapter, _)| Arc::clone(adapter)).collect();
        // SAFETY: they are of this model (checked by the caller), and `self.adapters` holds them until others are set; it is dropped after the context.
        let set = unsafe { self.watched.set_adapters(&mut raw, &mut scales) };
        set.map_err(AdapterError::Refused)?;
        self.adapters = new;
        Ok(())
    }
}
